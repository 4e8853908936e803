"""A run directory, and what it says of its tags."""

import dataclasses

import numpy as np
import pytest
import sklearn.linear_model
import sklearn.metrics.pairwise

from tagjax.base import files
from tagjax.base.errors import InputError
from tagjax.run import predictions
from tagjax.similarity import embeddings
from tagjax.similarity import run as runs
from tagjax.vocabulary.taxonomy import Taxonomy
from tagjax.vocabulary.translation import Relation
from tagjax.vocabulary.truth import Truth, write_truth
from tagjax.vocabulary.vocabulary import Vocabulary

TAGS = ("a:x_1", "a:x_2", "b:y")
ROWS = 30
PARTS = ("test", "overlap", "fold_1_overlap")
ROWS_OLD = {"taxonomy": [["a:x", "a:g"]], "translation": [["b:y", "a:x", "exact"]]}


def make(folder, metadata, kernel=True, predicted=True, labels=(), multi_label=True):
    rng = np.random.default_rng(0)
    folder.mkdir(exist_ok=True)
    files.write_json(folder / "config.json", {"dataset": "d/c", "metadata": metadata})
    if kernel:
        np.save(folder / "fw_kernel.npy", rng.normal(size=(4, 3)).astype(np.float32))
    if predicted:
        with predictions.writing(folder / "predictions", TAGS, ROWS, labels) as writer:
            for k in range(ROWS):
                row = rng.dirichlet(np.ones(3)).astype(np.float32)
                own = "|".join(tag for tag in TAGS if rng.random() < 0.6) or TAGS[0]
                own = own if multi_label else ""
                writer.add(row, (f"t{k}", TAGS[k % 3], PARTS[k % 3], f"r{k}", "", own))
    return folder


def ridge_regression(p, m, ridge):
    """fr by scikit-learn, a row a tag."""
    roots = np.sqrt(p.astype(np.float64))
    model = sklearn.linear_model.Ridge(alpha=ridge, fit_intercept=False)
    return model.fit(m.astype(np.float64), roots - roots.mean(axis=0)).coef_.T


def vocabulary():
    # Recorded as no guess would have it.
    return Vocabulary(TAGS, ("", "b:"), ("", "", "b:"), (0, 0, 0))


@pytest.fixture
def run(tmp_path):
    return runs.load_run(make(tmp_path / "run", {"vocabulary": vocabulary().record()}))


def test_what_a_run_recorded_is_believed(run):
    assert run.vocabulary == vocabulary()
    for similarity in run.similarities().values():
        assert similarity.vocabulary == vocabulary()


def test_a_recorded_vocabulary_follows_the_predictions(tmp_path):
    more = Vocabulary.of(("b:z", *TAGS[::-1]), ("a:", "b:"), halves=True)
    run = runs.load_run(make(tmp_path / "run", {"vocabulary": more.record()}))
    assert run.vocabulary == more.select(TAGS)
    less = vocabulary().select(TAGS[:2])
    make(tmp_path / "less", {"vocabulary": less.record()})
    with pytest.raises(InputError, match="vocabulary lacks tags of"):
        runs.load_run(tmp_path / "less")


@pytest.mark.parametrize(
    ("metadata", "systems", "half"),
    [
        ({"experiment": "taxonomy", "systems": [""], "truth": {}}, ("",), (0, 0, 0)),
        ({"experiment": "deduplication", "systems": ["a:", "b:"]}, ("a:", "b:"), (1, 2, 0)),
        ({"experiment": "translation", "systems": ["a:", "b:"]}, ("a:", "b:"), (0, 0, 0)),
        ({}, ("",), (0, 0, 0)),
    ],
)
def test_an_older_run_has_its_systems(tmp_path, metadata, systems, half):
    run = runs.load_run(make(tmp_path / "run", metadata))
    assert (run.vocabulary.systems, run.vocabulary.half) == (systems, half)


