"""Builds from start to report: stopped and resumed, built already, by the function of the API."""

import collections
import contextlib
import dataclasses
import os
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest
import soundfile
import tensorflow_datasets as tfds
from catalogues import (
    ONE,
    PARTS,
    builder,
    content,
    read,
    same,
    sound,
    write_parts,
)
from damage import cut

from tagjax.base import files
from tagjax.base.errors import InputError
from tagjax.base.tables import read_table, write_table
from tagjax.examples import audio, reports, rows, workers
from tagjax.examples import build as building
from tagjax.examples import builder as examples
from tagjax.examples.dataset import find
from tagjax.examples.workers import BuildConfig
from tagjax.manifest import lists
from tagjax.vocabulary.truth import from_rows
from tagjax.vocabulary.vocabulary import Vocabulary


def counts(**some):
    return dict.fromkeys(workers.KINDS, 0) | some


def test_what_cannot_be_decoded_is_skipped_counted_and_listed(catalogue, capsys):
    made = builder(catalogue)
    report = building.prepare(made)
    assert capsys.readouterr().out == ""  # The library prints nothing; programs do.
    assert report.counts == made.counts
    assert report.reasons == {"not decodable: Format not recognised": 1, "no such file": 1}
    assert (report.skipped, report.excerpts, report.built_already) == (2, 18, False)
    assert report.folder == pathlib.Path(made.data_dir)
    assert made.counts == {
        "train": counts(written=11, skipped=1),
        "validation": counts(written=3),
        "test": counts(written=2, skipped=1),
    }
    skipped = read_table(f"{made.data_dir}/skipped.csv", ())
    assert skipped["part"] == ["train", "test"]
    assert skipped["path"] == ["x/3.flac", "x/16.flac"]
    assert skipped["sng_id"] == ["3", "16"]
    assert skipped["reason"] == ["not decodable: Format not recognised", "no such file"]
    assert files.read_json(f"{made.data_dir}/build.json")["parts"] == made.counts
    assert set(read(made, "train")) == {str(k) for k in range(12)} - {"3"}
    assert list(report.lines()) == [
        "train                        11 written      0 padded      1 skipped",
        "validation                    3 written      0 padded      0 skipped",
        "test                          2 written      0 padded      1 skipped",
        "skipped 1: not decodable: Format not recognised",
        "skipped 1: no such file",
        f"what that leaves of each tag is in {made.data_dir}/coverage.csv",
        f"written: {made.data_dir}",
        f"skipped: 2 of 18 excerpts (11.1 %), listed in {made.data_dir}/skipped.csv",
    ]


SAID = {
    "quiet": "quiet 4: nothing can be heard of these excerpts, which are examples all the same",
    "loud": "loud 2: these excerpts go far above full scale; their files may hold wrongly scaled "
    "samples",
    "clipped": "clipped 2: these excerpts have frames too loud for uint8, which are cut down to "
    "its highest value; --mel_dtype=float16 keeps them",
}


def odd_catalogue(catalogue):
    """Replaces tracks: 4 silent or cancelling ones, 1 of train far too loud, 1 of test."""
    folder = catalogue / "audio" / "x"
    for k in (0, 1):
        soundfile.write(folder / f"{k}.flac", np.zeros(3 * 44100), 44100)
    for k in (2, 12):
        one = sound(k, rate=44100)
        soundfile.write(folder / f"{k}.flac", np.stack([one, -one], axis=1), 44100)
    for k in (5, 15):
        path = folder / f"{k}.flac"
        path.unlink()
        soundfile.write(path, 2e4 * sound(k, rate=44100), 44100, "FLOAT", format="WAV")
    return catalogue


def kept(mel_dtype):
    decode = audio.AudioConfig(skip_silent=False)
    return BuildConfig(workers=0, mel_dtype=mel_dtype, decode=decode)


