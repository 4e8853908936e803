"""Embeddings against the paper's equations, written out as loops in float64."""

import tracemalloc

import hypothesis
import numpy as np
import pytest
import sklearn.linear_model
import sklearn.metrics.pairwise
from hypothesis import strategies as st

from tagjax.base.errors import InputError
from tagjax.similarity import embeddings


@pytest.fixture(scope="module")
def predictions():
    rng = np.random.default_rng(1)
    logits = rng.normal(size=(57, 6)) * 3
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    occurrences = (rng.random((57, 9)) < 0.3).astype(np.uint8)
    return p.astype(np.float32), occurrences


def cosine_loop(vectors):
    """Equation of section 2.4.5, pair by pair."""
    n = vectors.shape[1]
    out = np.empty((n, n))
    for i in range(n):
        for j in range(n):
            a, b = vectors[:, i].astype(np.float64), vectors[:, j].astype(np.float64)
            out[i, j] = (a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum())
    return out


def test_fw_is_the_kernel_and_stacks_folds():
    one, two = np.eye(3, 4, dtype=np.float32), np.full((2, 4), 5.0)
    np.testing.assert_array_equal(embeddings.fw(one), one)
    stacked = embeddings.fw([one, two])
    assert stacked.shape == (5, 4)
    np.testing.assert_array_equal(stacked[:, 2], [0, 0, 1, 5, 5])
    with pytest.raises(ValueError, match="different classes"):
        embeddings.fw([one, np.eye(3)])


@pytest.mark.parametrize("rows", [1, 10, 57, 1000])
def test_fm_is_the_mean_over_a_tags_excerpts(predictions, rows):
    p, m = predictions
    m = m.copy()
    m[:, 3] = np.arange(57) == 20  # a tag of a single excerpt
    got = embeddings.fm(p, m, rows=rows)
    assert got.shape == (6, 9)  # nine tags, of which the classifier knows six
    for j in range(9):
        expected = np.mean([p[k].astype(np.float64) for k in range(57) if m[k, j]], axis=0)
        np.testing.assert_allclose(got[:, j], expected, rtol=1e-12)
    np.testing.assert_allclose(got.sum(axis=0), 1, rtol=1e-6)  # a distribution, says the paper


def test_fm_of_a_tag_without_excerpt_has_no_similarity(predictions):
    p, m = predictions
    m = m.copy()
    m[:, 4] = 0
    similarity = embeddings.cosine(embeddings.fm(p, m))
    assert np.isnan(similarity[4]).all()
    assert np.isnan(similarity[:, 4]).all()
    assert not np.isnan(np.delete(np.delete(similarity, 4, 0), 4, 1)).any()


@pytest.mark.parametrize("rows", [1, 8, 57, 1000])
def test_fc_and_fdist_stream_to_the_same_cosine(predictions, rows, tmp_path):
    for name, array in zip(("p", "m"), predictions, strict=True):
        np.save(tmp_path / f"{name}.npy", array)
        mapped = np.load(tmp_path / f"{name}.npy", mmap_mode="r")
        products = embeddings.gram(embeddings.chunks_of(mapped, rows))
        np.testing.assert_allclose(
            embeddings.cosine_of_gram(products), cosine_loop(array), rtol=1e-12
        )
        some = embeddings.Rows(mapped, np.array([0, 1, 2, 9, 30, 31, 56]))
        expected = cosine_loop(array[some.places])
        np.testing.assert_allclose(embeddings.cosine(some, rows), expected, rtol=1e-12)


def test_fc_and_fdist_are_not_copied(predictions):
    p, m = predictions
    assert np.shares_memory(embeddings.fc(p), p)
    assert np.shares_memory(embeddings.fdist(m), m)


@pytest.mark.parametrize("dtype", [np.uint8, bool, np.float32])
def test_occurrences_are_counted_together(predictions, dtype):
    m = predictions[1]
    chunks = (m[start : start + 13].astype(dtype) for start in range(0, len(m), 13))
    together = [[sum(a and b for a, b in zip(x, y, strict=True)) for y in m.T] for x in m.T]
    np.testing.assert_array_equal(embeddings.gram(chunks), together)


