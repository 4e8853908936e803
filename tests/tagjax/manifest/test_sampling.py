import dataclasses
from collections import Counter, defaultdict

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import scipy.stats
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

from tagjax.base.errors import InputError
from tagjax.catalogue import annotations, corpus
from tagjax.catalogue.annotations import Catalogue, Tracks
from tagjax.manifest import lists, sampling
from tagjax.manifest.sampling import SamplingConfig, make_manifest
from tagjax.vocabulary.vocabulary import EXPERIMENTS

RNG = np.random.default_rng


@pytest.fixture(scope="module")
def catalogues(shared):
    folder = shared / "corpus"
    tables = [annotations.read_catalogue(folder / f"annotations_{x}.csv", f"{x}:") for x in "ab"]
    return tables, annotations.read_tracks(folder / "tracks.csv")


# Labels (section 2.2)


def test_rock_and_punk_as_in_the_paper():
    """Rock on 1000 tracks, Punk on 100: Rock with probability 1/11, Punk with 10/11."""
    n = 20_000
    album, tag = np.repeat(np.arange(n), 2), np.tile([0, 1], n)
    label = sampling.draw_labels(album, tag, np.array([1000, 100]), RNG(1))
    assert scipy.stats.binomtest(int((label == 1).sum()), n, 10 / 11).pvalue > 1e-3


def test_labels_are_drawn_inversely_to_popularity():
    popularity = np.array([7, 40, 300, 2000])
    n = 50_000
    album, tag = np.repeat(np.arange(n), 4), np.tile(np.arange(4), n)
    label = sampling.draw_labels(album, tag, popularity, RNG(2))
    expected = n / popularity / (1 / popularity).sum()
    assert scipy.stats.chisquare(np.bincount(label, minlength=4), expected).pvalue > 1e-3


def test_popularity_is_the_number_of_tracks_in_the_whole_catalogue():
    """1000 tracks are Rock, and 100 albums of one of them Punk too: 1/11 of these stay Rock."""
    n = 1000
    ids = tuple(f"t{k:04}" for k in range(n))
    tags = tuple(("Rock", "Punk") if k < 100 else ("Rock",) for k in range(n))
    rock = 0
    for seed in range(20):
        table = Catalogue("", ids, tuple(f"r{k}" for k in range(n)), ("",) * n, tags)
        parts = make_manifest([table], None, SamplingConfig(seed=seed)).parts.values()
        label = {s: x for part in parts for s, x in zip(part.sng_id, part.label, strict=True)}
        assert {label[name] for name in ids[100:]} == {"Rock"}
        rock += sum(label[name] == "Rock" for name in ids[:100])
    assert scipy.stats.binomtest(rock, 2000, 1 / 11).pvalue > 1e-3


# Split (section 2.1.3)


@hypothesis.given(
    st.lists(st.tuples(st.integers(0, 8), st.integers(0, 5)), min_size=1, max_size=60),
    st.integers(2, 5),
)
@hypothesis.settings(deadline=None, max_examples=100)
def test_an_artist_is_in_one_fold(rows, folds):
    artist = np.unique([row[0] for row in rows], return_inverse=True)[1]
    label = np.array([row[1] for row in rows])
    fold = sampling.folds_by_artist(artist, label, folds, RNG(0))
    assert fold.shape == artist.shape
    assert set(fold) <= set(range(folds))
    for one in range(artist.max() + 1):
        assert len(set(fold[artist == one])) == 1


def unevenness(part, label, shares):
    """Mean distance in tracks of a label's count in a part from its share."""
    total = np.bincount(label)
    counts = np.stack([np.bincount(label[part == k], minlength=len(total)) for k in shares])
    share = np.array(list(shares.values()))[:, None]
    return np.abs(counts - share * total)[:, total > 0].mean()


@pytest.mark.filterwarnings("ignore:The least populated class")
def test_split_is_as_even_as_that_of_scikit_learn(catalogues):
    """Its StratifiedGroupKFold searches all labels for each artist; GroupKFold sees none."""
    gathered, _ = corpus.gather(*catalogues)
    fifths = dict.fromkeys(range(5), 0.2)
    for seed in range(3):
        popularity = gathered.popularity()
        label = sampling.draw_labels(gathered.pair_group, gathered.pair_tag, popularity, RNG(seed))[
            gathered.group
        ]
        ours = sampling.folds_by_artist(gathered.artist, label, 5, RNG(seed))
        theirs = {}
        for kind in (StratifiedGroupKFold, GroupKFold):
            fold = np.empty(len(label), int)
            splitter = kind(5, shuffle=True, random_state=seed)
            for k, (_, test) in enumerate(splitter.split(label, label, gathered.artist)):
                fold[test] = k
            theirs[kind] = unevenness(fold, label, fifths)
        assert unevenness(ours, label, fifths) < 1.1 * theirs[StratifiedGroupKFold]
        assert unevenness(ours, label, fifths) < 0.5 * theirs[GroupKFold]


