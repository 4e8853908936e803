"""The page on `launch.review` itself: two catalogues whose tags are known, and a tone a track."""

import shutil

import numpy as np
import pytest
import soundfile
from evident import catalogues
from reviewing import SHOWN, begin, decide, heard, line_says, listen, pair
from running import succeed

from tagjax.base.tables import write_table
from tagjax.reconcile.people import VERDICTS, path_of
from tagjax.reconcile.sssom import read_mappings

QUICK = ("--splits=1", "--ridges=2.5,20", "--score_ridges=5", "--dimensions=20")
HOSTILE = "<img src=x onerror=alert(1)>"


def pitch_of(track: str) -> float:
    return 300.0 + 10 * (sum(map(ord, track)) % 50)


@pytest.fixture(scope="module")
def music(tmp_path_factory):
    """Two catalogues with vectors, their reconciliation, and the audio but for one track."""
    root = tmp_path_factory.mktemp("review")
    given, (ids, vectors) = catalogues(tracks=120, noise=1.5)
    for name, catalogue in zip("ab", given, strict=True):
        tags = [
            "|".join(HOSTILE if tag == "rai" else tag for tag in tags) for tags in catalogue.tags
        ]
        columns = catalogue.track_id, catalogue.artist_id, catalogue.album_id
        rows = zip(*columns, tags, strict=True)
        write_table(root / f"{name}.csv", ("track_id", "artist_id", "album_id", "tags"), rows)
    np.savez(root / "vectors.npz", ids=ids, vectors=vectors)
    (root / "music").mkdir()
    time = np.arange(22050 * 4) / 22050
    for track in ids:
        tone = 0.3 * np.sin(2 * np.pi * pitch_of(track) * time)
        soundfile.write(root / "music" / f"{track}.wav", tone, 22050)
    both = ("--annotations=a.csv,b.csv", "--prefix=a:,b:", "--out=out")
    succeed("reconcile", *both, "--features=vectors.npz", *QUICK, folder=root)
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
    first = pair(page)
    page.press("1")
    pitch, loud = heard(page)
    shown = page.run(f"fetch('/api/pair/{first}').then(answer => answer.json())")
    tracks = page.run("fetch('/api/state').then(answer => answer.json())")
    assert tracks["clips"]
    assert shown["for"]
    assert loud > 0.02
    assert 290 < pitch < 810
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
        "map": "document.querySelectorAll('#map circle').length === 12",
        "tree": "document.querySelectorAll('#tree li').length > 2",
        "tag/0": "document.querySelectorAll('#tag-clips button').length",
    }
    for view, condition in ready.items():
        page.run(f"location.hash = '#/{view}'")
        page.until(condition, 30)
        assert page.run("document.querySelectorAll('img').length") == 0
        found = page.run("axe.run().then(({violations}) => violations.map(({id}) => id))")
        assert found == [], view
    assert HOSTILE in page.run("document.querySelector('#tree').textContent")


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
