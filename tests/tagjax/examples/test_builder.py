import collections
import contextlib
import dataclasses
import pathlib
import subprocess
import sys

import librosa
import numpy as np
import pytest
import soundfile
import tensorflow_datasets as tfds
from damage import cut

import datasets
from tagjax.base import files
from tagjax.base.errors import InputError
from tagjax.base.tables import read_table, write_table
from tagjax.examples import audio, frontend, journal, loader, workers
from tagjax.examples import build as building
from tagjax.examples import builder as examples
from tagjax.examples.dataset import find
from tagjax.examples.workers import BuildConfig
from tagjax.manifest import lists
from tagjax.previews import ledger, report
from tagjax.vocabulary.truth import from_rows
from tagjax.vocabulary.vocabulary import Vocabulary

RELEASE = ("sng_id", "label", "seg_start", "seg_duration")
FULL = (*RELEASE, "artist_id", "album_id", "tags", "path")
PARTS = {"train": range(0, 12), "validation": range(12, 15), "test": range(15, 18)}
ONE = BuildConfig(workers=0, skip_missing=True)


def sound(k, seconds=3.0, rate=22050):
    rng = np.random.default_rng(k)
    time = np.arange(round(rate * seconds)) / rate
    return 0.3 * np.sin(2 * np.pi * (100 + 50 * k) * time) + rng.normal(0, 0.05, len(time))


def write_parts(folder, parts=PARTS, columns=FULL, tags="a:rock|a:genre:rock", duration="2"):
    for name, tracks in parts.items():
        cells = [
            (f"{k}", tags.split("|")[0], "0.5", duration, f"r{k}", f"l{k}", tags, f"x/{k}.flac")
            for k in tracks
        ]
        write_table(folder / f"{name}.csv", columns, [row[: len(columns)] for row in cells])


@pytest.fixture
def catalogue(tmp_path):
    """A manifest and its audio: 18 tracks of 3 s, two of them broken."""
    (tmp_path / "audio" / "x").mkdir(parents=True)
    write_parts(tmp_path / "manifest")
    for k in range(18):
        path = tmp_path / "audio" / "x" / f"{k}.flac"
        soundfile.write(path, sound(k, rate=44100), 44100)
    (tmp_path / "audio" / "x" / "3.flac").write_text("no audio")
    (tmp_path / "audio" / "x" / "16.flac").unlink()
    return tmp_path


def builder(root, build=ONE, name="mine", data="data", **kwargs):
    folders = {"manifest_dir": root / "manifest", "audio_dir": root / "audio"} | kwargs
    return datasets.make_builder(
        f"catalogue_split/{name}", str(root / data), build=build, **folders
    )


def read(made, part):
    return {
        example["sng_id"].decode(): example
        for example in tfds.builder_from_directory(made.data_dir).as_data_source(part)
    }


def test_what_cannot_be_decoded_is_skipped_counted_and_listed(catalogue, capsys):
    made = builder(catalogue)
    report = building.prepare(made)
    assert capsys.readouterr().out == ""  # The library prints nothing; programs do.
    assert report.counts == made.counts
    assert report.reasons == {"not decodable: Format not recognised": 1, "no such file": 1}
    assert (report.skipped, report.excerpts, report.built_already) == (2, 18, False)
    assert report.folder == pathlib.Path(made.data_dir)
    assert made.counts == {
        "train": {"written": 11, "padded": 0, "skipped": 1},
        "validation": {"written": 3, "padded": 0, "skipped": 0},
        "test": {"written": 2, "padded": 0, "skipped": 1},
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
        f"skipped excerpts are listed in {made.data_dir}/skipped.csv",
        f"what that leaves of each tag is in {made.data_dir}/coverage.csv",
        f"written: {made.data_dir}",
    ]


