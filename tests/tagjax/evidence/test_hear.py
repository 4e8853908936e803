"""What to listen to, against normal densities and distances."""

import numpy as np
import pytest
import scipy.stats
from evident import observed

from tagjax.evidence.hear import _gain, clips_of
from tagjax.evidence.score import tag_space


@pytest.fixture(scope="module")
def heard():
    return observed(artists=20, noise=0.6)


@pytest.fixture(scope="module")
def space(heard):
    return tag_space(heard, heard.tags, 5.0)


def test_a_gain_is_a_ratio_of_normal_densities():
    rng = np.random.default_rng(0)
    vectors, centre, spread, count = rng.normal(size=(4, 3)), rng.normal(size=3), [0.1, 1, 9], 5
    for vector, gain in zip(vectors, _gain(vectors, centre, count, np.array(spread)), strict=True):
        expected = 0.0
        for x, mean, tau in zip(vector, centre, spread, strict=True):
            # The tag's mean, given that of its artists, and one more artist of it.
            posterior = 1 / (1 / tau + count)
            own = scipy.stats.norm(posterior * count * mean, np.sqrt(1 + posterior))
            expected += own.logpdf(x) - scipy.stats.norm(0, np.sqrt(1 + tau)).logpdf(x)
        assert gain == pytest.approx(expected)


def test_no_artist_is_heard_twice_and_all_have_a_tag_of_the_pair(heard, space):
    whose = dict(zip(heard.track_id, heard.artist.tolist(), strict=True))
    row = {track: k for k, track in enumerate(heard.track_id)}
    for first, second in ((0, 6), (1, 8), (2, 3)):
        best, worst = clips_of(heard, space, first, second, 3)
        artists = [whose[clip.track_id] for clip in (*best, *worst)]
        assert len(artists) == len({*artists}) == 6
        for clip in (*best, *worst):
            assert clip.tag in (first, second)
            assert heard.tags[row[clip.track_id], clip.tag]


def test_what_speaks_for_is_nearer_to_the_other_tag_than_what_speaks_against(heard, space):
    row = {track: k for k, track in enumerate(heard.track_id)}
    weights = space.spread / (1 + space.spread)

    def distance(clip, first, second):
        other = second if clip.tag == first else first
        vector = space.of_tracks(heard, np.array([row[clip.track_id]]), clip.tag)[0]
        return float((weights * (vector - space.centre[other]) ** 2).sum())

    for first, second in ((0, 6), (1, 7), (2, 8)):
        best, worst = clips_of(heard, space, first, second, 3)
        assert [clip.gain for clip in best] == sorted((c.gain for c in best), reverse=True)
        assert [clip.gain for clip in worst] == sorted(c.gain for c in worst)
        near, far = ([distance(clip, first, second) for clip in side] for side in (best, worst))
        assert max(near) < min(far)


def test_fewer_artists_give_fewer_tracks():
    heard = observed(artists=3, tracks=40)
    space = tag_space(heard, heard.tags, 5.0)
    best, worst = clips_of(heard, space, 0, 1, 5)
    assert (len(best), len(worst)) == (3, 0)