@pytest.mark.parametrize("mel_dtype", ["float16", "uint8"])
def test_what_is_odd_is_counted_and_said_where_there_is_any(catalogue, mel_dtype):
    made = builder(odd_catalogue(catalogue), kept(mel_dtype))
    report = building.prepare(made)
    clipped = int(mel_dtype == "uint8")
    assert report.counts == {
        "train": counts(written=11, skipped=1, quiet=3, loud=1, clipped=clipped),
        "validation": counts(written=3, quiet=1),
        "test": counts(written=2, skipped=1, loud=1, clipped=clipped),
    }
    assert {"0", "1", "2"} <= set(read(made, "train"))
    wanted = list(SAID.values()) if clipped else list(SAID.values())[:2]
    assert [line for line in report.lines() if line.startswith(tuple(SAID))] == wanted
    # An older build counted less, which is no reason not to read it.
    record = files.read_json(report.folder / "build.json")
    old = {p: {k: c[k] for k in ("written", "padded", "skipped")} for p, c in report.counts.items()}
    files.write_json(report.folder / "build.json", record | {"parts": old})
    lines = list(reports.read(report.folder, "x", made.excerpts).lines())
    assert not [line for line in lines if line.startswith(tuple(SAID))]


def test_by_default_silence_is_skipped_with_the_reason(catalogue):
    report = building.prepare(builder(odd_catalogue(catalogue)))
    assert report.reasons["silent"] == report.reasons["channels cancel in their sum"] == 2
    assert sum(part["quiet"] for part in report.counts.values()) == 0


def test_a_build_that_goes_on_counts_what_was_odd_before(catalogue, monkeypatch):
    odd_catalogue(catalogue)
    whole = building.prepare(builder(catalogue, kept("uint8"), data="whole"))
    with pytest.raises(KeyboardInterrupt), reads(last="x/15.flac"):
        building.prepare(builder(catalogue, kept("uint8")))
    with reads() as opened:
        again = builder(catalogue, kept("uint8"))
        report = building.prepare(again)
    assert sorted(opened) == [f"x/{k}.flac" for k in (15, 16, 17)]
    assert (report.counts, report.reasons) == (whole.counts, whole.reasons)
    assert {"quiet", "clipped"} <= {kind for kind, n in report.counts["train"].items() if n}
    assert [row.sng_id for row in again.skipped] == ["3", "16"]


def test_a_build_that_goes_on_tries_files_again_that_were_mended(stopped):
    """Of the shards that are finished, only that of the file is written again."""
    path = stopped / "audio" / "x" / "3.flac"
    soundfile.write(path, sound(3), 44100)
    with reads() as read_again:
        again = builder(stopped)
        building.prepare(again)
    order = list(read(again, "train"))
    first = order.index("3") // 4 * 4
    mended = {f"x/{k}.flac" for k in order[first : first + 4]}
    assert mended <= set(read_again)
    assert not set(read_again) & ({f"x/{k}.flac" for k in range(12)} - mended)
    whole = builder(stopped, data="whole")
    building.prepare(whole)
    same(content(again), content(whole))


def test_a_data_set_that_recorded_less_of_its_configuration_is_the_same(catalogue):
    folder = building.prepare(builder(catalogue)).folder
    metadata = files.read_json(folder / "metadata.json")
    metadata["build"]["decode"] = {"min_coverage": 0.5, "resampler": "HQ"}
    files.write_json(folder / "metadata.json", metadata)
    assert building.prepare(builder(catalogue)).built_already
    metadata["build"]["decode"]["resampler"] = "VHQ"
    files.write_json(folder / "metadata.json", metadata)
    with pytest.raises(InputError, match="was built from another --mel_dtype or configuration"):
        building.prepare(builder(catalogue))


def older(folder):
    """Makes a data set one of before vocabulary and truth had places of their own."""
    for name in ("taxonomy", "translation", "duplicates"):
        (folder / f"{name}.csv").unlink(missing_ok=True)
    metadata = files.read_json(folder / "metadata.json")
    del metadata["vocabulary"]
    metadata |= {"systems": ["a:"], "truth": {"taxonomy": [["a:rock", "a:genre:rock"]]}}
    files.write_json(folder / "metadata.json", metadata)


def test_a_data_set_of_before_is_the_same_and_stays_readable(catalogue):
    folder = building.prepare(builder(catalogue)).folder
    older(folder)
    assert building.prepare(builder(catalogue)).built_already
    dataset = find("catalogue_split/mine", catalogue / "data")
    assert dataset.vocabulary == Vocabulary.of(["a:genre:rock", "a:rock"], ["a:"])
    assert dataset.truth == from_rows({"taxonomy": [("a:rock", "a:genre:rock")]})


