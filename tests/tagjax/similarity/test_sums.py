"""Machines that each sum some of the excerpts know what one that has all of them knows."""

import functools
import operator

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from tagjax.base.errors import InputError
from tagjax.similarity import sums
from tagjax.similarity.matrix import Similarity
from tagjax.similarity.sums import Sums

CLASSES = tuple(f"c{k}" for k in range(5))
TAGS = tuple(f"t{k}" for k in range(7))


def predicted(seed, rows=60):
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.full(len(CLASSES), 0.5), rows).astype(np.float32)
    m = (rng.random((rows, len(TAGS))) < 0.4).astype(np.uint8)
    m[:, 6] = 0  # A tag without excerpts.
    return p, m


@hypothesis.given(st.integers(0, 99), st.lists(st.integers(1, 59), unique=True, max_size=5))
def test_sums_of_parts_in_any_order_give_the_similarities_of_the_whole(seed, cuts):
    p, m = predicted(seed)
    parts = list(np.split(np.random.default_rng(seed).permutation(60), sorted(cuts)))
    found = functools.reduce(operator.add, [Sums.of(CLASSES, p[k], m[k], TAGS) for k in parts])
    assert found.rows == 60
    for name in sums.NAMES:
        tags = CLASSES if name == "fc" else TAGS
        whole = Similarity.from_predictions(p, tags, m, name, ridge=3.0)
        ours = found.similarity(name, ridge=3.0)
        assert ours.tags == whole.tags
        np.testing.assert_allclose(ours.matrix, whole.matrix, rtol=1e-9, atol=1e-12)


def test_sums_travel_as_a_file(tmp_path):
    p, m = predicted(0)
    Sums.of(CLASSES, p[:20], m[:20], TAGS).write(tmp_path / "a.npz")
    Sums.of(CLASSES, p[20:], m[20:], TAGS).write(tmp_path / "b.npz")
    found = sums.read(tmp_path / "a.npz") + sums.read(tmp_path / "b.npz")
    whole = Sums.of(CLASSES, p, m, TAGS)
    for name in sums.NAMES:
        ours, theirs = found.similarity(name).matrix, whole.similarity(name).matrix
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_what_cannot_be_added_or_read_is_refused(tmp_path):
    p, m = predicted(0)
    found = Sums.of(CLASSES, p, m, TAGS)
    with pytest.raises(InputError, match="sums of different tags"):
        found + Sums.of(CLASSES, p, m, TAGS[::-1])
    with pytest.raises(InputError, match="fw: sums give fc, fm, fr, fdist"):
        found.similarity("fw")
    (tmp_path / "torn.npz").write_bytes(b"PK")
    for name in ("torn.npz", "none.npz"):
        with pytest.raises(InputError, match=f"{name}: no sums that can be read"):
            sums.read(tmp_path / name)