def test_shares_are_met_for_every_label_where_artists_are_small():
    label = np.repeat(np.arange(20), 100)
    part = sampling.split_by_artist(np.arange(2000), label, (0.7, 0.1, 0.2), RNG(0))
    for k, expected in enumerate((70, 10, 20)):
        np.testing.assert_array_equal(np.bincount(label[part == k]), expected)


# Balance (section 2.2)


@hypothesis.given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(1, 6)), min_size=1, max_size=60),
    st.integers(1, 20),
    st.one_of(st.none(), st.integers(1, 30)),
)
@hypothesis.settings(deadline=None, max_examples=200)
def test_labels_are_balanced_as_far_as_their_tracks_can_give(rows, most, target):
    label, capacity = np.array(rows).T
    copies = sampling.balance(label, capacity, most, target, RNG(0))
    assert (copies <= capacity).all()
    for one in set(label.tolist()):
        here, able = copies[label == one], capacity[label == one]
        want = max(len(here), target or 0)
        assert here.sum() == min(most, want, max(len(here), able.sum()))
        # Nobody gives two more than another who could have given more.
        assert here.max() - here[here < able].min(initial=99) <= 1


def test_downsampling_is_at_random():
    chosen = np.zeros(10, int)
    for seed in range(2000):
        chosen += sampling.balance(np.zeros(10, int), np.ones(10, int), 3, None, RNG(seed))
    assert chosen.sum() == 6000
    assert scipy.stats.chisquare(chosen).pvalue > 1e-3


def labelled(sizes):
    """Tracks of one tag each, an artist a track; tag k has sizes[k]."""
    names = [f"tag {k}" for k, size in enumerate(sizes) for _ in range(size)]
    ids = tuple(f"t{k:05}" for k in range(len(names)))
    table = Catalogue("", ids, ids, ("",) * len(ids), tuple((name,) for name in names))
    return table, Tracks(ids, ids, np.full(len(ids), 300.0))


def test_a_large_catalogue_has_the_papers_2000_a_tag():
    """Tags with more tracks are cut to 1400, 200, 400; rarer ones raised to 1400 in training."""
    table, tracks = labelled([5000, 2000, 500, 300])
    made = make_manifest([table], tracks, SamplingConfig())
    counts = {name: Counter(part.label) for name, part in made.parts.items()}
    assert counts["train"] == {f"tag {k}": 1400 for k in range(4)}
    assert counts["validation"] == {"tag 0": 200, "tag 1": 200, "tag 2": 50, "tag 3": 30}
    assert counts["test"] == {"tag 0": 400, "tag 1": 400, "tag 2": 100, "tag 3": 60}
    assert made.counts["tracks_downsampled"] == 3000


def test_a_small_catalogue_is_raised_to_its_commonest_tag():
    table, tracks = labelled([40, 20, 10])
    made = make_manifest([table], tracks, SamplingConfig())
    assert set(Counter(made.parts["train"].label).values()) == {28}
    full = SamplingConfig(upsample_to="max_occurrences", upsample=sampling.PARTS)
    made = make_manifest([table], tracks, full)
    assert Counter(made.parts["train"].label) == {"tag 0": 280, "tag 1": 140, "tag 2": 70}
    assert max(Counter(made.parts["test"].sng_id).values()) == 10


# Positions (section 2.1)


def test_first_excerpts_begin_anywhere_from_start_to_end():
    n = 5000
    slack = np.full(n, 210.0)
    _, _, start = sampling.excerpt_starts(slack, RNG(0).random(n), np.ones(n, int))
    assert scipy.stats.kstest(start, scipy.stats.uniform(0, 210).cdf).pvalue > 1e-3


@hypothesis.given(st.floats(0.01, 5e4), st.floats(0, 1, exclude_max=True), st.integers(1, 20))
@hypothesis.settings(deadline=None)
def test_excerpts_of_a_track_fit_and_lie_apart(slack, position, copies):
    track, copy, start = sampling.excerpt_starts(
        np.array([slack]), np.array([position]), np.array([copies])
    )
    assert track.tolist() == [0] * copies
    assert copy.tolist() == list(range(copies))
    assert (start >= 0).all()
    assert (start <= slack).all()
    if copies > 1:
        assert np.diff(np.sort(start)).min() >= slack / copies - 1.01e-4