def test_a_corrected_truth_needs_no_new_build(catalogue):
    table = catalogue / "manifest" / "taxonomy.csv"
    files.write_text(table, "style,genre\na:rokc,a:genre:rock\n")
    folder = building.prepare(builder(catalogue)).folder
    assert (folder / "taxonomy.csv").exists()
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    files.write_text(table, "style,genre\na:rock,a:genre:rock\n")
    report = building.prepare(builder(catalogue))
    assert report.built_already
    assert next(report.lines()).startswith("truth tables taken anew")
    dataset = find("catalogue_split/mine", catalogue / "data")
    assert dataset.truth == from_rows({"taxonomy": [("a:rock", "a:genre:rock")]})
    after = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert [path.name for path in after if after[path] != before[path]] == ["taxonomy.csv"]
    table.unlink()
    assert building.prepare(builder(catalogue)).truth_changed
    assert not (folder / "taxonomy.csv").exists()
    assert not building.prepare(builder(catalogue)).truth_changed


def built_with(catalogue, manifest, data="data", **kwargs):
    with pytest.warns(UserWarning, match=r"2 of 18 excerpts were skipped; .*skipped\.csv says why"):
        return building.build(manifest, catalogue / "audio", catalogue / data, config=ONE, **kwargs)


def test_a_manifest_in_memory_gives_the_data_set_of_its_folder(catalogue):
    listed = lists.read_manifest(catalogue / "manifest")
    parts = {  # As sampling makes them: starts have more digits than a file keeps.
        name: dataclasses.replace(part, seg_start=part.seg_start + 2e-5, line=None)
        for name, part in listed.parts.items()
    }
    dataset = built_with(catalogue, dataclasses.replace(listed, parts=parts), data="memory")
    assert dataset == find("catalogue_split/mine", catalogue / "memory")
    assert dataset.parts == {"train": 11, "validation": 3, "test": 2}
    other = built_with(catalogue, catalogue / "manifest")
    assert other.metadata["digest"] == dataset.metadata["digest"]
    made, launched = (builder(catalogue, data=data) for data in ("memory", "data"))
    same(content(made), content(launched))
    assert building.prepare(made).built_already  # By launch.build's own builder.


def test_a_build_has_whatever_name_and_reports_how_far_it_is(catalogue):
    seen = []

    def counted(items, what, total):
        for item in items:
            seen.append((what, total))
            yield item

    dataset = built_with(catalogue, catalogue / "manifest", name="pop/all.v2", progress=counted)
    assert dataset.name == "pop/all.v2"
    assert dataset.path == catalogue / "data" / "pop" / "all.v2" / "1.0.0"
    assert collections.Counter(seen) == {
        ("build train", 12): 12,
        ("build validation", 3): 3,
        ("build test", 3): 3,
    }
    for name in ("pop", "pop/", "Pop/x", "../x", "pop/../x"):
        with pytest.raises(InputError, match="must be like catalogue_split/mine"):
            building.build(catalogue / "manifest", catalogue / "audio", catalogue, name=name)


def test_the_library_s_builds_leave_the_registered_builders_their_readme(catalogue):
    built_with(catalogue, catalogue / "manifest")
    assert builder(catalogue, data="other").get_metadata().description


def test_nothing_is_left_where_a_part_cannot_be_decoded(catalogue):
    for k in PARTS["validation"]:
        (catalogue / "audio" / "x" / f"{k}.flac").write_text("no audio")
    made = builder(catalogue)
    with pytest.raises(InputError, match=r"validation.csv:2: .*x/12.flac: not decodable") as caught:
        building.prepare(made)
    assert "\n" not in str(caught.value)
    assert [path for path in (catalogue / "data").rglob("*") if path.is_file()] == []
    assert not (catalogue / "data" / "catalogue_split" / "mine" / "1.0.0").exists()


def test_an_unfinished_build_is_done_again(catalogue):
    with pytest.raises(KeyboardInterrupt), reads(last="x/14.flac"):
        building.prepare(builder(catalogue))
    shutil.rmtree(*(catalogue / "data" / "catalogue_split" / "mine").glob(".unfinished_*"))
    assert [path for path in (catalogue / "data").rglob("*") if path.is_file()] == []
    # One that was killed leaves its temporary folder; it must not count as built.
    killed = catalogue / "data" / "catalogue_split" / "mine" / "incomplete.ABC_1.0.0"
    killed.mkdir(parents=True)
    (killed / "metadata.json").write_text("{}")
    building.prepare(builder(catalogue))
    assert len(read(builder(catalogue), "train")) == 11


