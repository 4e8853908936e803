"""The report in headless Chromium, without network (skips where there is no Chromium)."""

import html
import json
import os
import shutil
import signal
import subprocess
import time

import numpy as np
import pytest

from tagjax import tasks
from tagjax.base import files
from tagjax.manifest.lists import Excerpts, Manifest
from tagjax.report import describe
from tagjax.report import page as report
from tagjax.similarity.matrix import Similarity
from tagjax.vocabulary.taxonomy import Taxonomy
from tagjax.vocabulary.truth import Truth
from tagjax.vocabulary.vocabulary import Vocabulary

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--remote-debugging-pipe",
)
OWNED = "<img src=x onerror=document.title=0>"
STYLES = (OWNED, "</script><script>document.title=0</script>", "<a href='https://e.x'>e</a>")
TAGS = (*STYLES, *(f"style {i}" for i in range(20)), "genre:<b>a</b>", "genre:b", "genre:c")


DRAWN = 2  # figures in sight: the map and the heat map of one embedding


class Browser:
    """Chromium spoken to by its DevTools protocol through a pair of pipes."""

    def __init__(self, program, folder):
        theirs, self._to = os.pipe()
        self._from, back = os.pipe()
        options = [*OPTIONS, f"--user-data-dir={folder}", "about:blank"]
        self._process = subprocess.Popen(
            ["bash", "-c", f'exec "$@" 3<&{theirs} 4>&{back}', "bash", program, *options],
            pass_fds=(theirs, back),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(theirs)
        os.close(back)
        self._number, self._buffer, self._session = 0, b"", None
        self.events = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method, **parameters):
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]
            self.events.append(answer)

    def _read(self):
        while b"\0" not in self._buffer:
            data = os.read(self._from, 1 << 20)
            assert data, "Chromium has gone"
            self._buffer += data
        message, self._buffer = self._buffer.split(b"\0", 1)
        return json.loads(message)

    def run(self, script):
        """The value of a script; a promise is waited for."""
        found = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def wait(self, script, seconds=60):
        end = time.monotonic() + seconds
        while not self.run(script):
            assert time.monotonic() < end, f"never came true: {script}"
            time.sleep(0.05)

    def open(self, path, drawn=DRAWN):
        self.events = []
        self.call("Page.navigate", url=path.as_uri())
        self.wait("document.readyState === 'complete'")
        self.wait(f"document.querySelectorAll('.one:not([hidden]) > .figure').length === {drawn}")

    def trouble(self):
        """Whatever the page complained of or asked the network for."""
        self.run("0")  # what is under way arrives before the answer
        found = []
        for event in self.events:
            parameters = event.get("params", {})
            if event["method"] == "Runtime.exceptionThrown":
                found.append(parameters["exceptionDetails"])
            if event["method"] == "Runtime.consoleAPICalled":
                found.append(parameters["args"])
            if event["method"] == "Log.entryAdded":
                found.append(parameters["entry"])
            if event["method"] == "Network.requestWillBeSent":
                url = parameters["request"]["url"]
                if not url.startswith(("file:", "data:", "blob:")):
                    found.append(url)
        return found

    def close(self):
        os.close(self._to)
        os.close(self._from)
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


FIRST = "document.querySelector('#errors .one:not([hidden])')"
VISIBLE = "[...document.querySelectorAll('#ranked .one:not([hidden]) tbody tr:not([hidden])')]"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None or shutil.which("bash") is None:
        pytest.skip("no Chromium (or no bash) on PATH")
    one = Browser(program, tmp_path_factory.mktemp("profile"))
    yield one
    one.close()


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    similarities = {}
    for name, seed in (("fw", 0), ("fc", 1)):
        vectors = np.random.default_rng(seed).normal(size=(6, len(TAGS)))
        vectors /= np.linalg.norm(vectors, axis=0)
        similarities[name] = Similarity(TAGS, vectors.T @ vectors)
    truth = Truth(Taxonomy.of((tag, "<b>a</b>") for tag in TAGS[:-3]))
    evaluation = tasks.evaluate("taxonomy", similarities, truth)
    path = tmp_path_factory.mktemp("report") / "report.html"
    files.write_text(path, report.render(evaluation, title="Mine"))
    return path