def test_truth_is_the_copy_in_the_run_or_an_older_ones_metadata(tmp_path):
    path = make(tmp_path / "run", {"systems": ["a:", "b:"], "truth": ROWS_OLD})
    old = Truth(Taxonomy.of([("a:x", "a:g")]), (Relation("b:y", "a:x"),))
    assert runs.load_run(path).truth == old
    new = Truth(duplicates=(("a:x", "b:y"),))
    (path / "truth").mkdir()
    write_truth(path / "truth", new)
    assert runs.load_run(path).truth == new


def test_similarities_are_cosines_of_the_rows_that_count(run):
    p, m = np.array(run.predictions.probabilities), np.array(run.predictions.occurrences)
    parts = np.arange(ROWS) % 3
    heard, overlap = parts == 0, parts > 0
    means = np.stack([p[heard][m[heard, k] == 1].mean(axis=0, dtype=np.float64) for k in range(3)])
    expected = {"fw": run.kernels[0].T, "fc": p[heard].T, "fm": means, "fdist": m.T}
    expected["fr"] = ridge_regression(p[heard], m[heard], run.recovery.ridge)
    found = run.similarities()
    assert list(found) == list(embeddings.NAMES)
    for name, vectors in expected.items():
        cosine = sklearn.metrics.pairwise.cosine_similarity(vectors.astype(np.float64))
        np.testing.assert_allclose(found[name].matrix, cosine, atol=1e-9)
        np.testing.assert_array_equal(run.similarity(name).matrix, found[name].matrix)
        np.testing.assert_allclose(run.embedding(name), vectors.T, atol=1e-9)
    together = run.similarity("fdist", "overlap").matrix
    cosine = sklearn.metrics.pairwise.cosine_similarity(m[overlap].T.astype(np.float64))
    np.testing.assert_allclose(together, cosine, atol=1e-12)
    np.testing.assert_array_equal(run.similarity("fc", "overlap").matrix, found["fc"].matrix)


def test_a_track_of_both_catalogues_moves_nothing_that_was_heard(tmp_path, run):
    """fm would learn from annotations which tags go together: with folds as well as without."""
    p, parts = run.predictions.probabilities, np.array(run.predictions.excerpts["part"])
    changed, both = np.array(p), np.char.endswith(parts, "overlap")
    assert {*parts[both]} == {"overlap", "fold_1_overlap"}
    changed[both] = [1, 0, 0]
    other = dataclasses.replace(run.predictions, probabilities=changed)
    without = dataclasses.replace(run, predictions=other)
    for name in embeddings.NAMES:
        np.testing.assert_array_equal(
            run.similarity(name, "overlap").matrix, without.similarity(name, "overlap").matrix
        )
    assert run.accuracy().hits.tolist() == without.accuracy().hits.tolist()


@pytest.mark.parametrize("metadata", [{"multi_label": False}, {}])
def test_labels_alone_have_no_cooccurrence(tmp_path, metadata):
    run = runs.load_run(make(tmp_path / "run", metadata, multi_label=False))
    assert list(run.similarities()) == ["fw", "fc", "fm", "fr"]
    for door in (run.similarity, run.embedding):
        with pytest.raises(InputError, match=r"fdist needs all tags of a track, .* only labels"):
            door("fdist")
    some = {f"t{k}": ["new", "y"] for k in range(ROWS)}
    assert list(run.with_new_tags(some, "b:")) == ["fm", "fr"]
    # Where nothing is left of the labels, the new annotations say what goes together.
    every = {f"t{k}": ["a:x_1", "a:x_2", "b:y"][k % 2 :] for k in range(ROWS)}
    assert list(run.with_new_tags(every)) == ["fm", "fr", "fdist"]


def labels(excerpts, artists):
    artists = None if artists is None else np.array(artists)
    return predictions.Labels(np.array(excerpts), artists)