def test_the_mel_is_librosas_of_the_file(catalogue):
    path = catalogue / "audio" / "x" / "13.flac"
    soundfile.write(path, sound(13), 22050)
    made = builder(catalogue)
    made.download_and_prepare()
    found = read(made, "validation")["13"]
    audio = soundfile.read(path, dtype="float32")[0][11025 : 11025 + 44100]
    mel = librosa.feature.melspectrogram(
        y=audio, sr=22050, n_fft=1024, hop_length=1024, n_mels=96, pad_mode="constant"
    )
    assert found["mel"].dtype == np.float16
    assert found["mel"].shape == (44, 96)
    # A float16 has 11 bits.
    np.testing.assert_allclose(found["mel"], np.log1p(1e4 * mel).T, rtol=2**-11 + 1e-4)


def test_an_example_says_what_the_manifest_says(catalogue):
    made = builder(catalogue, BuildConfig(workers=1, mel_dtype="float32", skip_missing=True))
    made.download_and_prepare()
    found = read(made, "test")["15"]
    names = made.info.features["label"].names
    assert names == ["a:genre:rock", "a:rock"]
    assert names[found["label"]] == "a:rock"
    assert found["artist_id"] == b"r15"
    assert found["album_id"] == b"l15"
    assert found["tags"] == b"a:rock|a:genre:rock"
    assert found["seg_start"] == 0.5
    assert found["padded"] == False  # noqa: E712 (a NumPy bool)
    assert found["mel"].dtype == np.float32


def test_examples_do_not_depend_on_the_number_of_workers(catalogue):
    write_parts(catalogue / "manifest", {**PARTS, "train": range(0, 12)})
    made = [
        builder(
            catalogue,
            BuildConfig(workers=n, skip_missing=True),
            name=f"with{n}",
            audio_dir=catalogue / "audio",
        )
        for n in (1, 2)
    ]
    for each in made:
        each.download_and_prepare()
    for part in PARTS:
        one, two = (
            list(tfds.builder_from_directory(each.data_dir).as_data_source(part)) for each in made
        )
        assert len(one) == len(two) > 0
        for first, second in zip(one, two, strict=True):
            assert first.keys() == second.keys()
            for key in first:
                np.testing.assert_array_equal(first[key], second[key])


def test_short_tracks_are_padded_and_counted(catalogue):
    soundfile.write(catalogue / "audio" / "x" / "12.flac", sound(12, 2.0), 22050)
    made = builder(catalogue)
    made.download_and_prepare()
    assert made.counts["validation"] == {"written": 3, "padded": 1, "skipped": 0}
    found = read(made, "validation")
    assert [key for key in found if found[key]["padded"]] == ["12"]


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


def test_metadata_survive(catalogue):
    made = lists.read_manifest(catalogue / "manifest")
    truth = from_rows(
        {"taxonomy": [("a:rock", "a:genre:rock")], "translation": [("b:x", "a:y", "exact")]}
    )
    vocabulary = Vocabulary.of(made.vocabulary.tags, ("a:", "b:"))
    full = lists.Manifest(made.parts, vocabulary, "translation", 3, 0, {"k": 1}, {}, truth)
    for path in (catalogue / "manifest").iterdir():
        path.unlink()
    (catalogue / "manifest").rmdir()
    lists.write_manifest(catalogue / "manifest", full)
    first = builder(catalogue)
    first.download_and_prepare()
    metadata = tfds.builder_from_directory(first.data_dir).info.metadata
    assert metadata["experiment"] == "translation"
    assert "truth" not in metadata  # A corrected table asks for no new build.
    dataset = find("catalogue_split/mine", catalogue / "data")
    assert dataset.vocabulary == Vocabulary.of(["a:genre:rock", "a:rock"], ["a:", "b:"])
    assert dataset.truth == from_rows(truth)
    assert metadata["multi_label"] is True
    assert metadata["sampling"] == {"k": 1}
    assert metadata["build"]["front"]["n_mels"] == 96
    assert metadata["build"]["mel_dtype"] == "float16"


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


def test_an_empty_part_is_left_out(catalogue):
    write_parts(catalogue / "manifest", {"overlap": []})
    made = builder(catalogue)
    made.download_and_prepare()
    assert set(made.info.splits) == set(PARTS)


