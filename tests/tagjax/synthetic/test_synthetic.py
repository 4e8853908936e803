"""The generator: pure and seeded, hard for mean spectra, with a truth that holds."""

import collections
import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tagjax.base.errors import InputError
from tagjax.synthetic import (
    GENRES,
    SAMPLE_RATE,
    STYLES,
    SYSTEMS,
    SyntheticConfig,
    artist_sound,
    concepts_of,
    make_catalogue,
    render,
    render_excerpt,
    systems,
)

CONFIG = SyntheticConfig()


@pytest.fixture(scope="module")
def catalogue():
    return make_catalogue(CONFIG)


@pytest.mark.parametrize("name", STYLES)
def test_an_excerpt_is_the_slice_of_the_track(name):
    sound = artist_sound(11)
    whole = render(STYLES[name], sound, 5, 0.0, 30.0)
    assert whole.dtype == np.float32
    assert whole.shape == (30 * SAMPLE_RATE,)
    assert np.isfinite(whole).all()
    assert np.abs(whole).max() <= 1
    assert whole.std() > 1e-3
    for start, duration in ((0.0, 3.0), (7.31, 10.0), (26.5, 3.5)):
        first = round(start * SAMPLE_RATE)
        part = render(STYLES[name], sound, 5, start, duration)
        expected = whole[first : first + round(duration * SAMPLE_RATE)]
        np.testing.assert_allclose(part, expected, atol=1e-5)


@settings(max_examples=30, deadline=None)
@given(
    name=st.sampled_from(sorted(STYLES)),
    artist=st.integers(0, 10**6),
    seed=st.integers(0, 2**31 - 1),
    start=st.floats(0, 170),
)
def test_any_excerpt_is_finite_bounded_and_repeatable(name, artist, seed, start):
    sound = artist_sound(artist)
    audio = render(STYLES[name], sound, seed, start, 1.5)
    assert audio.shape == (round(1.5 * SAMPLE_RATE),)
    assert np.isfinite(audio).all()
    assert np.abs(audio).max() <= 1
    assert audio.any()
    np.testing.assert_array_equal(audio, render(STYLES[name], sound, seed, start, 1.5))


@pytest.mark.parametrize("name", STYLES)
def test_other_seeds_artists_and_positions_are_other_music(name):
    base = render(STYLES[name], artist_sound(1), 1, 10.0, 4.0)
    for other in (
        render(STYLES[name], artist_sound(2), 1, 10.0, 4.0),
        render(STYLES[name], artist_sound(1), 2, 10.0, 4.0),
        render(STYLES[name], artist_sound(1), 1, 50.0, 4.0),
    ):
        assert np.abs(base - other).max() > 0.01


def _bar_envelope(name, bars=32):
    """Energy of the steps of an average bar, at a known tempo, in a clean sound."""
    style = dataclasses.replace(STYLES[name], tempo=(120.0, 120.0))
    sound = dataclasses.replace(artist_sound(1), hiss=-120.0, ride=0.0, room=0.02)
    audio = render(style, sound, 3, 0.0, bars * style.steps * 0.125)
    length = len(audio) // (bars * style.steps)
    steps = (audio[: bars * style.steps * length] ** 2).reshape(bars, style.steps, length)
    return steps.mean((0, 2))


def test_a_waltz_has_three_beats_and_a_gallop_rests_on_its_second_step():
    assert len(_bar_envelope("whirl")) == 12
    gallop = _bar_envelope("gallop").reshape(4, 4).mean(0)
    assert gallop[1] < 0.3 * gallop[[0, 2, 3]].min()


def test_two_levels_with_styles_of_two_parents():
    assert set(GENRES) == {genre for style in STYLES.values() for genre in style.genres}
    assert all(1 <= len(style.genres) <= 2 for style in STYLES.values())
    assert sum(len(style.genres) == 2 for style in STYLES.values()) >= 2
    for style in STYLES.values():
        for options in (style.kick, style.snare, style.hat, style.bass, style.chords, style.lead):
            assert all(len(pattern) == style.steps for pattern in options)


def test_catalogue_is_a_function_of_its_config(catalogue):
    make_catalogue.cache_clear()
    assert make_catalogue(CONFIG) == catalogue
    assert make_catalogue(dataclasses.replace(CONFIG, seed=2)).tracks != catalogue.tracks