@pytest.mark.parametrize(
    ("models", "trained", "untrained"),
    [
        ((), {}, ()),  # An older run did not record it.
        ([labels([9, 0, 9], [2, 0, 2])], {}, (TAGS[1],)),
        ([labels([9, 9, 9], [2, 1, 2])], {}, (TAGS[1],)),
        ([labels([9, 9, 9], [2, 1, 2])], {"least_artists": 1}, ()),
        ([labels([9, 4, 9], [2, 2, 2])], {"least_labels": 5}, (TAGS[1],)),
        ([labels([9, 0, 1], None)], {}, (TAGS[1],)),
    ],
)
def test_tags_that_nobody_trained_have_no_direction(tmp_path, models, trained, untrained):
    path = make(tmp_path / "run", {}, labels=models)
    run = runs.load_run(path, runs.TrainedConfig(**trained))
    assert run.untrained == untrained
    absent = np.isin(TAGS, untrained)
    masked = absent[:, None] | absent
    before = runs.load_run(make(tmp_path / "older", {}))
    for name in embeddings.NAMES:
        found, wanted = run.similarity(name).matrix, before.similarity(name).matrix.copy()
        if name in ("fw", "fc"):
            wanted[masked] = np.nan
            assert np.isnan(run.embedding(name)).all(axis=0).tolist() == absent.tolist()
        np.testing.assert_array_equal(found, wanted)
        again = embeddings.cosine(run.embedding(name))  # As whoever reads the file does it.
        np.testing.assert_allclose(again, wanted, atol=1e-9)


@pytest.mark.parametrize(
    ("excerpts", "artists", "untrained"),
    [
        # All of b:y is in fold 1, whose model was never shown it, whatever the other was.
        (([9, 9, 9], [9, 9, 0]), ([3, 3, 3], [3, 3, 0]), (TAGS[2],)),
        (([9, 9, 0], [9, 9, 9]), ([3, 3, 0], [3, 3, 3]), ()),
        # a:x_1 is in both folds; the model of one of them was shown it.
        (([9, 9, 9], [0, 9, 9]), ([3, 3, 3], [0, 3, 3]), ()),
        (([9, 9, 9], [9, 9, 9]), ([1, 3, 3], [1, 3, 3]), (TAGS[0],)),
    ],
)
def test_a_tag_has_to_be_known_to_a_model_that_predicts_it(tmp_path, excerpts, artists, untrained):
    models = [labels(*pair) for pair in zip(excerpts, artists, strict=True)]
    path = tmp_path / "run"
    make(path, {})
    with predictions.writing(path / "predictions", TAGS, 6, models) as writer:
        for k in range(6):
            tag = [TAGS[0], TAGS[1], TAGS[0], TAGS[1], TAGS[2], TAGS[0]][k]
            part = "fold_0" if k < 2 else ("fold_1", "fold_1_downsampled")[k % 2]
            row = np.full(3, 1 / 3, np.float32)
            writer.add(row, (f"t{k}", tag, part, f"r{k}", "", tag))
    assert runs.load_run(path).untrained == untrained


def test_tracks_and_artists_of_each_tag_and_of_its_halves_together(run):
    m, ids = run.predictions.occurrences, np.arange(ROWS)
    counts = run.counts
    for k, tag in enumerate(TAGS):
        assert counts[tag] == (m[:, k].sum(), m[:, k].sum())
    halves = dataclasses.replace(run, vocabulary=Vocabulary.of(TAGS, ("a:", "b:"), True))
    both = int((m[:, 0] | m[:, 1]).sum())
    assert halves.counts["a:x"] == (both, both)
    excerpts = {**run.predictions.excerpts, "sng_id": [f"t{k // 2}" for k in ids]}
    excerpts["artist_id"] = ROWS * [""]
    fewer = dataclasses.replace(run.predictions, excerpts=excerpts)
    some = m.reshape(-1, 2, 3).any(axis=1).sum(axis=0)
    got = dataclasses.replace(run, predictions=fewer).counts
    assert [got[tag] for tag in TAGS] == [(n, None) for n in some]


