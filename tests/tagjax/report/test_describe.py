"""What is in a data set, against counts of other makes."""

import collections
import re
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics.pairwise
from sklearn.preprocessing import MultiLabelBinarizer

from tagjax.catalogue import annotations
from tagjax.catalogue.annotations import Catalogue, Tracks
from tagjax.manifest import lists
from tagjax.manifest.lists import Excerpts, Manifest
from tagjax.manifest.sampling import SamplingConfig, make_manifest
from tagjax.report import charts, describe, figures
from tagjax.vocabulary.taxonomy import Taxonomy, read_taxonomy
from tagjax.vocabulary.truth import Truth
from tagjax.vocabulary.vocabulary import Vocabulary


def excerpts(*rows):
    """Rows of (track, label, artist, tags)."""
    track, label, artist, tags = zip(*rows, strict=True)
    times = np.zeros(len(rows)), np.full(len(rows), 36.0)
    return Excerpts(track, label, *times, artist, ("",) * len(rows), tags)


ROCK, BOTH = ("rock",), ("punk", "rock")
SMALL = Manifest(
    {
        "train": excerpts(
            ("t1", "rock", "r1", BOTH), ("t1", "rock", "r1", BOTH), ("t2", "punk", "r1", BOTH)
        ),
        "validation": excerpts(("t3", "rock", "r2", ROCK)),
        "test": excerpts(("t4", "genre:a", "r3", ("genre:a", "punk"))),
        "overlap": excerpts(("t5", "rock", "r3", ROCK)),
    },
    Vocabulary.of(["genre:a", "punk", "rock"]),
)


@pytest.fixture(scope="module")
def corpus(shared):
    folder = shared / "corpus"
    catalogues = annotations.read_catalogues(
        [folder / f"annotations_{x}.csv" for x in "ab"], ["a:", "b:"]
    )
    tracks = annotations.read_tracks(folder / "tracks.csv")
    after, before = describe.sampled(catalogues, tracks, SamplingConfig())
    return catalogues, after, describe.describe(after, before)


def test_a_small_data_set_by_hand():
    made = describe.describe(SMALL)
    assert made.vocabulary.tags == ("genre:a", "punk", "rock")
    assert made.tracks.tolist() == [1, 3, 3]
    assert made.overlap.tolist() == [0, 0, 1]
    assert made.artists.tolist() == [1, 2, 2]
    assert made.labelled.tolist() == [1, 1, 2]
    assert {name: counts.tolist() for name, counts in made.excerpts.items()} == {
        "train": [0, 1, 2],
        "validation": [0, 0, 1],
        "test": [1, 0, 0],
    }
    assert made.shares["train"].tolist() == [0, 1, 1]
    assert made.together.tolist() == [[1, 1, 0], [1, 3, 2], [0, 2, 4]]
    assert made.cardinality[""].tolist() == [0, 2, 3]
    assert describe.mean_cardinality(made) == 1.6
    table = describe.tag_table(made)
    heads = ("tag", "tracks", "artists", "labelled", "excerpts", *SMALL.parts)
    assert table.header == heads
    assert table.rows[0] == ("punk", 3, 2, 1, 1, 1, 0, 0, 0)
    parts = pd.DataFrame(made.parts.rows, columns=made.parts.header).set_index("part")
    assert parts.loc["train"].to_dict() == {
        "excerpts": 3, "tracks": 2, "artists": 1, "labels": 2, "min": 1, "median": 1.5, "max": 2,
        "hours": 0.03, "largest_artist": 2,
    }  # fmt: skip
    assert describe.pair_table(made).rows[0] == (
        "genre:a", "punk", 1, pytest.approx(1 / np.sqrt(3)),
    )  # fmt: skip
    notes = " ".join(made.notes)
    assert "1 tag is of one artist, so either learnt or tested: genre:a" in notes
    assert "1 tag is no label in train: genre:a" in notes


def test_co_occurrence_is_the_cosine_of_the_annotations():
    made = describe.describe(SMALL)
    matrix = MultiLabelBinarizer().fit_transform([BOTH, BOTH, ROCK, ("genre:a", "punk"), ROCK])
    expected = sklearn.metrics.pairwise.cosine_similarity(matrix.T)
    np.testing.assert_allclose(describe.likeness(made).matrix, expected)