def test_short_and_unmeasured_tracks_give_one_excerpt_from_the_start():
    table, _ = labelled([40])
    n = len(table)
    seconds = np.where(np.arange(n) % 2, 12.0, np.nan)
    config = SamplingConfig(upsample_to="max_occurrences")
    made = make_manifest([table], Tracks(table.track_id, table.track_id, seconds), config)
    starts = np.concatenate([part.seg_start for part in made.parts.values()])
    assert starts.tolist() == [0.0] * n
    assert made.counts["tracks_shorter_than_excerpt"] == n // 2
    assert made.counts["tracks_of_unknown_duration"] == n // 2


# The whole manifest


def small_catalogues(seed, annotates=("album", "album")):
    """Two catalogues with common tracks, artists and albums; tracks of all lengths.

    Most albums are of one artist, the others compilations.
    """
    rng = RNG(seed)
    ids = tuple(f"t{k:02}" for k in range(60))
    tables = []
    for prefix, level in zip(("a:", "b:"), annotates, strict=True):
        chosen = [ids[k] for k in rng.choice(60, rng.integers(20, 45), replace=False)]
        n = len(chosen)
        album, artist = rng.integers(20, size=n), rng.integers(25, size=n)
        artist = np.where((album > 0) & (album < 15), album, artist)
        columns = (
            tuple(f"r{k}" for k in artist),
            tuple(f"l{k}" if k else "" for k in album),
            tuple(tuple(set(rng.choice(list("pqrstu"), 3))) for _ in range(n)),
        )
        tables.append(Catalogue(prefix, tuple(chosen), *columns, annotates=level))
    seconds = rng.choice([20.0, 30.0, 31.5, 200.0, np.nan], 60)
    return tables, Tracks(ids[:-2], ids[:-2], seconds[:-2])


@hypothesis.given(
    st.integers(0, 10_000),
    st.sampled_from(EXPERIMENTS),
    st.sampled_from([0, 3]),
    st.integers(6, 20),
    st.tuples(*[st.sampled_from(["album", "track"])] * 2),
)
@hypothesis.settings(deadline=None, max_examples=150)
def test_invariants_of_a_manifest(seed, experiment, folds, most, annotates):
    tables, tracks = small_catalogues(seed, annotates)
    config = SamplingConfig(
        **{"seed": seed, "max_occurrences": most, "max_excerpts_per_track": 3},
        **{"train": 0.4, "validation": 0.3, "test": 0.3, "min_tracks": 2},
    )
    try:
        made = make_manifest(tables, tracks, config, experiment, folds)
    except InputError:  # artists that are linked by common tracks may be too few
        hypothesis.reject()
    doubled = experiment == "deduplication"
    source = {t.prefix: dict(zip(t.track_id, t.tags, strict=True)) for t in tables}
    seconds = dict(zip(tracks.track_id, tracks.duration, strict=True))
    levels = {table.prefix: table.annotates for table in tables}
    kept = {tag for part in made.parts.values() for tags in part.tags for tag in tags}
    assert kept == set(made.vocabulary.tags)
    home, label_of, tags_of, seen = {}, {}, {}, set()
    per_track, per_label = Counter(), Counter()
    for name, part in made.parts.items():
        group = "_".join(name.split("_")[:2]) if folds else name
        common = name.endswith("overlap")
        for row, (track, label, tags) in enumerate(
            zip(part.sng_id, part.label, part.tags, strict=True)
        ):
            systems = {tag[:2] for tag in tags}
            suffixes = {tag[-2:] for tag in tags}
            # The label is one of the tags; the tags are the track's own, of one half.
            assert label in tags
            assert (suffixes < {"_1", "_2"}) if doubled else not suffixes & {"_1", "_2"}
            half = suffixes.pop() if doubled else ""
            for system in systems:
                assert {system + tag + half for tag in source[system][track]} & kept <= set(tags)
            # Tracks of both catalogues are in the overlap and only there.
            assert common == all(track in table for table in source.values())
            assert common or len(systems) == 1
            # No artist is in two parts.
            if folds or not common:
                assert home.setdefault(part.artist_id[row], group) == group
            if not common:
                system = systems.pop()
                own = {system + tag + half for tag in source[system][track]} & kept
                name_of_album = part.album_id[row]
                album = (name_of_album or track, system, half)
                # Tracks of an album with the same tags have one label.
                assert label_of.setdefault((album, tags), label) == label
                assert tags == tuple(sorted(tags))
                if levels[system] == "track":
                    assert set(tags) == own
                elif name_of_album and int(name_of_album[1:]) < 15:  # Of a single artist.
                    assert tags_of.setdefault(album, tags) == tags
                per_label[label] += not name.endswith("downsampled")
            # Excerpts of a track are few and different, and fit.
            assert (track, part.seg_start[row]) not in seen
            seen.add((track, part.seg_start[row]))
            per_track[group, track] += 1
            assert 0 <= part.seg_start[row] <= max(np.nan_to_num(seconds[track] - 30.0), 0.0)
    assert max(per_label.values()) <= most
    assert max(per_track.values()) <= 3
    if folds:
        # All tracks with a kept tag are predicted, once, whatever training has no place for.
        predicted = [
            track
            for name, part in made.parts.items()
            if not name.endswith("upsampled")
            for track in part.sng_id
        ]
        assert len(predicted) == len(set(predicted))
        assert len(predicted) == made.counts["annotated_tracks"] - sum(
            made.counts[name] for name in ("tracks_without_audio", "tracks_without_kept_tag")
        )
    else:
        assert all(count == 1 for (name, _), count in per_track.items() if name != "train")