@pytest.fixture
def page(browser, path):
    browser.open(path)
    drawn = "[...document.querySelectorAll('.one:not([hidden]) > .figure')].every(f => f.data)"
    browser.wait(drawn)
    return browser


def test_the_page_opens_in_peace_and_without_network(page):
    assert page.run("document.title") == "Mine"
    assert page.run("document.querySelectorAll('.figure .main-svg').length") >= 2 * DRAWN
    assert page.run("document.querySelectorAll('.figure .scatterlayer .point').length") == len(TAGS)
    assert page.run("document.querySelectorAll('.figure .hm image').length") == 1
    assert page.trouble() == []


def test_no_button_sends_the_figures_away(page):
    buttons = "[...document.querySelectorAll('.modebar-btn')].map(b => b.dataset.title)"
    titles = " ".join(page.run(buttons))
    assert "PNG" in titles
    assert not any(word in titles.lower() for word in ("share", "cloud", "edit", "plotly"))
    outside = "[...document.querySelectorAll('[href]')].filter(a => /^http/.test(a.href)).length"
    assert page.run(outside) == 0


@pytest.mark.parametrize("trusting", [False, True], ids=["with policy", "without policy"])
def test_a_hostile_tag_is_text(browser, path, trusting):
    """Also when the content security policy is off: escaping alone has to do."""
    browser.call("Page.setBypassCSP", enabled=trusting)
    browser.open(path)
    try:
        browser.wait(
            "[...document.querySelectorAll('.one:not([hidden]) > .figure')].every(f => f.data)"
        )
        # tooltips, and the names of all styles on the map
        browser.run("document.querySelector('#labels').click()")
        browser.run(
            "Promise.all([...document.querySelector('#map .one:not([hidden]) .figure').data"
            ".keys()].map(t => Plotly.Fx.hover(document.querySelector("
            "'#map .one:not([hidden]) .figure'), [{curveNumber: t, pointNumber: 0}])))"
        )
        browser.wait("document.querySelector('#map .hoverlayer').textContent.includes('genre:')")
        assert browser.run("document.title") == "Mine"
        assert browser.run("document.querySelectorAll('main img, main td b, svg a').length") == 0
        assert OWNED in browser.run("document.querySelector('#ranked').textContent")
        labels = browser.run("document.querySelector('#map').textContent")
        assert "<a href='https://e.x'>e</a>" in labels
        assert "<b>a</b>" in labels
        assert browser.trouble() == []
    finally:
        browser.call("Page.setBypassCSP", enabled=False)


def column(page, section, i):
    rows = f"document.querySelector('#{section} .one:not([hidden]) tbody').rows"
    return page.run(f"[...{rows}].map(row => row.cells[{i}].textContent)")


def sort(page, section, i):
    heads = f"document.querySelectorAll('#{section} .one:not([hidden]) thead th')"
    page.run(f"{heads}[{i}].querySelector('button').click()")
    return page.run(f"{heads}[{i}].getAttribute('aria-sort')")


def test_a_click_on_a_heading_sorts(page):
    before = column(page, "errors", 2)
    assert sort(page, "errors", 2) == "ascending"
    assert column(page, "errors", 2) == sorted(before, key=float)
    assert sort(page, "errors", 2) == "descending"
    assert column(page, "errors", 2) == sorted(before, key=float, reverse=True)
    sort(page, "ranked", 0)
    names = column(page, "ranked", 0)
    numbers = [int(name.split()[1]) for name in names if name.startswith("style")]
    assert numbers != sorted(numbers)  # by letters: style 1, style 10, style 11
    assert [str(n) for n in numbers] == sorted(map(str, numbers))


