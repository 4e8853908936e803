"""How alike the names of tags are: a prior for who asks for it, as no half can teach it."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tagjax.base.errors import InputError
from tagjax.vocabulary.tags import GENRE


def alike(names: Sequence[str], others: Sequence[str]) -> npt.NDArray[np.float64]:
    """Similarity of names in [0, 1], whatever the order of their words.

    Args:
      names: of Q tags, without prefix, and
      others: of C tags.

    Returns:
      float64 [Q, C].

    Raises:
      InputError: RapidFuzz is not installed.

    Reference: https://rapidfuzz.github.io/RapidFuzz/Usage/fuzz.html#token-sort-ratio
    """
    try:
        from rapidfuzz import fuzz, process, utils
    except ImportError:
        raise InputError("names above 0 need RapidFuzz: pip install 'tagjax[names]'") from None
    first, second = (
        [name.removeprefix(GENRE).replace("&", " and ") for name in side]
        for side in (names, others)
    )
    found = process.cdist(
        first,
        second,
        scorer=fuzz.token_sort_ratio,
        processor=utils.default_process,
        dtype=np.float32,
    )
    return np.asarray(found, np.float64) / 100