def test_what_is_built_stays_and_what_differs_is_refused(catalogue):
    building.prepare(builder(catalogue))
    before = {path: path.stat().st_mtime_ns for path in (catalogue / "data").rglob("*")}
    again = building.prepare(builder(catalogue))
    assert list(again.lines()) == [f"catalogue_split/mine/1.0.0 is built already: {again.folder}"]
    assert (again.built_already, again.skipped, again.excerpts) == (True, 2, 18)
    with pytest.raises(InputError, match="was built from another --mel_dtype"):
        builder(catalogue, BuildConfig(mel_dtype="float32"))
    write_parts(catalogue / "manifest", tags="b:soul")
    with pytest.raises(InputError, match="was built from another manifest"):
        builder(catalogue)
    assert before == {path: path.stat().st_mtime_ns for path in (catalogue / "data").rglob("*")}


@contextlib.contextmanager
def reads(last=None):
    """Lists the paths that builders made within read; Ctrl-C comes as `last` is read."""
    paths, honest = [], workers.read_file

    def traced(path, *args, **kwargs):
        if path == last:
            raise KeyboardInterrupt
        paths.append(path)
        return honest(path, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(workers, "read_file", traced)
        yield paths


KILLED = """
import datasets, os, sys
from tagjax.examples import build as building, workers as extraction
def dying(path, start, duration, **kwargs):
    if path.endswith("14.flac"):
        os.kill(os.getpid(), 9)
    return read(path, start, duration, **kwargs)
read, extraction.read_file = extraction.read_file, dying
building.prepare(datasets.make_builder(
    "catalogue_split/mine", {root!r} + "/data", {root!r} + "/manifest", {root!r} + "/audio",
    extraction.BuildConfig(workers=0)))
"""


def test_a_killed_build_goes_on_and_is_the_one_never_stopped(catalogue, monkeypatch):
    """Killed while it computes; what is computed is not computed again."""
    monkeypatch.setattr(examples, "SMALLEST", 4 * 44 * 96 * 2)
    smaller = f"from tagjax.examples import builder; builder.SMALLEST = {examples.SMALLEST}"
    code = f"{smaller}\n{KILLED}".replace("{root!r}", repr(str(catalogue)))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == -9, done.stderr
    (left,) = (catalogue / "data" / "catalogue_split" / "mine").glob(".unfinished_*")
    assert sorted(path.name for path in left.glob("*.json")) == [
        f"train-0000{k}.json" for k in range(3)
    ]
    assert len(list(left.glob(".*.tmp"))) == 1
    cut(left / "train-00001")
    with reads() as read_again:
        again = builder(catalogue)
        building.prepare(again)
    whole = builder(catalogue, BuildConfig(workers=2), data="whole")
    building.prepare(whole)
    same(content(again), content(whole))
    listed = [row for shard in rows.rows_of(whole.excerpts, "train", 4) for row in shard]
    assert read_again[:4] == [row.job[0] for row in listed[4:8]]
    assert sorted(read_again[4:]) == [f"x/{k}.flac" for k in range(12, 18)]
    assert [path.name for path in pathlib.Path(again.data_dir).parent.iterdir()] == ["1.0.0"]


def test_a_build_killed_at_its_very_end_leaves_nothing_for_ever(catalogue):
    folder = building.prepare(builder(catalogue)).folder
    (folder.parent / ".unfinished_0").mkdir()
    assert building.prepare(builder(catalogue)).built_already
    assert [path.name for path in folder.parent.iterdir()] == ["1.0.0"]


@pytest.fixture
def stopped(catalogue, monkeypatch):
    """A catalogue whose build was stopped by Ctrl-C at track 14; shards of 4 excerpts."""
    monkeypatch.setattr(examples, "SMALLEST", 4 * 44 * 96 * 2)
    with pytest.raises(KeyboardInterrupt), reads(last="x/14.flac"):
        building.prepare(builder(catalogue))
    assert len(list((catalogue / "data").rglob("train-0000?.json"))) == 3
    return catalogue


def test_a_file_system_without_hard_links_will_do(catalogue, monkeypatch):
    def refused(*args):
        raise PermissionError(1, "Operation not permitted")

    whole = builder(catalogue, data="whole")
    building.prepare(whole)
    monkeypatch.setattr(os, "link", refused)
    made = builder(catalogue)
    building.prepare(made)
    same(content(made), content(whole))


def other_folder(root):
    """Other music under the same names."""
    (root / "other" / "x").mkdir(parents=True)
    for k in range(18):
        soundfile.write(root / "other" / "x" / f"{k}.flac", sound(k + 100), 22050)
    return {"audio_dir": root / "other"}


def other_start(root):
    """A track is known to be a preview."""
    rows = [("x/5.flac", "deezer preview")]
    write_table(root / "audio" / "provenance.csv", ("path", "source"), rows)
    return {}


def other_shards(root):
    """A later version makes shards of another size."""
    examples.SMALLEST //= 2  # The fixture `stopped` puts it back.
    return {}


@pytest.mark.parametrize("change", [other_folder, other_start, other_shards])
def test_a_stopped_build_goes_on_with_no_example_of_other_audio(stopped, change):
    folders = change(stopped)
    again, whole = builder(stopped, **folders), builder(stopped, data="whole", **folders)
    building.prepare(again)
    building.prepare(whole)
    same(content(again), content(whole))
    assert [path.name for path in pathlib.Path(again.data_dir).parent.iterdir()] == ["1.0.0"]


@pytest.mark.parametrize("spelt", ["audio", "audio/x/..", "link"])
def test_a_stopped_build_goes_on_however_its_folders_are_spelt(stopped, spelt, monkeypatch):
    (stopped / "link").symlink_to(stopped / "audio")
    monkeypatch.chdir(stopped)
    with reads() as read_again:
        building.prepare(builder(stopped, manifest_dir="manifest", audio_dir=spelt))
    assert sorted(read_again) == [f"x/{k}.flac" for k in range(12, 18)]


UNGUARDED = """
import sys
import tagjax

tagjax.build(*sys.argv[1:])
"""


def test_a_script_that_its_workers_cannot_import_is_told_so_in_one_line(catalogue):
    (catalogue / "script.py").write_text(UNGUARDED)
    arguments = [catalogue / name for name in ("script.py", "manifest", "audio", "data")]
    finished = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=False, timeout=300
    )
    assert finished.returncode == 1
    assert finished.stderr.count("Traceback") == 1  # None of the workers'.
    assert "BrokenProcessPool" not in finished.stderr
    message = finished.stderr.splitlines()[-1]
    assert message.startswith("tagjax.base.errors.InputError: the workers of a build end before")
    assert 'under `if __name__ == "__main__":`' in message
    assert not [path for path in (catalogue / "data").rglob("*") if path.is_file()]


