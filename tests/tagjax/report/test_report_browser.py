"""The report in headless Chromium, without network (skips where there is no Chromium)."""

import base64
import json
import os
import re
import shutil
import signal
import subprocess
import time

import numpy as np
import pytest

from tagjax import tasks
from tagjax.base import files
from tagjax.manifest.lists import Excerpts, Manifest
from tagjax.reconcile.decisions import Decisions, Match, Reason
from tagjax.report import describe, description
from tagjax.report import page as report
from tagjax.report.decisions import write_decisions_report
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
        self.resize()

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

    def resize(self, width=1200, mobile=False):
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=800,
            deviceScaleFactor=1,
            mobile=mobile,
        )

    def mouse(self, kind, x, y, count=1, buttons=1):
        """A real event of the left button."""
        self.call(
            "Input.dispatchMouseEvent",
            type=kind,
            x=x,
            y=y,
            button="left" if buttons else "none",
            buttons=buttons,
            clickCount=count,
        )

    def open(self, path, drawn=DRAWN):
        self.events = []
        self.call("Page.navigate", url=path.as_uri())
        self.wait("document.readyState === 'complete'")
        self.wait(f"document.querySelectorAll('.panel:not([hidden]) > .figure').length === {drawn}")

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


READY = (
    "[...document.querySelectorAll('.panel:not([hidden]) > .figure')]"
    ".every(f => f.dataset.ready !== undefined)"
)
MAP = "document.querySelector('#map .panel:not([hidden]) svg')"
HEAT = "document.querySelector('#heat .panel:not([hidden]) svg')"
TOOLTIP = "document.querySelector('#tooltip')"
FIRST = "document.querySelector('#errors .panel:not([hidden])')"
VISIBLE = "[...document.querySelectorAll('#ranked .panel:not([hidden]) tbody tr:not([hidden])')]"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None or shutil.which("bash") is None:
        pytest.skip("no Chromium (or no bash) on PATH")
    one = Browser(program, tmp_path_factory.mktemp("profile"))
    yield one
    one.close()


@pytest.fixture(scope="module")
def similarities():
    found = {}
    for name, seed in (("fw", 0), ("fc", 1)):
        vectors = np.random.default_rng(seed).normal(size=(6, len(TAGS)))
        vectors /= np.linalg.norm(vectors, axis=0)
        found[name] = Similarity(TAGS, vectors.T @ vectors)
    return found


@pytest.fixture(scope="module")
def path(tmp_path_factory, similarities):
    truth = Truth(Taxonomy.of((tag, "<b>a</b>") for tag in TAGS[:-3]))
    evaluation = tasks.evaluate("taxonomy", similarities, truth)
    path = tmp_path_factory.mktemp("report") / "report.html"
    files.write_text(path, report.render(evaluation, title="Mine"))
    return path


@pytest.fixture
def page(browser, path):
    browser.open(path)
    browser.wait(READY)
    return browser


def point(page, element, kind="pointermove", across=0.5, down=0.5):
    """A pointer over an element, which is in sight by then."""
    page.run(f"""(() => {{ const e = {element}; e.scrollIntoView({{block: 'center'}});
        const box = e.getBoundingClientRect(); e.dispatchEvent(new PointerEvent('{kind}',
        {{clientX: box.left + {across} * box.width, clientY: box.top + {down} * box.height,
        bubbles: true}})); }})()""")


def test_the_page_opens_in_peace_and_without_network(page):
    assert page.run("document.title") == "Mine"
    visible = "document.querySelectorAll('.panel:not([hidden]) > .figure svg"
    assert page.run(f"{visible}').length") == DRAWN
    assert page.run(f"{visible} [data-part=marker]').length") == len(TAGS)
    assert page.run(f"{visible} image[data-part=cells]').length") == 1
    assert page.run(f"{MAP}.getBoundingClientRect().width") > 300
    assert page.run(f"{HEAT}.getBoundingClientRect().width") > 300
    assert page.trouble() == []