def test_nothing_is_left_where_a_part_cannot_be_decoded(catalogue):
    for k in PARTS["validation"]:
        (catalogue / "audio" / "x" / f"{k}.flac").write_text("no audio")
    made = builder(catalogue)
    with pytest.raises(InputError, match=r"validation.csv:2: .*x/12.flac: not decodable") as caught:
        building.prepare(made)
    assert "\n" not in str(caught.value)
    assert [path for path in (catalogue / "data").rglob("*") if path.is_file()] == []
    assert not (catalogue / "data" / "catalogue_split" / "mine" / "1.0.0").exists()


def test_an_unfinished_build_is_done_again(catalogue, monkeypatch):
    def stop(*args):
        raise KeyboardInterrupt

    first = builder(catalogue)
    monkeypatch.setattr(first, "_generate_examples", stop)
    with pytest.raises(KeyboardInterrupt):
        building.prepare(first)
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
        builder(catalogue, BuildConfig(mel_dtype="float32", skip_missing=True))
    write_parts(catalogue / "manifest", tags="b:soul")
    with pytest.raises(InputError, match="was built from another manifest"):
        builder(catalogue)
    assert before == {path: path.stat().st_mtime_ns for path in (catalogue / "data").rglob("*")}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda root: write_parts(root / "manifest", tags=" rock"), "train.csv:2: tag ' rock' has"),
        (lambda root: write_parts(root / "manifest", tags="a\nb"), "line break"),
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


def test_builds_and_reads_without_tensorflow(catalogue):
    code = f"""
import sys
class Hiding:
    def __init__(self, finder):
        self.finder = finder
    def __getattr__(self, name):
        return getattr(self.finder, name)
    def find_spec(self, name, *args):
        if name.partition(".")[0] != "tensorflow":
            return self.finder.find_spec(name, *args)
sys.meta_path[:] = map(Hiding, sys.meta_path)
import datasets
from tagjax.examples import build
from tagjax.examples.dataset import find
from tagjax.examples.workers import BuildConfig
made = datasets.make_builder(
    "catalogue_split/mine", {str(catalogue / "data")!r}, {str(catalogue / "manifest")!r},
    {str(catalogue / "audio")!r}, BuildConfig(workers=1, skip_missing=True),
)
build.prepare(made)
import tensorflow_datasets as tfds
source = tfds.builder_from_directory(made.data_dir).as_data_source("train")
print(len(source), source[3]["mel"].shape, "tensorflow" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "11 (44, 96) False"


def test_a_row_whose_file_is_absent_stops_the_build_before_it_begins(catalogue):
    with pytest.raises(InputError, match=r"test\.csv:3: no file x/16\.flac .*--skip_missing"):
        builder(catalogue, BuildConfig(workers=1))
    assert not (catalogue / "data").exists()


def test_a_start_past_the_end_stops_the_build_and_leaves_nothing(catalogue):
    path = catalogue / "manifest" / "validation.csv"
    text = path.read_text().replace("13,a:rock,0.5", "13,a:rock,77")
    assert ",77," in text
    path.write_text(text)
    soundfile.write(catalogue / "audio" / "x" / "16.flac", sound(16), 22050)
    made = builder(catalogue, BuildConfig(workers=1))
    with pytest.raises(InputError, match=r"validation\.csv:\d+: x/13\.flac: start 77 s is past"):
        building.prepare(made)
    assert not [file for file in (catalogue / "data").rglob("*") if file.is_file()]


def content(made):
    """Every example of every part in its order, and the lists beside them."""
    folder = pathlib.Path(made.data_dir)
    parts = {part: list(tfds.builder_from_directory(folder).as_data_source(part)) for part in PARTS}
    return parts, [(folder / name).read_text() for name in ("skipped.csv", "coverage.csv")]


def same(first, second):
    assert first[1] == second[1]
    for part in PARTS:
        assert len(first[0][part]) == len(second[0][part])
        for one, other in zip(first[0][part], second[0][part], strict=True):
            for name in one:
                np.testing.assert_array_equal(one[name], other[name])


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
    extraction.BuildConfig(workers=0, skip_missing=True)))
"""