@pytest.mark.parametrize(
    "config", [CONFIG, SyntheticConfig(seed=7, tracks=500), SyntheticConfig(3, 1)]
)
def test_catalogue_structure(config):
    catalogue = make_catalogue(config)
    tracks = {track.track_id: track for track in catalogue.tracks}
    assert len(tracks) == len(catalogue.tracks) == config.tracks
    albums = collections.defaultdict(set)
    sizes = collections.Counter(track.album_id for track in catalogue.tracks)
    assert max(sizes.values()) <= config.album_tracks
    for track in catalogue.tracks:
        albums[track.album_id].add((track.artist_id, track.artist_seed))
        assert config.duration[0] <= track.duration <= config.duration[1]
        assert track.concept in STYLES
    assert all(len(artists) == 1 for artists in albums.values())

    membership = collections.defaultdict(set)
    for system in SYSTEMS:
        meaning = concepts_of(system)
        genres_of = collections.defaultdict(set)
        for style, genre in catalogue.taxonomy[system]:
            genres_of[style].add(genre)
        as_whole = collections.defaultdict(set)
        played = collections.defaultdict(set)
        for row in catalogue.annotations[system]:
            track = tracks[row.track_id]
            assert (row.artist_id, row.album_id) == (track.artist_id, track.album_id)
            assert list(row.tags) == sorted(set(row.tags))
            as_whole[row.album_id].add(row.tags)
            played[row.album_id].add(track.concept)
            membership[row.artist_id].add((system, row.album_id, row.track_id))
        for album, annotated in as_whole.items():
            (tags,) = annotated
            styles = [tag for tag in tags if not tag.startswith("genre:")]
            true = [tag for tag in styles if meaning[tag] & played[album]]
            assert len(styles) - len(true) <= 1
            assert {c for tag in true for c in meaning[tag]} >= played[album]
            genres = {
                systems.GENRE_TAGS[system][g] for c in played[album] for g in STYLES[c].genres
            }
            assert {tag for tag in tags if tag.startswith("genre:")} == genres
            assert all(genres & genres_of[tag] for tag in styles)
    of_artist = collections.Counter(track.artist_id for track in catalogue.tracks)
    for artist, rows in membership.items():
        held = collections.Counter(system for system, _, _ in rows)
        assert set(held.values()) == {of_artist[artist]}
    assert set(membership) == set(of_artist)


def test_shares_are_those_of_the_config(catalogue):
    in_a, in_b = ({row.artist_id for row in catalogue.annotations[s]} for s in SYSTEMS)
    artists = len(in_a | in_b)
    assert abs(len(in_a & in_b) / artists - CONFIG.both) < 4 * np.sqrt(0.06 * 0.94 / artists)
    assert abs(len(in_a - in_b) / artists - 0.47) < 4 * np.sqrt(0.25 / artists)
    played = {
        (row.album_id, system): set() for system in SYSTEMS for row in catalogue.annotations[system]
    }
    tags = {}
    for system in SYSTEMS:
        for row in catalogue.annotations[system]:
            played[row.album_id, system].add(catalogue.track(row.track_id).concept)
            tags[row.album_id, system] = row.tags
    wrong = [
        any(not t.startswith("genre:") and not concepts_of(s)[t] & played[a, s] for t in row)
        for (a, s), row in tags.items()
    ]
    assert 0.02 < np.mean(wrong) < 0.11


def test_each_tag_has_enough_tracks_for_the_demo(catalogue):
    for system in SYSTEMS:
        counts = collections.Counter(t for r in catalogue.annotations[system] for t in r.tags)
        assert set(counts) == set(concepts_of(system))
        assert 20 <= len(counts) <= 26
        assert min(counts.values()) >= 20


def test_taxonomy_names_both_parents(catalogue):
    for system in SYSTEMS:
        pairs = set(catalogue.taxonomy[system])
        for concept, style in STYLES.items():
            for tag in systems.STYLE_TAGS[system][concept]:
                assert {(tag, systems.GENRE_TAGS[system][g]) for g in style.genres} <= pairs
    assert max(collections.Counter(s for s, _ in catalogue.taxonomy["a"]).values()) == 2


def test_translation_follows_from_the_jaccard_of_the_concepts(catalogue):
    a, b = concepts_of("a"), concepts_of("b")
    truth = {(source, target): name for source, target, name in catalogue.translation}
    for source in b:
        for target in a:
            jaccard = len(b[source] & a[target]) / len(b[source] | a[target])
            same_level = source.startswith("genre:") == target.startswith("genre:")
            assert ((source, target) in truth) == (jaccard > 0 and same_level)
            if (source, target) in truth:
                name = truth[source, target]
                assert (name == "exact") == (jaccard == 1)
                assert (name == "broad") == (jaccard < 1 and b[source] >= a[target])
                assert (name == "narrow") == (jaccard < 1 and b[source] <= a[target])
                assert name != "close" or jaccard >= 0.5
    assert {"exact", "broad", "narrow"} <= set(truth.values())
    assert {source for source, _ in truth} == set(b)
    assert {target for _, target in truth} == set(a)


