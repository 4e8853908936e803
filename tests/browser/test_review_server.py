"""The page on `launch.review` itself, with two small catalogues and tones to hear."""

import shutil

import pytest
from reviewed import EVIL, write_reconciliation
from reviewing import SHOWN, begin, decide, heard, line_says, listen, pair

from tagjax.reconcile.people import VERDICTS, path_of
from tagjax.reconcile.sssom import read_mappings


@pytest.fixture(scope="module")
def music(tmp_path_factory):
    """A reconciliation, and twelve tracks as tones of 200, 300, ... Hz."""
    root = tmp_path_factory.mktemp("review")
    write_reconciliation(root)
    return root


@pytest.fixture
def review(music, tmp_path, serve):
    """`launch.review` on a copy of the reconciliation."""
    folder = tmp_path / "out"
    shutil.copytree(music / "out", folder)
    command = ("-m", "launch.review")
    return serve(f"--audio_dir={music / 'music'}", "--by=ear", command=command, folder=folder)


def on_disk(folder) -> list[tuple[str, str, str]]:
    """(verdict, subject, object) of all that people said."""
    found = []
    for verdict in VERDICTS:
        path = path_of(folder, verdict)
        for row in read_mappings(path).rows if path.exists() else ():
            found.append((verdict, row.cell("subject_label"), row.cell("object_label")))
    pairs = [(source, target) for _, source, target in found]
    assert len(pairs) == len({*pairs}), "a pair was decided twice"
    return found


def test_a_persons_way(window, review):
    page = begin(window, review)
    listen(page)
    playable = "document.querySelector('.clip:not([aria-disabled])')"
    while not page.run(f"Boolean({playable})"):
        before = pair(page)
        page.press("j")
        page.until(f"location.hash !== '#/decide/{before}'")
    page.press(" ")  # The first clip that can be played is chosen.
    pitch, loud = heard(page)
    assert loud > 0.02
    assert 190 < pitch < 1310
    assert pitch == pytest.approx(round(pitch, -2), abs=6)
    page.press(" ")
    assert on_disk(review.folder) == []
    decide(page, "y")
    assert [verdict for verdict, *_ in on_disk(review.folder)] == ["positive"]
    decide(page, "n")
    assert sorted(verdict for verdict, *_ in on_disk(review.folder)) == ["negative", "positive"]
    page.press("u")
    line_says(page, "Undone")
    assert [verdict for verdict, *_ in on_disk(review.folder)] == ["positive"]
    here = pair(page)
    page.reload()
    page.until(SHOWN)
    assert pair(page) == here
    page.until("document.querySelector('#progress').textContent.startsWith('1 decided')")


def test_all_views_with_hostile_names(window, review, axe):
    page = begin(window, review)
    page.run(axe + "; 0")
    ready = {
        "list": "document.querySelectorAll('#rows tr').length > 5",
        "map": "document.querySelectorAll('#map circle').length > 11",
        "tree": "document.querySelectorAll('#tree li').length > 2",
        "tag/0": "document.querySelectorAll('#tag-clips button').length",
    }
    for view, condition in ready.items():
        page.run(f"location.hash = '#/{view}'")
        page.until(condition, 30)
        assert page.run("document.querySelectorAll('img').length") == 0
        found = page.run("axe.run().then(({violations}) => violations.map(({id}) => id))")
        assert found == [], view
    assert EVIL in page.run("document.querySelector('#tree').textContent")


def test_two_windows(window, review):
    first, second = begin(window, review), begin(window, review)
    assert pair(first) == pair(second)
    decide(first, "y")
    second.press("n")
    line_says(second, "elsewhere")
    assert [verdict for verdict, *_ in on_disk(review.folder)] == ["positive"]
    second.until("document.querySelector('#progress').textContent.startsWith('1 decided')")


def test_killed_between_two_decisions(window, review):
    page = begin(window, review)
    decide(page, "y")
    before = on_disk(review.folder)
    review.kill()
    name = pair(page)
    page.press("n")
    line_says(page, "Not saved yet: “no”.")
    review.start()
    line_says(page, "locked")
    window(review.address).until(SHOWN)
    page.until("!document.querySelector('#resend').hidden")
    assert on_disk(review.folder) == before
    page.click("#resend")
    page.until(f"location.hash !== '#/decide/{name}'")
    assert len(on_disk(review.folder)) == 2


def test_file_that_does_not_parse(window, review):
    page = begin(window, review)
    decide(page, "y")
    path = path_of(review.folder, "positive")
    good = path.read_text()
    path.write_text(good + "one\tcell\n")
    page.press("n")
    line_says(page, path.name)
    assert path.read_text() == good + "one\tcell\n"
    path.write_text(good)
    page.until("!document.querySelector('#resend').hidden")
    page.until(f"!document.querySelector('#line').textContent.includes('{path.name}')")
    page.click("#resend")
    page.until("document.querySelector('#progress').textContent.startsWith('2 decided')")


def test_list_of_what_is_a_kind_of_something(window, review):
    page = begin(window, review)
    for key in "bw":
        decide(page, key)
    page.run("location.hash = '#/list?relation=broad,narrow'")
    said = "[...document.querySelectorAll('#rows .relation')].map(node => node.innerText.trim())"
    page.until(f"{said}.length === 2")
    assert page.run(said) == ["is a kind of"] * 2
