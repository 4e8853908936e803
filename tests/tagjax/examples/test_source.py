"""Where examples come from: rows, files and ids, and what is wrong with them."""

import numpy as np
import pytest
import soundfile
from catalogues import PARTS, RELEASE, STRICT, builder, read, sound, write_parts

from tagjax.base.errors import InputError
from tagjax.base.tables import write_table
from tagjax.examples import audio
from tagjax.examples import build as building
from tagjax.manifest import lists
from tagjax.previews import ledger, report
from tagjax.vocabulary.vocabulary import Vocabulary


def test_the_released_lists_find_their_audio_by_name(tmp_path):
    write_parts(tmp_path / "manifest", {"train": [1, 2, 3]}, RELEASE, tags="Rock")
    for path in ("1.wav", "a/2.flac", "a/b/3.ogg"):
        (tmp_path / "audio" / path).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(tmp_path / "audio" / path, sound(1), 22050)
    for cover in ("1.jpg", "a/2.txt", "a/2.xml", "a/b/3.cue"):
        (tmp_path / "audio" / cover).write_text("not the music")
    (tmp_path / "audio" / "a" / "1.mp3").mkdir()
    made = builder(tmp_path)
    made.download_and_prepare()
    assert made.skipped == []
    found = read(made, "train")
    assert set(found) == {"1", "2", "3"}
    assert found["1"]["artist_id"] == found["1"]["tags"] == b""
    assert made.info.metadata["multi_label"] is False
    assert made.excerpts.vocabulary == Vocabulary.of(["Rock"])


@pytest.mark.parametrize("tag", [" rock", "rock ", "a\nb", "a\u2028b", ""])
def test_a_tag_that_a_list_of_names_would_not_keep_is_refused(catalogue, tag):
    one = np.ones(1)
    manifest = lists.Manifest(
        {"train": lists.Excerpts(("1",), (tag,), one, one, path=("x/1.flac",))},
        Vocabulary.of([tag]),
    )
    with pytest.raises(InputError, match="white space around it or a line break"):
        building.build(manifest, catalogue / "audio", catalogue / "data")
    assert not (catalogue / "data").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda root: write_parts(root / "manifest", {"test": [15]}, duration="3"),
            "test.csv:2: seg_duration is 3 s, before it 2 s",
        ),
        (lambda root: write_parts(root / "manifest", dict.fromkeys(PARTS, ())), "no excerpts"),
        (
            lambda root: (root / "audio" / "x").rename(root / "audio" / "y"),
            "train.csv:2: no x/0.flac in",
        ),
        (lambda root: (root / "audio").rename(root / "elsewhere"), "audio: no such folder"),
        (lambda root: (root / "manifest").rename(root / "elsewhere"), "manifest: no such folder"),
    ],
)
def test_a_mistake_is_named_before_anything_is_decoded(catalogue, change, message):
    change(catalogue)
    with pytest.raises(InputError) as caught:
        builder(catalogue)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (catalogue / "data").exists()


def test_where_it_is_to_be_strict_an_absent_file_stops_the_build_before_it_begins(catalogue):
    with pytest.raises(InputError, match=r"test\.csv:3: no file x/16\.flac .*--strict"):
        builder(catalogue, STRICT)
    assert not (catalogue / "data").exists()


def test_where_it_is_to_be_strict_every_id_needs_its_file(tmp_path):
    write_parts(tmp_path / "manifest", {"train": [1, 2, 3]}, RELEASE, tags="Rock")
    (tmp_path / "audio").mkdir()
    for k in (1, 3):
        soundfile.write(tmp_path / "audio" / f"{k}.wav", sound(k), 22050)
    with pytest.raises(InputError, match=r"train\.csv:3: no file 2\.\* in .*one of 1 rows"):
        builder(tmp_path, STRICT)
    made = builder(tmp_path)
    building.prepare(made)
    assert [row.reason for row in made.skipped] == ["no file of this name in the audio folder"]


@pytest.mark.parametrize(("there", "good"), [(99, True), (100, False)])
def test_a_folder_with_none_of_the_first_hundred_files_is_another_s(tmp_path, there, good):
    """Two rows a file, so it is files that are counted and not rows."""
    rows = [(k // 2, "rock", k % 2, 1, f"{k // 2}.wav") for k in range(240)]
    columns = (*RELEASE, "path")
    write_table(tmp_path / "manifest" / "train.csv", columns, rows)
    (tmp_path / "audio").mkdir()
    soundfile.write(tmp_path / "audio" / f"{there}.wav", sound(1), 22050)
    if good:
        assert len(builder(tmp_path).excerpts.parts["train"]) == 240
        return
    with pytest.raises(InputError, match=r"train\.csv:2: no 0\.wav in .* other first 100 files"):
        builder(tmp_path)


def test_ids_that_were_looked_for_in_the_whole_folder_do_not_count(tmp_path):
    write_parts(tmp_path / "manifest", {"train": range(300)}, RELEASE, tags="Rock")
    (tmp_path / "audio").mkdir()
    soundfile.write(tmp_path / "audio" / "299.wav", sound(1), 22050)
    assert builder(tmp_path).excerpts.parts["train"].path.count("") == 299
    (tmp_path / "audio" / "299.wav").unlink()
    with pytest.raises(InputError, match=r"train\.csv:2: no 0\.\* in .*any other file of the man"):
        builder(tmp_path)


def test_a_preview_begins_at_0_and_says_so_and_a_file_of_the_user_does_not(catalogue):
    with ledger.Ledger(catalogue / "audio") as book:
        assert book.recognise(["6"]) == 1
        found = ledger.Record("5", ledger.FOUND, source=ledger.PREVIEW, path="x/5.flac")
        report.write(book.folder, [], [found, *book.records.values()])
    made = builder(catalogue)
    built = building.prepare(made)
    found = read(made, "train")
    assert [found[k]["provenance"].decode() for k in ("5", "6")] == ["deezer preview", ""]
    assert found["5"]["seg_start"] == 0.5  # As the manifest has it.
    for k, start in (("5", 0.0), ("6", 0.5)):
        wanted, _ = audio.read_log_mel(catalogue / "audio" / "x" / f"{k}.flac", start, 2.0)
        np.testing.assert_array_equal(found[k]["mel"], wanted.astype(np.float16))
    assert built.previews == 1
    assert "1 excerpts are of previews" in "\n".join(built.lines())
