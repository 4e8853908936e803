"""All evidence together, its files and its lines."""

import csv
import dataclasses
import json

import numpy as np
import pytest
import scipy.sparse
from evident import NAMES, QUICK, catalogues, observed, write_run

from tagjax.base.errors import InputError
from tagjax.catalogue.annotations import Catalogue
from tagjax.evidence import summary
from tagjax.evidence.inputs import of_catalogues, of_run
from tagjax.evidence.weigh import COLUMNS, RELATIONS, Answers, _first, weigh


@pytest.fixture(scope="module")
def both():
    """Sound and common tracks."""
    given, features = catalogues(shared=30)
    return weigh(*of_catalogues(given, features), QUICK)


def named_rows(found):
    """Its rows, as {column: cell}."""
    return [dict(zip(COLUMNS, row, strict=True)) for row in found.rows()]


def check(found):
    """What holds for any evidence."""
    for (system, other), answers in found.answers.items():
        same = answers.probability["same"]
        told = ~np.isnan(answers.none)
        np.testing.assert_allclose(same[told].sum(axis=1) + answers.none[told], 1)
        assert np.isnan(same[~told]).all()
        assert np.isnan(answers.p_value[~told]).all()
        total = np.nansum([answers.probability[name] for name in RELATIONS], axis=0)
        assert (total <= 1 + 1e-9).all()
        if system == other:
            assert not np.nan_to_num(same[np.arange(len(same)), np.arange(len(same))]).any()
    rows = named_rows(found)
    for row in rows:
        assert row["source"] != row["target"]
        if row["rank"] is not None:
            assert 0 <= row["same"] <= 1
            assert 0 <= row["none"] <= 1
    assert {row["source"] for row in rows} == {
        found.vocabulary.tags[tag] for a in found.answers.values() for tag in a.queries.tolist()
    }
    return rows


def across(found):
    """The answers between two systems."""
    return {pair: answers for pair, answers in found.answers.items() if pair[0] != pair[1]}


def across_rows(rows):
    """The rows of pairs between two systems, and of tags of which nothing can be told."""
    return [row for row in rows if row["target"] is None or row["target"][:2] != row["source"][:2]]


def test_counterparts_are_found_by_sound_and_common_tracks(both):
    rows = check(both)
    first = [row for row in rows if row["rank"] == 1]
    assert len(first) == 24
    first = [row for row in across_rows(rows) if row["rank"] == 1]
    assert len(first) == 12
    for row in first:
        assert row["target"][2:] == row["source"][2:]
        assert row["relation"] == "same"
        assert row["mutual"] <= row["same"]
        assert row["source_artists"] <= row["source_tracks"]
        assert len(row["for"].split()) == len(row["against"].split()) == 3
    assert [row["rank"] for row in rows] == 24 * [1, 2, 3]
    assert not any(row["accepted"] for row in rows if row not in across_rows(rows))
    assert all(row["for"] is None for row in rows if row["rank"] > 1)
    assert both.notes == ()


def test_single_sources_are_told_beside(both):
    index, heard = both.vocabulary.index, both.heard
    for row in check(both):
        pair = index[row["source"]], index[row["target"]]
        for name, source in (("fm", "fm"), ("fr", "fr 5"), ("score", "score 5")):
            assert row[name] == heard.similar[source][pair]
        mine, other = (both.common.tags[:, [k]].toarray()[:, 0] for k in pair)
        assert row["common_tracks"] == mine @ other
        assert row["together"] == pytest.approx(mine @ other / np.sqrt(mine.sum() * other.sum()))
        back = both.answers[row["target"][:2], row["source"][:2]].probability["same"]
        there = float(back[pair[1] % 6, pair[0] % 6])
        assert row["mutual"] == pytest.approx(min(row["same"], there))


def test_common_tracks_make_it_surer(both):
    given, features = catalogues(shared=30)
    heard, _ = of_catalogues(given, features)
    alone = weigh(heard, None, QUICK)
    check(alone)
    for pair, answers in across(both).items():
        sure = [a.probability["same"].max(axis=1) for a in (answers, alone.answers[pair])]
        assert sure[0].mean() > sure[1].mean()


def test_a_tag_of_one_artist_is_found_by_common_tracks_alone():
    """Of its sound nothing can be told; what common tracks say is kept, as query and candidate."""
    given, (ids, vectors) = catalogues(shared=60)
    tags = [
        ("zouk",) if k == 0 else tuple(t for t in own if t != "zouk" or track[0] == "c") or ("bop",)
        for k, (own, track) in enumerate(zip(given[1].tags, given[1].track_id, strict=True))
    ]
    given[1] = dataclasses.replace(given[1], tags=tuple(tags))
    heard, common = of_catalogues(given, (ids, vectors))
    found = weigh(heard, common, QUICK)
    zouk = found.vocabulary.index["b:zouk"]
    assert found.artists[zouk] == 1
    rows = {(row["source"], row["rank"]): row for row in across_rows(check(found))}
    assert rows["b:zouk", 1]["target"] == "a:zouk"
    assert rows["b:zouk", 1]["broad"] is None
    assert rows["a:zouk", 1]["target"] == "b:zouk"
    alone = weigh(heard, None, QUICK)
    rows = {row["source"]: row for row in check(alone)}
    assert rows["b:zouk"]["relation"] == "untold"
    assert rows["b:zouk"]["source_artists"] == 1
    assert rows["b:zouk"]["same"] is None