def test_figures_are_saved_and_never_sent(browser, path, tmp_path):
    browser.open(path)
    browser.wait(READY)
    buttons = "[...document.querySelectorAll('.panel:not([hidden]) .buttons button')]"
    titles = set(browser.run(f"{buttons}.map(b => b.title)"))
    assert titles == {"Zoom in", "Zoom out", "Save as PNG", "Save as SVG"}
    outside = "[...document.querySelectorAll('[href]')].filter(a => /^http/.test(a.href)).length"
    assert browser.run(outside) == 0
    browser.run("""window.saved = []; HTMLAnchorElement.prototype.click = function () {
        window.saved.push([this.download, this.href]); }""")
    browser.run(f"{buttons}.filter(b => b.title.startsWith('Save')).forEach(b => b.click())")
    browser.wait("window.saved.length === 4")
    saved = dict(browser.run("window.saved.filter((_, k) => k < 4)"))
    assert set(saved) == {"figure.png", "figure.svg"}
    head, _, data = saved["figure.png"].partition(",")
    assert head == "data:image/png;base64"
    assert base64.b64decode(data).startswith(b"\x89PNG")
    assert saved["figure.svg"].startswith("data:image/svg+xml")
    assert browser.trouble() == []


@pytest.mark.parametrize("trusting", [False, True], ids=["with policy", "without policy"])
def test_a_hostile_tag_is_text(browser, path, trusting):
    """Also when the content security policy is off: escaping alone has to do."""
    browser.call("Page.setBypassCSP", enabled=trusting)
    browser.open(path)
    try:
        browser.wait(READY)
        # tooltips of all markers and of the heat map, and the names of all styles on the map
        said = browser.run(f"""[...{MAP}.querySelectorAll('[data-part=marker] use')].map(use => {{
            use.dispatchEvent(new PointerEvent('pointermove', {{bubbles: true}}));
            return {TOOLTIP}.innerText; }}).join(' ')""")
        assert OWNED in said
        assert "</script><script>document.title=0</script>" in said
        point(browser, f"{HEAT}.querySelector('image')", across=0.05, down=0.1)
        assert browser.run(f"{TOOLTIP}.hidden") is False
        assert browser.run("document.title") == "Mine"
        odd = "document.querySelectorAll('main img, main td b, svg a, svg script, #tooltip * *')"
        assert browser.run(f"{odd}.length") == 0
        assert OWNED in browser.run("document.querySelector('#ranked').textContent")
        labels = browser.run("document.querySelector('#map').textContent")
        assert "<a href='https://e.x'>e</a>" in labels
        assert "<b>a</b>" in labels
        assert browser.trouble() == []
    finally:
        browser.call("Page.setBypassCSP", enabled=False)


def column(page, section, i):
    rows = f"document.querySelector('#{section} .panel:not([hidden]) tbody').rows"
    return page.run(f"[...{rows}].map(row => row.cells[{i}].textContent)")


