"""What people's tables hold, from table to manifest to data set in one go."""

import collections
import unicodedata

import numpy as np
import pytest
import soundfile
import tensorflow_datasets as tfds

from tagjax.base.tables import write_table
from tagjax.catalogue import annotations
from tagjax.examples import build
from tagjax.examples.workers import BuildConfig
from tagjax.manifest import lists, sampling

CONFIG = sampling.SamplingConfig(seg_duration=0.5, upsample=())
TAGS = ("Dub", "Ska", "Drone")


def walk(folder, rows, names=None, **columns):
    """{track: example} of all parts, and {artist: parts}.

    Args:
      folder: for all of it.
      rows: (track_id, artist_id, album_id, tags) of the annotations.
      names: the names of the files on disk; by default `TRACK.flac`.
      columns: further ones, with the same cell in every row.
    """
    (folder / "audio").mkdir()
    sound = np.random.default_rng(0).normal(0, 0.1, 22050)
    for name in names or [f"{row[0]}.flac" for row in rows]:
        soundfile.write(folder / "audio" / name, sound, 22050, format="FLAC")
    header = ("track_id", "artist_id", "album_id", "tags", *columns)
    write_table(folder / "a.csv", header, [(*row, *columns.values()) for row in rows])
    paths = [(row[0], f"{row[0]}.flac", 1) for row in rows]
    write_table(folder / "t.csv", ("track_id", "path", "duration_s"), paths)
    catalogues = annotations.read_catalogues([folder / "a.csv"])
    tracks = annotations.read_tracks(folder / "t.csv")
    manifest = sampling.make_manifest(catalogues, tracks, CONFIG, "taxonomy", 3)
    lists.write_manifest(folder / "manifest", manifest)
    dataset = build.build(
        folder / "manifest",
        folder / "audio",
        folder / "tfds",
        config=BuildConfig(workers=0),
    )
    builder = tfds.builder_from_directory(dataset.path)
    examples, parts = {}, collections.defaultdict(set)
    for part in dataset.parts:
        for example in builder.as_data_source(part):
            found = {
                key: value.decode() for key, value in example.items() if isinstance(value, bytes)
            }
            found["label"] = dataset.tags[int(example["label"])]
            examples[found["sng_id"]] = found
            parts[found["artist_id"]].add(part)
    return examples, parts


def catalogue(artist="artist {}".format, album="{}/{}".format):
    """54 tracks by 18 artists, each of one of three tags."""
    return [(f"{k:03}", artist(k // 3), album(k // 3, k % 2), TAGS[k // 3 % 3]) for k in range(54)]


@pytest.mark.filterwarnings("ignore:.*are on no album")
@pytest.mark.parametrize(
    "word",
    [
        *("nan", "NaN", "None", "null", "N/A", "#N/A", "unknown album", "<Unknown>", ""),
        *("[Unknown Album]", " - ", "unknown_album", "不明なアルバム", "\u200b", "\\N"),
        "Unknown Album (1/2/2004 3:45:12 PM)",
    ],
)
def test_words_for_no_album_join_nothing(tmp_path, word):
    rows = catalogue(album=lambda artist, number: word)
    examples, parts = walk(tmp_path, rows)
    assert len(examples) == 54
    assert {example["album_id"] for example in examples.values()} == {""}
    for track, _, _, tag in rows:
        assert (examples[track]["label"], examples[track]["tags"]) == (tag, tag)
    assert all(len(found) == 1 for found in parts.values())


SPELLINGS = {
    "blank": lambda name, k: ("", " ", "\t", "\u3000")[k % 4] + name + ("", " ")[k % 2],
    "accents": lambda name, k: unicodedata.normalize(("NFC", "NFD")[k % 2], name),
    "zero-width": lambda name, k: name[:2] + ("", "\u200b", "\u00ad", "\x07")[k % 4] + name[2:],
    "inner white space": lambda name, k: name.replace(" ", (" ", "  ", "\u00a0")[k % 3]),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_spellings_of_an_artist_stay_in_one_part(tmp_path, spelling):
    rows = [
        (track, SPELLINGS[spelling](f"Renée Ångström {artist}", k), album, tags)
        for k, (track, artist, album, tags) in enumerate(catalogue(artist="{:02}".format))
    ]
    assert len({row[1] for row in rows}) > 18
    examples, parts = walk(tmp_path, rows)
    assert set(parts) == {f"Renée Ångström {artist:02}" for artist in range(18)}
    assert all(len(found) == 1 for found in parts.values())
    assert len(examples) == 54


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_spellings_of_a_tag_are_one_label(tmp_path, spelling):
    rows = [
        (track, artist, album, SPELLINGS[spelling](f"Música {tags}", k))
        for k, (track, artist, album, tags) in enumerate(catalogue())
    ]
    examples, _ = walk(tmp_path, rows)
    assert {example["label"] for example in examples.values()} == {f"Música {t}" for t in TAGS}


@pytest.mark.parametrize("disk", ["NFC", "NFD"])
@pytest.mark.parametrize("table", ["NFC", "NFD"])
def test_files_are_found_however_their_names_are_spelt(tmp_path, disk, table):
    plain = catalogue()
    rows = [(unicodedata.normalize(table, f"é{track}"), *rest) for track, *rest in plain]
    names = [unicodedata.normalize(disk, f"é{track}.flac") for track, *_ in plain]
    examples, _ = walk(tmp_path, rows, names)
    assert set(examples) == {f"é{track}" for track, *_ in plain}


@pytest.mark.parametrize("annotates", ["track", "album", None])
def test_a_compilation_of_guests_keeps_their_tags_apart(tmp_path, annotates):
    rows = catalogue()
    rows += [
        (f"c{k}", f"guest {k}", "various artists / hits", tag) for k, tag in enumerate(2 * TAGS)
    ]
    columns = {"annotates": annotates} if annotates else {}
    examples, parts = walk(tmp_path, rows, **columns)
    for k, tag in enumerate(2 * TAGS):
        assert (examples[f"c{k}"]["label"], examples[f"c{k}"]["tags"]) == (tag, tag)
    assert all(len(found) == 1 for found in parts.values())


@pytest.mark.parametrize("annotates", ["track", "album"])
def test_an_album_shares_its_tags_where_the_source_annotates_albums(tmp_path, annotates):
    rows = [
        (track, artist, album, TAGS[int(track) % 3])
        for track, artist, album, _ in catalogue(album="{}".format)
    ]
    examples, _ = walk(tmp_path, rows, annotates=annotates)
    for track, _, album, tag in rows:
        own = annotates == "track"
        assert set(examples[track]["tags"].split("|")) == ({tag} if own else set(TAGS))
        of_album = {examples[other]["label"] for other, _, there, _ in rows if there == album}
        assert len(of_album) == (3 if own else 1)