def test_relations_follow_the_probabilities():
    probability = {"same": 0.2, "broad": 0.5, "narrow": 0.1, "related": 0.0}
    ints = np.zeros(1, np.int64)

    def relation(**changed):
        shares = {name: np.array([[value]]) for name, value in {**probability, **changed}.items()}
        return Answers(ints, ints, shares, np.zeros(1), np.zeros(1), 0.1).relation(0, 0)

    assert relation() == "broad"
    assert relation(broad=0.0, narrow=0.6) == "narrow"
    assert relation(broad=0.2) == "none"
    unknown = dict.fromkeys(("broad", "narrow", "related"), np.nan)
    assert relation(same=0.6, **unknown) == "same"
    assert relation(same=0.4, **unknown) == "none"


def test_accepted_pairs_are_few_where_the_rate_is_small(both):
    answers = both.answers["a:", "b:"]
    p = np.array([0.001, 0.02, np.nan, 0.9, 0.04, 0.9])
    some = dataclasses.replace(answers, p_value=p)
    assert some.accepted(0.05).tolist() == [True, True, False, False, False, False]
    assert some.accepted(0.1).tolist() == [True, True, False, False, True, False]
    assert not some.accepted(0.001).any()
    answers = {**both.answers, ("a:", "b:"): some}
    rows = named_rows(dataclasses.replace(both, answers=answers))
    tags = {both.vocabulary.tags[tag] for tag in some.queries[:2].tolist()}
    accepted = [(row["source"], row["rank"]) for row in rows if row["accepted"]]
    assert [pair for pair in accepted if pair[0][:2] == "a:"] == [(tag, 1) for tag in sorted(tags)]


def test_duplicates_in_one_system_are_found():
    """Artists use one of two names for the same; that few tags have a duplicate weighs against."""
    (catalogue,), features = catalogues([NAMES], tracks=400, artists=60)
    tags = [
        tuple(tag + " (uk)" if tag == "dub" and int(who[2:]) % 2 else tag for tag in own)
        for own, who in zip(catalogue.tags, catalogue.artist_id, strict=True)
    ]
    given = [dataclasses.replace(catalogue, prefix="", tags=tuple(tags))]
    found = weigh(*of_catalogues(given, features), QUICK)
    assert list(found.answers) == [("", "")]
    rows = check(found)
    first = {row["source"]: row for row in rows if row["rank"] == 1}
    for name, other in (("dub", "dub (uk)"), ("dub (uk)", "dub")):
        assert first[name]["target"] == other
        assert first[name]["same"] > QUICK.duplicates
    sure = {name: row["same"] for name, row in first.items() if not name.startswith("dub")}
    assert max(sure.values()) < first["dub"]["same"]


@pytest.mark.parametrize("halves", [False, True])
def test_a_run(tmp_path, halves):
    systems = ("",) if halves else ("a:", "b:")
    found = weigh(*of_run(write_run(tmp_path / "run", systems, halves=halves)), QUICK)
    rows = check(found)
    if not halves:
        first = {row["source"]: row["target"] for row in across_rows(rows) if row["rank"] == 1}
        assert all(target[2:] == source[2:] for source, target in first.items())
    assert found.notes == ()


def test_a_run_without_artists_counts_tracks_and_says_so(tmp_path):
    found = weigh(*of_run(write_run(tmp_path / "run", artists=False)), QUICK)
    check(found)
    assert found.notes == ("Artists are unknown, so each track counts as an artist of its own.",)
    np.testing.assert_array_equal(found.artists, found.tracks)


def few(tracks, artists):
    return [
        Catalogue(
            prefix,
            tuple(f"{prefix}{k}" for k in range(tracks)),
            tuple(f"{prefix}{k % artists}" for k in range(tracks)),
            ("",) * tracks,
            tuple((("bop", "dub")[k % 2],) for k in range(tracks)),
        )
        for prefix in ("a:", "b:")
    ]


def vectors_of(given, constant=False):
    ids = [track for catalogue in given for track in catalogue.track_id]
    rng = np.random.default_rng(0)
    return tuple(ids), (np.ones((len(ids), 4)) if constant else rng.normal(size=(len(ids), 4)))


def test_where_no_tag_can_be_split_the_note_says_so_and_nothing_is_told():
    given = few(12, 3)
    found = weigh(*of_catalogues(given, vectors_of(given)), QUICK)
    assert {row["relation"] for row in check(found)} == {"untold"}
    (note,) = found.notes
    assert note.startswith("Sound says nothing here: no tag system has tags of 4 artists")
    assert found.answers["a:", "b:"].share is None
    assert summary.lines(found)[0] == (
        "a: in b:: 2 tags, 0 can be told, 0 accepted at a false-discovery rate of 5 % "
        "(of halves; more may be wrong here)."
    )
    assert summary.record(found)["pairs_of_systems"]["a:>b:"]["share_without_counterpart"] is None