def test_the_corpus_has_the_tracks_per_tag_that_its_readme_names(corpus, shared):
    _, _, made = corpus
    text = (shared / "corpus" / "README.md").read_text(encoding="utf-8")
    for system in "ab":
        listed = re.search(rf"Tracks per tag, {system.upper()}: (.*)\.", text)[1]
        pairs = (entry.rsplit(" ", 1) for entry in listed.split(", "))
        expected = {f"{system}:{tag}": int(count) for tag, count in pairs}
        own = dict(zip(made.vocabulary.tags, (made.tracks + made.overlap).tolist(), strict=True))
        assert {tag: n for tag, n in own.items() if tag.startswith(system)} == expected
    assert made.totals["tracks"] == 1250
    assert made.totals["artists"] == 430
    assert made.totals["albums"] == 987
    assert made.totals["tracks in several catalogues"] == 81


def test_the_corpus_as_pandas_counts_it(corpus):
    catalogues, after, made = corpus
    frames = {
        name: pd.DataFrame({"track": part.sng_id, "label": part.label, "artist": part.artist_id})
        for name, part in after.parts.items()
    }
    learnt = pd.concat([frame for name, frame in frames.items() if name != "overlap"])
    excerpts_of = learnt.label.value_counts()
    tracks_of = learnt.drop_duplicates("track").label.value_counts()
    table = describe.tag_table(made)
    for row in table.rows:
        one = dict(zip(table.header, row, strict=True))
        assert one["excerpts"] == excerpts_of.get(one["tag"], 0)
        assert one["labelled"] == tracks_of.get(one["tag"], 0)
        assert one["train"] == (frames["train"].label == one["tag"]).sum()
    for row in made.parts.rows:
        one, frame = dict(zip(made.parts.header, row, strict=True)), frames[row[0]]
        assert one["artists"] == frame.artist.nunique()
        sizes = frame.drop_duplicates("track").groupby("artist").size()
        assert one["largest_artist"] == sizes.max()
        assert one["median"] == frame.label.value_counts().median()
    # An album's tracks have the union of their tags; in the corpus they are annotated alike.
    for catalogue in catalogues:
        expected = collections.Counter(map(len, catalogue.tags))
        counts = made.cardinality[catalogue.prefix]
        assert {k: n for k, n in enumerate(counts.tolist()) if n} == expected


def test_before_and_after_balancing():
    n = 400
    names = tuple(f"t{k}" for k in range(n))
    tags = tuple(("rock",) if k % 4 else ("ska",) for k in range(n))
    table = Catalogue("", names, tuple(f"r{k}" for k in range(n)), ("",) * n, tags)
    tracks = Tracks(names, names, np.full(n, 300.0))
    config = SamplingConfig(max_occurrences=200, upsample=("train", "validation", "test"))
    after, before = describe.sampled([table], tracks, config)
    made = describe.describe(after, before)
    assert made.labelled.tolist() == [300, 100]
    np.testing.assert_allclose(sum(made.excerpts.values()), 200, atol=3)
    assert made.tracks.tolist() == [300, 100]
    assert not any("left" in note for note in made.notes)
    # The manifest alone does not have what balancing left out, and says so.
    alone = describe.describe(after)
    assert alone.labelled[0] == 300 - after.counts["tracks_downsampled"]
    assert f"left out {after.counts['tracks_downsampled']} tracks" in alone.notes[0]


def test_folds_show_the_most_uneven_tag(corpus):
    catalogues, _, _ = corpus
    made = describe.describe(
        make_manifest(catalogues, None, SamplingConfig(), "translation", folds=5)
    )
    table = describe.tag_table(made)
    folds = np.stack(list(made.shares.values()))
    assert folds.shape[0] == 5
    assert folds.sum() == made.labelled.sum()
    one = dict(zip(table.header, table.rows[0], strict=True))
    column = folds[:, made.vocabulary.tags.index(one["tag"])]
    assert (one["fewest_in_fold"], one["most_in_fold"]) == (column.min(), column.max())
    assert not any("part" in note for note in made.notes)


def test_tracks_that_training_has_no_place_for_are_labelled_and_no_excerpts():
    part = excerpts(("t1", "rock", "r1", ROCK))
    more = excerpts(("t2", "rock", "r1", ROCK), ("t3", "punk", "r1", BOTH))
    parts = {
        "fold_0": part,
        "fold_0_downsampled": more,
        "fold_1": excerpts(("t4", "punk", "r2", BOTH)),
    }
    vocabulary = Vocabulary.of(["punk", "rock"])
    counts = {"tracks_downsampled": 2}
    made = describe.describe(Manifest(parts, vocabulary, folds=2, counts=counts))
    assert made.labelled.tolist() == [2, 2]
    assert {name: c.tolist() for name, c in made.shares.items()} == {
        "fold_0": [1, 2],
        "fold_1": [1, 0],
    }
    assert {name: c.tolist() for name, c in made.excerpts.items()} == {
        "fold_0": [0, 1],
        "fold_1": [1, 0],
    }
    assert not any("does not have them" in note for note in made.notes)