def sort(page, section, i):
    heads = f"document.querySelectorAll('#{section} .panel:not([hidden]) thead th')"
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
        '#ranked .panel:not([hidden]) input'); input.value = text;
        input.dispatchEvent(new Event('input')); }"""
    page.run(f"({find})('STYLE 1')")
    expected = {tag for tag in TAGS if tag.startswith("style 1")}
    assert set(page.run(f"{VISIBLE}.map(row => row.cells[0].textContent)")) == expected
    count = "document.querySelector('#ranked .panel:not([hidden]) .count').textContent"
    assert page.run(count) == f"{len(expected)} of 23 rows"
    page.run(f"({find})('')")
    assert page.run(f"{VISIBLE}.length") == 23
    assert page.run(count) == "23 rows"


def test_one_embedding_is_shown_at_a_time(page):
    assert page.run("document.querySelector('input[name=embedding]:checked').dataset.name") == "fc"
    first = page.run(f"{FIRST}.textContent")
    page.run("document.querySelector('input[data-name=fw]').click()")
    assert page.run(f"{FIRST}.textContent") != first
    assert page.run("document.querySelectorAll('#errors .panel:not([hidden])').length") == 1
    page.wait(READY)
    assert page.run("document.querySelector('#heat .which').textContent") == "fw"


NAMES_SHOWN = (
    f"[...{MAP}.querySelectorAll('[data-part=name]')].filter(e => e.getClientRects().length"
    " && getComputedStyle(e).opacity === '1').map(e => e.dataset.tag)"
)
FIND = """((text) => { const find = document.querySelector('#find'); find.value = text;
    find.dispatchEvent(new Event('input')); })"""


def test_a_tag_is_found_on_the_map(page):
    page.run(f"{FIND}('Style 19')")
    assert page.run(NAMES_SHOWN) == ["style 19"]
    bright = "[data-part=marker]:not(.faint)"
    assert page.run(f"{MAP}.querySelectorAll('{bright}').length") == 1
    page.run(f"{FIND}('')")
    assert set(page.run(NAMES_SHOWN)) == set(TAGS)
    page.run("document.querySelector('#labels').click()")
    assert set(page.run(NAMES_SHOWN)) == set(TAGS[-3:])  # the genres alone
    page.run(f"{FIND}('style 3')")  # by name, though no name of a style is shown
    assert page.run(NAMES_SHOWN) == ["style 3"]
    assert page.run(f"{MAP}.querySelectorAll('{bright}').length") == 1
    assert page.trouble() == []


def test_a_tooltip_of_the_map_names_the_nearest(page, similarities):
    tag = "style 7"
    marker = f"{MAP}.querySelector('[data-part=marker][data-tag=\"{tag}\"]')"
    point(page, f"{marker}.querySelector('use')")
    nearest = [f"{score:.3f} {other}" for other, score in similarities["fc"].nearest(tag, 5)]
    lines = page.run(f"[...{TOOLTIP}.children].map(line => line.textContent)")
    assert lines == [tag, "in genre:<b>a</b>", *nearest]
    box = page.run(f"(({{left, right}}) => [left, right])({TOOLTIP}.getBoundingClientRect())")
    assert box[0] >= 0
    assert box[1] <= page.run("document.documentElement.clientWidth")
    point(page, MAP, "pointerleave")
    assert page.run(f"{TOOLTIP}.hidden")


def test_a_tooltip_of_the_heat_map_names_the_pair(page, similarities):
    data = json.loads(
        page.run("""document.querySelector(
        '#heat .panel:not([hidden]) .figure').nextElementSibling.textContent""")
    )
    names, n = data["names"], len(TAGS)
    for x, y in ((3, 5), (5, 3), (0, 0), (n - 1, 2)):
        image = f"{HEAT}.querySelector('image')"
        point(page, image, across=(x + 0.5) / n, down=(y + 0.5) / n)
        lines = page.run(f"[...{TOOLTIP}.children].map(line => line.textContent)")
        places = [TAGS.index(names[k]) for k in (y, x)]
        score = similarities["fc"].matrix[tuple(places)]
        assert lines == [names[y], names[x], f"{score:.3f}"]
    point(page, image, across=1.01, down=0.5)
    assert page.run(f"{TOOLTIP}.hidden")


def test_the_wheel_zooms_a_drag_moves_and_a_double_click_returns(page):
    view = f"{MAP}.getAttribute('viewBox').split(' ').map(Number)"
    whole = page.run(view)
    wheel = f"""((deltaY) => {{ const box = {MAP}.getBoundingClientRect();
        const at = {{clientX: box.left + 0.25 * box.width, clientY: box.top + 0.5 * box.height}};
        return {MAP}.dispatchEvent(new WheelEvent(
            'wheel', {{deltaY, cancelable: true, bubbles: true, ...at}})); }})"""
    assert page.run(f"{wheel}(100)") is True  # Out of the whole: the page moves on.
    assert page.run(view) == whole
    assert page.run(f"{wheel}(-100)") is False
    x, y, width, height = page.run(view)
    assert 0 < width < whole[2]
    assert width / height == pytest.approx(whole[2] / whole[3])
    assert x + 0.25 * width == pytest.approx(whole[0] + 0.25 * whole[2], abs=0.5)
    assert y + 0.5 * height == pytest.approx(whole[1] + 0.5 * whole[3], abs=0.5)
    page.run(f"{MAP}.scrollIntoView({{block: 'center'}})")
    left, top = page.run(f"(({{left, top}}) => [left, top])({MAP}.getBoundingClientRect())")
    top = max(top, 100)
    page.mouse("mousePressed", left + 90, top + 90)
    page.mouse("mouseMoved", left + 88, top + 90)
    assert page.run(view) == [x, y, width, height]  # A click may tremble.
    page.mouse("mouseMoved", left + 70, top + 90)
    page.mouse("mouseReleased", left + 70, top + 90)
    page.mouse("mouseMoved", left + 30, top + 90, buttons=0)
    moved = page.run(view)
    assert moved[0] > x
    assert moved[1:] == pytest.approx([y, width, height])
    for count in (1, 2):
        page.mouse("mousePressed", left + 90, top + 90, count)
        page.mouse("mouseReleased", left + 90, top + 90, count)
    assert page.run(view) == whole
    assert page.trouble() == []


def test_a_key_of_the_legend_hides_its_series(page):
    key = f"{MAP}.querySelector('[data-part=key]')"
    number = page.run(f"{key}.dataset.series")
    markers = f"[...{MAP}.querySelectorAll('[data-part=marker]')]"
    series = f"{markers}.filter(e => e.getClientRects().length).map(e => e.dataset.series)"
    before = page.run(series)
    page.run(f"{key}.scrollIntoView({{block: 'center'}})")
    x, y = page.run(
        f"(b => [b.x + b.width / 2, b.y + b.height / 2])({key}.getBoundingClientRect())"
    )

    def click(count=1):
        page.mouse("mousePressed", x, y, count)
        page.mouse("mouseReleased", x, y, count)

    click()
    assert page.run(series) == [k for k in before if k != number]
    click()
    assert page.run(series) == before
    for expected in ({number}, set(before)):  # A double click is two clicks first.
        click(1)
        click(2)
        assert set(page.run(series)) == expected


@pytest.mark.parametrize("width", [360, 1300])
def test_the_page_is_as_wide_as_the_screen(browser, path, width):
    browser.resize(width, mobile=width < 800)
    try:
        browser.open(path)
        browser.wait(READY)
        wide = browser.run("document.documentElement.scrollWidth")
        assert wide <= width
        assert browser.run(f"{MAP}.getBoundingClientRect().width") >= min(width, 640) - 40
        assert browser.run("document.querySelector('#labels').checked") is (width > 800)
    finally:
        browser.resize()


def test_a_data_set_opens_in_peace(browser, tmp_path):
    n = len(TAGS)
    times = np.zeros(n), np.full(n, 30.0)
    artists = tuple(f"r{k}" for k in range(n))
    both = tuple((tag, TAGS[k - 1]) for k, tag in enumerate(TAGS))
    part = Excerpts(artists, TAGS, *times, artists, tags=both)
    made = describe.describe(Manifest({"train": part}, Vocabulary.guess(TAGS)))
    *_, path = description.write_description(tmp_path, made, describe.genres(made), "Mine")
    browser.open(path, drawn=4)
    browser.wait(READY)
    assert browser.run("document.title") == "Mine"
    dots = "[...document.querySelectorAll('#tags [data-part=dots] use')]"
    assert browser.run(f"{dots}.length") == 3 * n
    assert (
        browser.run("document.querySelectorAll('#cooccurrence image[data-part=cells]').length") == 1
    )
    assert OWNED in browser.run("document.querySelector('#tags table').textContent")
    assert OWNED in browser.run("document.querySelector('#tags .figure').textContent")
    titles = (
        "[...document.querySelectorAll('#tags text[data-part=key], #tags [data-part=key] text')]"
    )
    titles = browser.run(f"{titles}.map(t => t.textContent)")
    assert [title.split()[0] for title in titles] == ["tracks", "tracks", "excerpts"]
    browser.run(f"{dots}[0].dispatchEvent(new PointerEvent('pointermove', {{bubbles: true}}))")
    told = browser.run(f"[...{TOOLTIP}.children].map(line => line.textContent)")
    assert told[0] in TAGS
    assert told[1] == "tracks with the tag: 2"
    shown = "document.querySelector('#tags tbody').rows[0].cells[0].textContent"
    before = browser.run(shown)
    browser.run("document.querySelector('#tags thead button').click()")
    browser.run("document.querySelector('#tags thead button').click()")
    assert browser.run(shown) != before
    assert browser.trouble() == []


@pytest.fixture(scope="module")
def decided(tmp_path_factory, similarities):
    """A page of decisions: of style 0 and style 1, of a hostile tag, and of the tree."""
    tags = similarities["fw"].vocabulary
    reasons = (Reason("joint", "probability", 0.9), Reason("sound", "cosine of fr", 0.5))
    matches = [Match(f"style {k}", f"style {k + 1}", "exact", 0.5, "review") for k in (2, 4, 6)]
    matches.append(Match("style 0", "style 1", "exact", 0.9, "accepted", reasons))
    matches.append(Match(OWNED, "style 8", "exact", 0.4, "review", reasons, note=OWNED))
    canonical = {tag: tag for tag in tags.tags} | {"style 0": "style 1"}
    parents = {f"style {k}": ("genre:b",) for k in range(10, 20)}
    counts = dict.fromkeys(tags.tags, 3)
    decisions = Decisions(tags, counts, counts, tuple(matches), canonical, parents)
    path = tmp_path_factory.mktemp("decisions") / "report.html"
    write_decisions_report(path, decisions, (), {"fw": similarities["fw"]}, "Decided")
    return path


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1300])
def test_decisions_open_in_peace(browser, decided, width, scheme):
    browser.resize(width, mobile=width < 800)
    feature = {"name": "prefers-color-scheme", "value": scheme}
    browser.call("Emulation.setEmulatedMedia", features=[feature])
    try:
        browser.open(decided)
        browser.wait(READY)
        assert browser.run("document.title") == "Decided"
        assert browser.run("document.documentElement.scrollWidth") <= width
        paper, ink = (
            sum(
                map(
                    int,
                    re.findall(r"\d+", browser.run(f"getComputedStyle(document.body).{name}"))[:3],
                )
            )
            for name in ("backgroundColor", "color")
        )
        assert (paper > 600 and ink < 200) if scheme == "light" else (paper < 100 and ink > 600)
        assert browser.run("document.querySelectorAll('main img').length") == 0
        assert OWNED in browser.run("document.querySelector('#review').textContent")
        assert browser.trouble() == []
    finally:
        browser.call("Emulation.setEmulatedMedia", features=[])
        browser.resize()


def test_the_search_leaves_what_is_about_a_tag(browser, decided):
    browser.open(decided)
    browser.wait(READY)
    search = """((text) => { const filter = document.querySelector('#filter'); filter.value = text;
        filter.dispatchEvent(new Event('input')); })"""
    seen = "[...document.querySelectorAll('.found')].filter(e => e.offsetHeight).map(e => e.id)"
    tree = (
        "[...document.querySelectorAll('#tree .tag')].filter(e => e.offsetHeight)"
        ".map(e => e.textContent)"
    )
    assert browser.run(seen) == ["merged", "tree", "review", "index"]
    browser.run(f"{search}('STYLE 0')")
    assert browser.run(seen) == ["merged", "index"]
    assert browser.run("document.querySelector('#matches').textContent") == "2 found"
    browser.run(f"{search}('style 12')")
    assert browser.run(seen) == ["tree", "index"]
    assert browser.run(tree) == ["genre:b", "style 12"]
    assert browser.run(NAMES_SHOWN) == ["style 12"]  # The map follows.
    browser.run(f"{search}('no such tag')")
    assert browser.run(seen) == []
    assert browser.run("document.querySelector('#matches').textContent") == "nothing found"
    browser.run(f"{search}('')")
    assert browser.run(seen) == ["merged", "tree", "review", "index"]
    assert browser.trouble() == []


def test_probabilities_are_sorted_as_numbers(browser, tmp_path):
    tags = Vocabulary.of(
        [f"{system}{k}" for system in ("a:", "b:") for k in range(4)], ["a:", "b:"]
    )
    sure = [0.99999, 0.5, 0.0001, 0.08]
    matches = [Match(f"a:{k}", f"b:{k}", "exact", p, "review") for k, p in enumerate(sure)]
    decisions = Decisions(tags, {}, {}, tuple(matches), {tag: tag for tag in tags.tags}, {})
    write_decisions_report(tmp_path / "report.html", decisions)
    browser.open(tmp_path / "report.html", drawn=0)
    heads = "document.querySelectorAll('#review th button')"
    browser.run(f"{heads}[3].click()")
    cells = "[...document.querySelectorAll('#review tbody td.n')].map(e => e.textContent.trim())"
    assert browser.run(cells) == ["< 0.1 %", "8 %", "50 %", "> 99.9 %"]