def test_rows_in_any_order_make_the_same_manifest(catalogues):
    tables, tracks = catalogues

    def shuffled(table, seed):
        order = RNG(seed).permutation(len(table))
        columns = ("track_id", "artist_id", "album_id", "tags")
        changes = {c: tuple(getattr(table, c)[row] for row in order) for c in columns}
        return dataclasses.replace(table, **changes)

    config = SamplingConfig(seed=3, top_tags=30)
    one = make_manifest(tables, tracks, config, "translation", 4)
    two = make_manifest([shuffled(table, 5) for table in tables], tracks, config, "translation", 4)
    other = make_manifest(tables, tracks, SamplingConfig(seed=4, top_tags=30), "translation", 4)
    assert list(one.parts) == list(two.parts)
    for name, part in one.parts.items():
        for field in dataclasses.fields(part):
            ours, theirs = (getattr(m.parts[name], field.name) for m in (one, two))
            assert np.array_equal(ours, theirs) if field.name[:3] == "seg" else ours == theirs
    assert one.parts["fold_0"].sng_id != other.parts["fold_0"].sng_id


def test_folds_predict_every_track_also_where_training_has_no_place(catalogues):
    """README: every track is predicted by the model that heard none of its artist."""
    tables, tracks = catalogues
    made = make_manifest(tables, tracks, SamplingConfig(max_occurrences=4), "taxonomy", 3)
    plain = make_manifest(tables, tracks, SamplingConfig(), "taxonomy", 3)
    left = made.counts["tracks_downsampled"]
    assert left > 700
    names = ("", "_downsampled", "_overlap")
    for k in range(3):
        fold = [row for name in names for row in made.parts[f"fold_{k}{name}"].sng_id]
        assert len(fold) == len(set(fold))
        other = [row for name in ("", "_overlap") for row in plain.parts[f"fold_{k}{name}"].sng_id]
        assert set(fold) == set(other)
    parts = [made.parts[f"fold_{k}_downsampled"] for k in range(3)]
    assert sum(map(len, parts)) == left
    # Of each label, training has as much as it may.
    trained = Counter(x for k in range(3) for x in made.parts[f"fold_{k}"].label)
    assert all(trained[label] == 4 for part in parts for label in part.label)
    assert not any(name.endswith("downsampled") for name in plain.parts)


def test_the_order_of_parts_is_that_of_the_files(catalogues, tmp_path):
    tables, tracks = catalogues
    made = make_manifest(tables, tracks, SamplingConfig(max_occurrences=4), "taxonomy", 2)
    lists.write_manifest(tmp_path / "m", made)
    assert list(lists.read_manifest(tmp_path / "m").parts) == list(made.parts)


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_folds_of_the_corpus_predict_every_track_once(catalogues, experiment):
    """1250 tracks, 81 of them in both catalogues, as the corpus README says."""
    tables, tracks = catalogues
    made = make_manifest(tables, tracks, SamplingConfig(), experiment, 5)
    predicted = [s for k in range(5) for s in made.parts[f"fold_{k}"].sng_id]
    common = [s for k in range(5) for s in made.parts[f"fold_{k}_overlap"].sng_id]
    assert len(predicted) == len(set(predicted)) == 1250 - 81
    assert len(common) == len(set(common)) == 81
    assert not set(predicted) & set(common)
    assert made.vocabulary.systems == ("a:", "b:")
    assert any(made.vocabulary.half) == (experiment == "deduplication")
    sizes = [len(made.parts[f"fold_{k}"]) for k in range(5)]
    assert max(sizes) - min(sizes) < 10
    for k in range(5):
        further = made.parts[f"fold_{k}_upsampled"]
        assert set(further.sng_id) <= set(made.parts[f"fold_{k}"].sng_id)
    # Upsampling leaves the labels of all folds together within the commonest one's number.
    first = Counter(x for k in range(5) for x in made.parts[f"fold_{k}"].label)
    total = first + Counter(x for k in range(5) for x in made.parts[f"fold_{k}_upsampled"].label)
    assert max(total.values()) == max(first.values())
    assert np.median(list(total.values())) == max(first.values())