def test_the_released_lists(release):
    """Figures of the authors' files: 250 labels, one row a song, 103 to 504 rows a label."""
    folder = release / "taxonomy_learning" / "dataset"
    made = describe.describe(lists.read_manifest(folder))
    assert len(made.vocabulary.tags) == 250
    parts = {row[0]: dict(zip(made.parts.header, row, strict=True)) for row in made.parts.rows}
    assert parts["validation"]["excerpts"] == 42_547
    test = parts["test"]
    assert (test["excerpts"], test["tracks"], test["min"], test["max"]) == (
        83_625,
        83_625,
        103,
        504,
    )
    assert test["artists"] is None
    assert not made.full
    text = "\n".join(describe.lines(made))
    assert "There is no train part." in text
    assert "tags per track" not in text


def test_genres_are_those_of_the_truth_or_the_closest_by_co_occurrence(corpus, shared):
    _, _, made = corpus
    for system in "ab":
        path = shared / "corpus" / f"taxonomy_{system}.csv"
        parents = read_taxonomy(path, f"{system}:").parents
        found = {s: g for s, g in describe.genres(made).items() if s.startswith(system)}
        right = sum(set(genres) <= parents[style] for style, genres in found.items())
        assert right >= 0.9 * len(found) > 0  # fdist of the taxonomy task finds them too
    truth = Truth(Taxonomy.of([("a:funk", "a:genre:jazz"), ("a:funk", "a:genre:pop & ballad")]))
    assert describe.genres(made, truth) == {"a:funk": ("a:genre:jazz", "a:genre:pop & ballad")}


def test_text_is_short_and_aligned(corpus):
    _, _, made = corpus
    text = list(describe.lines(made, shown=3))
    assert text[0].startswith("107 tags, 1,250 tracks, 430 artists, 987 albums")
    start = next(i for i, line in enumerate(text) if line.startswith("tag  "))
    table = text[start : start + 8]
    assert table[4].startswith("(101 more)")
    assert len({len(line) for line in table if "more" not in line}) == 1


def test_a_data_set_of_nothing_but_one_excerpt():
    made = describe.describe(
        Manifest({"train": excerpts(("t", "x", "r", ("x",)))}, Vocabulary.of(["x"]))
    )
    assert describe.pair_table(made).rows == ()
    assert list(describe.lines(made))
    charts.draw_cardinality(made.cardinality)
    charts.draw_parts(["train"], {"tracks": [1], "artists": [None]}, [(1, 1, 1)])
    drawing = charts.draw_tags(["x"], {next(iter(charts.SERIES)): made.tracks})
    assert len(drawing.figure.axes) == 1


@pytest.mark.parametrize("n", [1, 43, 107, 250, 461])
def test_every_tag_has_its_line_with_its_counts(n):
    rng = np.random.default_rng(n)
    names = [f"tag $_{{{k}" for k in range(n)]
    series = {name: rng.integers(0, 3000, n) for name in charts.SERIES}
    drawing = charts.draw_tags(names, series)
    figure = drawing.figure
    written, seen = [], collections.defaultdict(list)
    for axis in figure.axes:
        written += [label.get_text() for label in axis.get_yticklabels()]
        for line in axis.lines:
            seen[line.get_label()] += line.get_xdata().tolist()
    assert written == names
    for name, counts in series.items():
        np.testing.assert_array_equal(np.nan_to_num(seen[name]), counts)
    root = ElementTree.fromstring(drawing.svg)
    titles = collections.Counter(e.text for e in root.iter() if e.tag.endswith("title"))
    assert titles == collections.Counter(
        f"{tag}\n{name}: {count:,}"
        for name, counts in series.items()
        for tag, count in zip(names, counts.tolist(), strict=True)
        if count
    )
    assert figure.get_figwidth() < 2.5 * max(figure.get_figheight(), 4)


def test_charts_are_the_same_bytes_again(tmp_path):
    made = describe.describe(SMALL)
    for draw in (
        lambda: charts.draw_cardinality(made.cardinality),
        lambda: charts.draw_parts(["a", "b"], {"tracks": [3, 1]}, [(1, 1.5, 2), (1, 1, 1)]),
    ):
        first, second = (figures.save(draw(), tmp_path / name) for name in "xy")
        for one, other in zip(first, second, strict=True):
            assert one.read_bytes() == other.read_bytes()