def test_two_builds_of_one_data_set_do_not_meet(catalogue):
    made = builder(catalogue)
    with (
        files.locked(pathlib.Path(made.data_dir).parent, "wait"),
        pytest.raises(InputError, match="another process is at work there; wait for it"),
    ):
        building.prepare(made)
    assert not pathlib.Path(made.data_dir).exists()


def test_coverage_says_what_is_left_of_each_tag(catalogue):
    made = builder(catalogue)
    building.prepare(made)
    table = read_table(f"{made.data_dir}/coverage.csv", ())
    assert table == {"tag": ["a:rock"], "listed": ["18"], "written": ["16"]}


def test_further_excerpts_that_cannot_be_decoded_are_left_out(catalogue):
    """Parts that only help are not worth a build; what was lost is listed all the same."""
    for path in (catalogue / "manifest").iterdir():
        path.unlink()
    parts = {"fold_0": range(4, 8), "fold_0_upsampled": [3], "fold_1": range(8, 12)}
    write_parts(catalogue / "manifest", parts)
    made = builder(catalogue)
    with pytest.warns(UserWarning, match="nothing of the part fold_0_upsampled can be decoded"):
        building.prepare(made)
    built = tfds.builder_from_directory(made.data_dir)
    assert {part: split.num_examples for part, split in built.info.splits.items()} == {
        "fold_0": 4,
        "fold_1": 4,
    }
    skipped = read_table(f"{made.data_dir}/skipped.csv", ())
    assert (skipped["part"], skipped["sng_id"]) == (["fold_0_upsampled"], ["3"])
    assert {p.name for p in pathlib.Path(made.data_dir).parent.iterdir()} == {"1.0.0"}