def test_common_tracks_of_the_corpus_carry_tags_of_both(catalogues):
    tables, tracks = catalogues
    made = make_manifest(tables, tracks, SamplingConfig(), "translation")
    assert list(made.parts) == ["train", "validation", "test", "overlap"]
    tags = dict(zip(made.parts["overlap"].sng_id, made.parts["overlap"].tags, strict=True))
    assert len(tags) == 81
    for table in tables:
        for track, own in zip(table.track_id, table.tags, strict=True):
            if track in tags:
                assert {table.prefix + tag for tag in own} <= set(tags[track])


def test_halves_of_the_corpus_tags_are_even(catalogues):
    """Half of the tracks of each tag (section 3.2), as far as whole artists allow."""
    tables, tracks = catalogues
    made = make_manifest(tables[:1], tracks, SamplingConfig(), "deduplication")
    assert len(made.truth.duplicates) == 55
    halves, artists = Counter(), defaultdict(set)
    for part in made.parts.values():
        rows = zip(part.sng_id, part.tags, part.artist_id, strict=True)
        for _, tags, artist in set(rows):
            halves.update(tags)
            for tag in tags:
                artists[tag].add(artist)
    off = [abs(halves[one] - halves[two]) for one, two in made.truth.duplicates]
    assert np.mean(off) < 3
    assert all(not artists[one] & artists[two] for one, two in made.truth.duplicates)


def test_what_catalogues_annotate_is_recorded_and_changes_no_other_draw(catalogues):
    """The corpus annotates whole albums, so that track by track it is the same."""
    tables, tracks = catalogues
    made = make_manifest(tables, tracks, SamplingConfig(), "translation")
    assert made.config["annotates"] == ["album", "album"]
    by_track = [dataclasses.replace(tables[0], annotates="track"), tables[1]]
    other = make_manifest(by_track, tracks, SamplingConfig(), "translation")
    assert other.config["annotates"] == ["track", "album"]
    for name, part in made.parts.items():
        assert part.label == other.parts[name].label
        assert part.tags == other.parts[name].tags
    assert made.counts["tracks_given_tags"] == other.counts["tracks_given_tags"] == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train": 0.9}, "sum to 1"),
        ({"train": 1.0, "validation": 0.0, "test": 0.0}, "above 0"),
        ({"max_occurrences": 0}, "max_occurrences=0"),
        ({"top_tags": 0}, "top_tags=0"),
        ({"seg_duration": -1.0}, "seg_duration=-1.0"),
        ({"min_shift": 0.0}, "min_shift=0.0"),
        ({"seed": -1}, "seed=-1"),
        ({"upsample": ("training",)}, "valid: train, validation, test"),
        ({"upsample_to": "most"}, "valid: commonest, max_occurrences"),
    ],
)
def test_a_choice_that_makes_no_sense_is_refused(change, message):
    with pytest.raises(InputError, match=message):
        SamplingConfig(**change)


def test_requests_that_make_no_sense_are_refused():
    table, tracks = labelled([40])
    with pytest.raises(InputError, match="valid: taxonomy, translation, deduplication"):
        make_manifest([table], tracks, SamplingConfig(), "taxonomie")
    with pytest.raises(InputError, match="needs two catalogues"):
        make_manifest([table], tracks, SamplingConfig(), "translation")
    with pytest.raises(InputError, match="folds=1"):
        make_manifest([table], tracks, SamplingConfig(), folds=1)
    with pytest.raises(InputError, match="is empty: 2 artists are too few"):
        make_manifest([labelled([2])[0]], None, SamplingConfig())
    with pytest.raises(InputError, match="no annotated tracks"):
        make_manifest([], None, SamplingConfig())
