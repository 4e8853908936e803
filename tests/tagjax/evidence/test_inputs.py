"""Where evidence comes from: runs, annotations, vectors by track."""

import dataclasses

import numpy as np
import pytest
from evident import NAMES, QUICK, catalogues, write_run

from tagjax.base.errors import InputError
from tagjax.catalogue.annotations import Catalogue
from tagjax.evidence.inputs import of_catalogues, of_run
from tagjax.evidence.weigh import weigh
from tagjax.run import predictions


def test_annotations_alone_have_common_tracks_and_no_sound():
    (first, second), _ = catalogues(shared=50)
    heard, common = of_catalogues([first, second])
    assert heard is None
    assert common.vocabulary.tags == tuple(f"{system}:{n}" for system in "ab" for n in NAMES)
    assert common.tags.shape == (50, 12)
    rows = sorted(k for k in first.track_id if k.startswith("c"))
    for row, track in enumerate(rows):
        expected = {
            catalogue.prefix + tag
            for catalogue in (first, second)
            for tag in catalogue.tags[catalogue.track_id.index(track)]
        }
        has = common.tags[[row]].toarray()[0] > 0
        assert {tag for tag, there in zip(common.vocabulary.tags, has, strict=True) if there} == (
            expected
        )


def test_vectors_of_common_tracks_and_of_unknown_ones_are_left_out():
    both, (ids, vectors) = catalogues(shared=50)
    more = (*ids, "unknown"), np.append(vectors, vectors[:1], axis=0)
    heard, common = of_catalogues(both, more)
    assert {*heard.track_id} == {track for track in ids if not track.startswith("c")}
    assert heard.vocabulary == common.vocabulary
    assert heard.artists_known
    index = heard.vocabulary.index
    for catalogue in both:
        for track, tags in zip(catalogue.track_id[:9], catalogue.tags, strict=False):
            row = heard.tags[[heard.track_id.index(track)]].toarray()[0]
            assert {*np.flatnonzero(row)} == {index[catalogue.prefix + tag] for tag in tags}


def test_tags_of_few_tracks_are_left_out():
    both, features = catalogues(tracks=60)
    counts = {}
    for catalogue in both:
        for tags in catalogue.tags:
            for tag in tags:
                name = catalogue.prefix + tag
                counts[name] = counts.get(name, 0) + 1
    least = sorted(counts.values())[6]
    heard, _ = of_catalogues(both, features, least_tracks=least)
    assert heard.vocabulary.tags == tuple(sorted(t for t, n in counts.items() if n >= least))


@pytest.mark.parametrize("alike", [("a:", "a:"), ("", "")])
def test_prefixes_that_are_alike_are_refused(alike):
    both = [
        dataclasses.replace(catalogue, prefix=prefix)
        for catalogue, prefix in zip(catalogues()[0], alike, strict=True)
    ]
    with pytest.raises(InputError, match=r"prefixes are alike: .*; see --prefix"):
        of_catalogues(both)


def test_vectors_that_do_not_fit_are_refused():
    both, (ids, vectors) = catalogues(tracks=20)
    with pytest.raises(InputError, match=r"none of the 1 vectors .* begin with 'x'"):
        of_catalogues(both, (("x",), vectors[:1]))
    bad = vectors.copy()
    bad[3, 2] = np.nan
    with pytest.raises(InputError, match="the features of track 'a3' are not finite"):
        of_catalogues(both, (ids, bad))
    with pytest.raises(InputError, match="no tag has 99 tracks; see --least_tracks"):
        of_catalogues(both, (ids, vectors), 99)


def test_where_all_heard_tracks_are_common_one_line_says_so():
    both, features = catalogues(tracks=20, shared=20)
    with pytest.raises(InputError, match="no track is left that has tags of one system"):
        of_catalogues(both, features)


def test_a_run_gives_its_tracks_and_those_of_its_overlap(tmp_path):
    heard, common = of_run(write_run(tmp_path / "run"))
    assert heard.roots
    assert len(heard) == 160
    assert common.tags.shape == (20, 6)
    assert (common.tags.sum(axis=1) == 2).all()


def test_predictions_of_two_machines_are_those_of_one(tmp_path):
    """Each has every second track; joined, they are the same evidence, whatever the order."""
    whole = write_run(tmp_path / "run")
    found, folders = whole.predictions, [tmp_path / "1", tmp_path / "0"]
    for k, folder in zip((1, 0), folders, strict=True):
        with predictions.writing(folder, found.tags, len(found.probabilities) // 2) as writer:
            for row in range(k, len(found.probabilities), 2):
                excerpt = [found.excerpts[name][row] for name in predictions.COLUMNS]
                writer.add(found.probabilities[row], excerpt)
    predictions.merge(folders, tmp_path / "joined")
    joined = dataclasses.replace(whole, predictions=predictions.read(tmp_path / "joined"))
    one, two = (weigh(*of_run(run), QUICK).rows() for run in (whole, joined))
    assert one == two


def test_excerpts_of_a_track_count_once(tmp_path):
    one, other = (of_run(write_run(tmp_path / f"{n}", repeats=n)) for n in (1, 3))
    assert one[0].track_id == other[0].track_id
    np.testing.assert_array_equal(one[1].tags.toarray(), other[1].tags.toarray())


def test_halves_in_a_run_become_whole_tags_and_one_system_has_no_common_tracks(tmp_path):
    heard, common = of_run(write_run(tmp_path / "run", systems=("",), halves=True))
    assert heard.vocabulary.tags == NAMES[:3]
    assert common is None
    np.testing.assert_array_equal(heard.tags.sum(axis=1), 1)


def test_prefixes_of_which_one_begins_another_are_refused():
    rows = ("t1",), ("r1",), ("",), (("blues",),)
    pair = [Catalogue("a", *rows), Catalogue("ab", *rows)]
    with pytest.raises(InputError, match="prefix 'ab' begins with 'a', so tags cannot"):
        of_catalogues(pair)


def test_predictions_that_are_no_numbers_are_refused_and_not_left_out(tmp_path):
    run = write_run(tmp_path / "run")
    rows = np.array(run.predictions.probabilities)
    rows[0] = np.nan
    broken = dataclasses.replace(
        run, predictions=dataclasses.replace(run.predictions, probabilities=rows)
    )
    with pytest.raises(InputError, match="are not finite"):
        of_run(broken)