def test_planted_duplicates_share_one_sound_and_never_an_album(catalogue):
    assert {system for system, _, _ in catalogue.duplicates} == {"a", "b"}
    for system, tag, duplicate in catalogue.duplicates:
        assert concepts_of(system)[tag] == concepts_of(system)[duplicate]
        (concept,) = concepts_of(system)[tag]
        albums = collections.defaultdict(set)
        for row in catalogue.annotations[system]:
            if catalogue.track(row.track_id).concept == concept:
                albums[row.album_id].add(frozenset({tag, duplicate} & set(row.tags)))
        named = [name for names in albums.values() for name in names]
        assert all(len(name) == 1 for name in named)
        share = np.mean([tag in name for name in named])
        assert abs(share - 0.5) < 4 * np.sqrt(0.25 / len(named))


def test_oddities_are_odd(catalogue):
    rows = {what: (system, tag, senses) for what, system, tag, senses in catalogue.oddities}
    system, tag, senses = rows["polysemous"]
    assert concepts_of(system)[tag] == set(senses.split("|"))
    first, second = senses.split("|")
    assert not set(STYLES[first].genres) & set(STYLES[second].genres)
    _, tag, senses = rows["same name, other meaning"]
    assert not concepts_of("a")[tag] & concepts_of("b")[tag]
    assert concepts_of("a")[tag] | concepts_of("b")[tag] == set(senses.split("|"))
    pairs = {(source, target) for source, target, _ in catalogue.translation}
    assert (tag, tag) not in pairs


def test_render_excerpt_is_the_track_of_the_concept(catalogue):
    track = catalogue.tracks[17]
    audio = render_excerpt(CONFIG, track.track_id, 12.0, 2.0)
    sound = artist_sound(track.artist_seed)
    expected = render(STYLES[track.concept], sound, track.seed, 12.0, 2.0)
    np.testing.assert_array_equal(audio, expected)
    np.testing.assert_array_equal(audio, render_excerpt(catalogue, track.track_id, 12.0, 2.0))
    end = render_excerpt(catalogue, track.track_id, track.duration - 1, 10.0)
    assert len(end) == SAMPLE_RATE


@pytest.mark.parametrize(
    ("track_id", "start", "duration"),
    [
        ("s99999", 0, 1),
        ("nobody", 0, 1),
        ("s1", 0, 1),
        ("s00001", -1, 1),
        ("s00001", 1e4, 1),
        ("s00001", 0, 0),
        ("s00001", float("nan"), 1),
        ("s00001", 0, float("nan")),
    ],
)
def test_bad_excerpts_are_refused_in_one_line(catalogue, track_id, start, duration):
    with pytest.raises(InputError) as error:
        render_excerpt(catalogue, track_id, start, duration)
    assert track_id in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "change",
    [
        {"tracks": 0},
        {"album_tracks": 0},
        {"palette": (0.5, 0.5, 0.5)},
        {"both": 1.5},
        {"popularity": 0.5},
        {"duration": (10.0, 5.0)},
    ],
)
def test_bad_configs_are_refused(change):
    with pytest.raises(InputError, match=next(iter(change))):
        SyntheticConfig(**change)


def test_mean_spectra_do_not_solve_it(catalogue):
    """A bag of mean mels, on artists it has not heard; where a temporal model has 80 % and more."""
    import librosa

    filters = librosa.filters.mel(sr=SAMPLE_RATE, n_fft=1024, n_mels=96)
    means, concepts, artists = [], [], []
    for track in catalogue.tracks[::6]:
        audio = render_excerpt(catalogue, track.track_id, 20.0, 3.0)
        frames = audio[: len(audio) // 1024 * 1024].reshape(-1, 1024) * np.hanning(1024)
        mel = np.abs(np.fft.rfft(frames)) ** 2 @ filters.T
        means.append(np.log1p(10_000 * mel).mean(0))
        concepts.append(track.concept)
        artists.append(int(track.artist_id[3:]))
    means, concepts, artists = np.array(means), np.array(concepts), np.array(artists)
    test = artists % 3 == 0
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500))
    accuracy = model.fit(means[~test], concepts[~test]).score(means[test], concepts[test])
    assert accuracy < 0.45