def test_gram_holds_one_chunk_at_a_time():
    shape = (50_000, 3)
    chunks = (np.full(shape, k, dtype=np.float32) for k in range(20))
    tracemalloc.start()
    products = embeddings.gram(chunks)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5 * np.prod(shape) * 8
    np.testing.assert_array_equal(products, 50_000 * sum(k * k for k in range(20)))


def test_rows_read_what_is_asked_for():
    array = np.arange(40).reshape(10, 4)
    rows = embeddings.Rows(array, np.array([1, 2, 3, 7, 9]))
    np.testing.assert_array_equal(rows[:], array[[1, 2, 3, 7, 9]])
    np.testing.assert_array_equal(rows[2:4], array[[3, 7]])
    assert np.shares_memory(rows[0:3], array)  # neighbours are not copied
    assert embeddings.fc(rows) is rows


@pytest.mark.parametrize("rows", [1, 7, 4096])
@pytest.mark.parametrize("ridge", [0.5, 20])
def test_fr_is_ridge_regression(predictions, ridge, rows):
    p, m = predictions
    roots = np.sqrt(np.asarray(p, np.float64))
    expected = sklearn.linear_model.Ridge(alpha=ridge, fit_intercept=False, solver="svd").fit(
        m.astype(np.float64), roots - roots.mean(axis=0)
    )
    np.testing.assert_allclose(embeddings.fr(p, m, ridge, rows), expected.coef_, atol=1e-10)


def test_fr_tells_a_tag_from_the_company_it_keeps():
    """b always goes with a; what b adds is the third answer, which fm of a has in it too."""
    p = np.repeat([[0.8, 0.2, 0.0], [0.4, 0.1, 0.5], [0.1, 0.9, 0.0]], 200, axis=0)
    m = np.repeat([[1, 0, 0], [1, 1, 0], [0, 0, 1]], 200, axis=0)
    added = embeddings.fr(p, m, ridge=1)
    assert added[2, 0] < 0 < added[2, 1]
    means = embeddings.fm(p, m)
    assert means[2, 0] > 0.2


@pytest.mark.parametrize("ridge", [0, -1, np.nan])
def test_fr_needs_a_ridge(predictions, ridge):
    with pytest.raises(ValueError, match="must be above 0"):
        embeddings.fr(*predictions, ridge)


def test_an_embedding_takes_what_its_table_says(predictions):
    p, m = predictions
    inputs = {"kernels": np.eye(6), "probabilities": p, "occurrences": m, "ridge": 3}
    assert embeddings.NAMES == ("fw", "fc", "fm", "fr", "fdist")
    for name, expected in (
        ("fw", embeddings.fw(np.eye(6))),
        ("fc", p),
        ("fm", embeddings.fm(p, m)),
        ("fr", embeddings.fr(p, m, 3)),
        ("fdist", m),
    ):
        np.testing.assert_array_equal(embeddings.named(name).of(inputs), expected)
    with pytest.raises(InputError, match="fm needs occurrences"):
        embeddings.named("fm").of({"probabilities": p})
    with pytest.raises(InputError, match="unknown embedding 'fx'; one of fw, fc, fm, fr, fdist"):
        embeddings.named("fx")


@hypothesis.given(
    st.integers(1, 12), st.integers(1, 8), st.integers(0, 2**32 - 1), st.floats(1e-6, 1e6)
)
@hypothesis.settings(max_examples=50, deadline=None)
def test_cosine_is_scikit_learns_symmetric_and_free_of_scale(d, n, seed, scale):
    vectors = np.random.default_rng(seed).normal(size=(d, n))
    similarity = embeddings.cosine(vectors)
    expected = sklearn.metrics.pairwise.cosine_similarity(vectors.T)
    np.testing.assert_allclose(similarity, expected, atol=1e-12)
    np.testing.assert_array_equal(similarity, similarity.T)
    np.testing.assert_array_equal(np.diagonal(similarity), 1)
    assert np.abs(similarity).max() <= 1
    np.testing.assert_allclose(embeddings.cosine(vectors * scale), similarity, atol=1e-9)


def test_wrong_shapes_are_named():
    with pytest.raises(ValueError, match="3 rows of probabilities but 4 rows of occurrences"):
        embeddings.fm(np.ones((3, 2)), np.ones((4, 2)))
    with pytest.raises(ValueError, match="shape"):
        embeddings.fc(np.ones(3))
    with pytest.raises(ValueError, match="no rows"):
        embeddings.gram([])