def test_the_search_hides_other_rows(page):
    find = """(text) => { const input = document.querySelector(
        '#ranked .one:not([hidden]) input'); input.value = text;
        input.dispatchEvent(new Event('input')); }"""
    page.run(f"({find})('STYLE 1')")
    expected = {tag for tag in TAGS if tag.startswith("style 1")}
    assert set(page.run(f"{VISIBLE}.map(row => row.cells[0].textContent)")) == expected
    count = "document.querySelector('#ranked .one:not([hidden]) .count').textContent"
    assert page.run(count) == f"{len(expected)} of 23 rows"
    page.run(f"({find})('')")
    assert page.run(f"{VISIBLE}.length") == 23
    assert page.run(count) == "23 rows"


def test_one_embedding_is_shown_at_a_time(page):
    assert page.run("document.querySelector('input[name=embedding]:checked').dataset.name") == "fc"
    first = page.run(f"{FIRST}.textContent")
    page.run("document.querySelector('input[data-name=fw]').click()")
    assert page.run(f"{FIRST}.textContent") != first
    assert page.run("document.querySelectorAll('#errors .one:not([hidden])').length") == 1
    page.wait("[...document.querySelectorAll('.one:not([hidden]) > .figure')].every(f => f.data)")
    assert page.run("document.querySelector('#heat .which').textContent") == "fw"


def test_a_tag_is_found_on_the_map(page):
    page.run("""(() => { const find = document.querySelector('#find'); find.value = 'Style 19';
        find.dispatchEvent(new Event('input')); })()""")
    texts = "[...document.querySelectorAll('#map .textpoint text')].map(t => t.textContent.trim())"
    page.wait(f"JSON.stringify({texts}.filter(Boolean)) === '[\"style 19\"]'")
    page.run("""(() => { const find = document.querySelector('#find'); find.value = '';
        find.dispatchEvent(new Event('input')); })()""")
    page.wait(f"{texts}.filter(Boolean).length === 3")  # the genres again
    assert page.trouble() == []


def test_a_tooltip_of_the_heat_map_names_the_pair(page):
    page.run("""Plotly.Fx.hover(document.querySelector('#heat .one:not([hidden]) .figure'),
        [{xval: 3, yval: 5}], 'xy')""")
    page.wait("document.querySelector('#heat .hoverlayer').textContent !== ''")
    told = page.run("document.querySelector('#heat .hoverlayer').textContent")
    x, y, z = page.run("""(() => { const data = document.querySelector(
        '#heat .one:not([hidden]) .figure').data[0]; return [data.x[3], data.y[5], data.z[5][3]];
        })()""")
    assert told == html.unescape(f"{y}{x}{z:.3f}")


def test_a_data_set_opens_in_peace(browser, tmp_path):
    n = len(TAGS)
    times = np.zeros(n), np.full(n, 30.0)
    artists = tuple(f"r{k}" for k in range(n))
    both = tuple((tag, TAGS[k - 1]) for k, tag in enumerate(TAGS))
    part = Excerpts(artists, TAGS, *times, artists, tags=both)
    made = describe.describe(Manifest({"train": part}, Vocabulary.guess(TAGS)))
    *_, path = report.write_description(tmp_path, made, describe.genres(made), "Mine")
    browser.open(path, drawn=4)
    browser.wait("[...document.querySelectorAll('.figure')].every(f => f.data)")
    assert browser.run("document.title") == "Mine"
    assert browser.run("document.querySelectorAll('#tags .scatterlayer .point').length") == 3 * n
    assert browser.run("document.querySelectorAll('#cooccurrence .hm image').length") == 1
    assert OWNED in browser.run("document.querySelector('#tags table').textContent")
    assert OWNED in browser.run("document.querySelector('#tags .figure').textContent")
    titles = "[...document.querySelectorAll('#tags .legendtext')].map(t => t.textContent)"
    assert [title.split()[0] for title in browser.run(titles)] == ["tracks", "tracks", "excerpts"]
    shown = "document.querySelector('#tags tbody').rows[0].cells[0].textContent"
    before = browser.run(shown)
    browser.run("document.querySelector('#tags thead button').click()")
    browser.run("document.querySelector('#tags thead button').click()")
    assert browser.run(shown) != before
    assert browser.trouble() == []