def test_accuracy_is_of_the_held_out_tracks_beside_both_kinds_of_chance(run):
    got, rows = run.accuracy(), np.arange(0, ROWS, 3)
    excerpts = {**run.predictions.excerpts}
    assert {excerpts["label"][row] for row in rows} == {TAGS[0]}
    wanted = run.predictions.probabilities[rows].argmax(axis=1) == 0
    assert got.hits.tolist() == wanted.tolist()
    assert 0 < wanted.sum() < len(rows)
    assert (got.tags, got.commonest, got.commonest_share) == (3, TAGS[0], 1.0)
    excerpts["label"] = [TAGS[k // 3 % 3] for k in range(ROWS)]
    other = dataclasses.replace(run.predictions, excerpts=excerpts)
    got = dataclasses.replace(run, predictions=other).accuracy()
    assert (got.commonest, got.commonest_share) == (TAGS[0], 0.4)


def test_folds_are_stacked(tmp_path):
    path = make(tmp_path / "run", {}, kernel=False)
    kernels = [np.full((2, 3), k, np.float32) for k in (1, 2)]
    for k, kernel in enumerate(kernels):
        (path / f"fold_{k}").mkdir()
        np.save(path / f"fold_{k}" / "fw_kernel.npy", kernel)
    np.testing.assert_array_equal(runs.load_run(path).embedding("fw"), np.concatenate(kernels))


def test_a_long_embedding_is_thinned_evenly(run):
    got = run.embedding("fdist", max_rows=4)
    np.testing.assert_array_equal(got, run.predictions.occurrences[[0, 9, 19, 29]])
    assert run.embedding("fm", max_rows=1).shape == (3, 3)  # has no dimension an excerpt


def test_new_tags_have_an_embedding(run):
    annotations = {f"t{k}": ["new", "y"] if k % 2 else ["y"] for k in range(ROWS)}
    found = run.with_new_tags(annotations, "b:")
    assert list(found) == ["fm", "fr", "fdist"]
    for similarity in found.values():
        assert similarity.tags == ("a:x_1", "a:x_2", "b:new", "b:y")
        assert similarity.vocabulary.system == ("", "", "b:", "b:")
    p, heard = run.predictions.probabilities, np.arange(ROWS) % 3 == 0
    new = np.arange(ROWS) % 2 == 1
    means = [p[heard & new].mean(axis=0, dtype=float), p[heard].mean(axis=0, dtype=float)]
    expected = sklearn.metrics.pairwise.cosine_similarity(means)[0, 1]
    assert found["fm"].reordered(["b:new", "b:y"]).matrix[0, 1] == pytest.approx(expected)
    # b:y is what the new annotations say: on every track, so like b:new on half of them.
    together = found["fdist"].reordered(["b:new", "b:y"]).matrix[0, 1]
    assert together == pytest.approx(0.5**0.5)
    with pytest.raises(InputError, match="none of the 1 annotated tracks is among"):
        run.with_new_tags({"elsewhere": ["x"]})


@pytest.mark.parametrize("wrong", [{"embedding": "fx"}, {"fdist_of": "none"}])
def test_an_unknown_name_is_refused_with_the_valid_ones(run, wrong):
    with pytest.raises(InputError, match=r"one of fw, fc, fm, fr, fdist|one of all, overlap"):
        run.similarity(**wrong)


def test_what_is_no_run_or_not_finished_is_told_what_to_do(tmp_path):
    with pytest.raises(InputError, match=r"no run is there; make one: python -m launch.train"):
        runs.load_run(tmp_path)
    make(tmp_path / "run", {}, predicted=False)
    with pytest.raises(InputError, match=r"no predictions yet; finish it: .*--dataset=d/c"):
        runs.load_run(tmp_path / "run")


def test_the_newest_fitting_run_is_found(tmp_path):
    with pytest.raises(InputError, match=r"no run in .* suits this task; make one: do it"):
        runs.find(tmp_path, ["taxonomy"], "do it")
    for name, experiment in (("one", "taxonomy"), ("two", "taxonomy"), ("three", "other")):
        make(tmp_path / name, {"experiment": experiment})
    make(tmp_path / "two" / "fold_1", {"experiment": "taxonomy"})
    make(tmp_path / "four", {"experiment": "taxonomy"}, predicted=False)
    assert runs.find(tmp_path, ["taxonomy"], "do it") == tmp_path / "two"
