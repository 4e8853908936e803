"""Finds numbers that a chain of links connects."""

import numpy as np
import numpy.typing as npt


def lowest_linked(count: int, first: npt.ArrayLike, second: npt.ArrayLike) -> np.ndarray:
    """The lowest number to which each number is linked, directly or through others.

    Args:
      count: the numbers are 0 to count - 1.
      first: int [links], one end of each link.
      second: int [links], the other end.

    Returns:
      int64 [count].

    >>> lowest_linked(6, [5, 3, 4], [3, 1, 4])
    array([0, 1, 2, 1, 4, 1])
    """
    from scipy.sparse import coo_array, csgraph  # Slow to import, and not always needed.

    ends = (np.asarray(first, np.int64), np.asarray(second, np.int64))
    links = coo_array((np.ones(len(ends[0]), bool), ends), shape=(count, count))
    component = csgraph.connected_components(links, directed=False)[1]
    return np.unique(component, return_index=True)[1][component]