def test_all_tags_alike():
    given = few(40, 20)
    found = weigh(*of_catalogues(given, vectors_of(given, constant=True)), QUICK)
    check(found)
    assert found.senses == ()
    answers = found.answers["a:", "b:"]
    same = answers.probability["same"]
    np.testing.assert_allclose(same[:, 0], same[:, 1])
    assert not answers.accepted(0.05).any()


def test_a_system_of_one_tag():
    given, features = catalogues(names=(NAMES, ("dub",)))
    found = weigh(*of_catalogues(given, features), QUICK)
    first = {row["source"]: row["target"] for row in across_rows(check(found)) if row["rank"] == 1}
    assert first["b:dub"] == "a:dub"
    alone, features = catalogues(names=(("dub",),))
    found = weigh(*of_catalogues(alone, features), QUICK)
    assert [row["relation"] for row in check(found)] == ["untold"]
    assert summary.lines(found)


def test_three_catalogues():
    given, features = catalogues(names=(NAMES, NAMES[:4], NAMES[1:5]))
    found = weigh(*of_catalogues(given, features), QUICK)
    assert len(found.answers) == 9
    assert len(across(found)) == 6
    check(found)


def test_no_common_tracks_and_no_sound_is_refused():
    with pytest.raises(InputError, match="neither sound nor a track of both"):
        weigh(*of_catalogues(catalogues()[0]))
    with pytest.raises(InputError, match=r"share=1\.5: must be in"):
        weigh(observed(tracks=20), share=1.5)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_share_of_all_or_nothing(share):
    given, features = catalogues(tracks=80)
    found = weigh(*of_catalogues(given, features), QUICK, share)
    check(found)
    for answers in across(found).values():
        assert answers.share == share
        np.testing.assert_allclose(answers.none, share)


def test_without_any_counterpart_candidates_keep_their_order():
    given, features = catalogues(tracks=80)
    half, none = (across(weigh(*of_catalogues(given, features), QUICK, s)) for s in (0.5, 1.0))
    for pair, answers in none.items():
        expected, found = half[pair].probability["same"], answers.probability["same"]
        assert (found < 1e-6).all()
        np.testing.assert_array_equal(found.argsort(axis=1), expected.argsort(axis=1))


def test_files_have_their_columns(both, tmp_path):
    paths = summary.write_evidence(tmp_path / "new" / "evidence", both)
    assert [path.name for path in paths] == ["evidence.csv", "senses.csv", "evidence.json"]
    with paths[0].open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == list(COLUMNS)
    assert [row[:2] for row in rows] == [list(row[:2]) for row in both.rows()]
    with paths[1].open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == list(summary.SENSES)
    assert [row[0] for row in rows] == [both.vocabulary.tags[s.tag] for s in both.senses]
    record = json.loads(paths[2].read_text(encoding="utf-8"))
    assert record["config"]["splits"] == QUICK.splits
    assert record["pairs_of_systems"]["a:>b:"]["told"] == 6
    assert sum(record["senses"].values()) == len(both.senses)


def test_lines_begin_with_the_surest_pairs(both):
    lines = summary.lines(both, shown=2)
    assert lines[0].startswith("a: in b:: 6 tags, 6 can be told, ")
    mean = 100 * np.nanmean(both.answers["a:", "b:"].none)
    assert f"; {mean:.0f} % have no counterpart." in lines[0]
    same = both.answers["a:", "b:"].probability["same"]
    assert lines[1].startswith(f"  {same.max():.2f} a:")
    assert " artists) - b:" in lines[1]
    assert lines[3].startswith("b: in a:: ")


def test_tracks_with_tags_of_one_system_alone_are_not_common():
    from tagjax.evidence.inputs import common

    vocabulary = observed(tracks=20).vocabulary.select(["a:bop", "a:dub"])
    assert common(vocabulary, None) is None
    assert common(vocabulary, scipy.sparse.csr_array((3, 2))) is None


@pytest.mark.parametrize("number", [1, 3, 40, 60])
def test_the_first_candidates_are_those_of_a_stable_sort(number):
    values = np.random.default_rng(0).integers(5, size=40) / 4
    order = np.argsort(-values, kind="stable")
    np.testing.assert_array_equal(_first(values, number), order[:number])


def test_without_sound_only_the_same_is_known():
    given, _ = catalogues(shared=60)
    found = weigh(*of_catalogues(given), QUICK)
    for answers in found.answers.values():
        assert answers.probability["same"].max() > 0.5
        for name in RELATIONS[1:]:
            assert answers.probability[name].shape == answers.probability["same"].shape
            assert np.isnan(answers.probability[name]).all()