def test_a_killed_build_goes_on_and_is_the_one_never_stopped(catalogue, monkeypatch):
    """Killed while it computes; what is computed is not computed again."""
    monkeypatch.setattr(journal, "ROWS", 4)
    code = f"from tagjax.examples import journal; journal.ROWS = 4\n{KILLED}".replace(
        "{root!r}", repr(str(catalogue))
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == -9, done.stderr
    (left,) = (catalogue / "data" / "catalogue_split" / "mine").glob(".unfinished_*")
    assert len(list(left.glob("0*.npz"))) == 3  # Workers are handed 4 at once.
    cut(left / "000000004.npz")
    with reads() as read_again:
        again = builder(catalogue)
        building.prepare(again)
    # Row 3 is broken and tried again; rows 4 to 7 were lost; 12 to 17 never came.
    assert read_again == [f"x/{k}.flac" for k in (*range(3, 8), *range(12, 18))]
    whole = builder(catalogue, BuildConfig(workers=2, skip_missing=True), data="whole")
    building.prepare(whole)
    same(content(again), content(whole))
    assert [path.name for path in pathlib.Path(again.data_dir).parent.iterdir()] == ["1.0.0"]


@pytest.fixture
def stopped(catalogue, monkeypatch):
    """A catalogue whose build was stopped by Ctrl-C at track 14; files of 4 excerpts."""
    monkeypatch.setattr(journal, "ROWS", 4)
    with pytest.raises(KeyboardInterrupt), reads(last="x/14.flac"):
        building.prepare(builder(catalogue))
    assert len(list((catalogue / "data").rglob("*.npz"))) == 3
    return catalogue


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


@pytest.mark.parametrize("change", [other_folder, other_start])
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
    # Row 3 is broken and tried again; 12 to 17 never came.
    assert read_again == [f"x/{k}.flac" for k in (3, *range(12, 18))]


def test_shuffled_on_disk_or_in_memory_the_order_is_the_same(catalogue, monkeypatch):
    made = [builder(catalogue, data=data) for data in ("memory", "disk")]
    building.prepare(made[0])
    monkeypatch.setattr(examples, "_SHUFFLED_IN_MEMORY", 0)
    building.prepare(made[1])
    same(*map(content, made))


def test_two_builds_of_one_data_set_do_not_meet(catalogue):
    made = builder(catalogue)
    with (
        files.locked(pathlib.Path(made.data_dir).parent, "wait"),
        pytest.raises(InputError, match="another process is at work there; wait for it"),
    ):
        building.prepare(made)
    assert not pathlib.Path(made.data_dir).exists()


def test_beam_gives_the_same_examples_in_the_same_order(catalogue):
    pytest.importorskip("apache_beam")
    here, beam = builder(catalogue), builder(catalogue, data="beam")
    building.prepare(here)
    # Not DirectRunner, which would ask the network for a faster one first.
    building.prepare(beam, ("apache_beam.runners.portability.fn_api_runner.FnApiRunner", None))
    same(content(here), content(beam))
    assert beam.counts == here.counts
    assert beam.skipped == here.skipped


def test_coverage_says_what_is_left_of_each_tag(catalogue):
    made = builder(catalogue)
    building.prepare(made)
    table = read_table(f"{made.data_dir}/coverage.csv", ())
    assert table == {"tag": ["a:rock"], "listed": ["18"], "written": ["16"]}


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


def test_uint8_is_within_half_a_step_where_the_network_sees_it(catalogue):
    made = builder(catalogue, BuildConfig(workers=0, mel_dtype="uint8", skip_missing=True))
    building.prepare(made)
    dataset = find("catalogue_split/mine", catalogue / "data")
    examples = loader.Examples(dataset, ["test"], loader.LoaderConfig())
    batch = examples.batch(np.arange(2), np.arange(2), np.ones(2))
    for i, mel in enumerate(batch["mel"]):
        path = catalogue / "audio" / "x" / f"{examples[i]['sng_id']}.flac"
        wanted, _ = audio.read_log_mel(path, 0.5, 2.0)
        assert mel.dtype == np.float32
        np.testing.assert_allclose(mel, wanted, atol=frontend.UINT8_STEP / 2 + 1e-5)


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
