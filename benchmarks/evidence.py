"""Time and memory of evidence at scale: 500 tags, 100,000 tracks.

    python -m benchmarks.evidence [--tracks=N] [--tags=N] [--artists=N]

The predictions are drawn: each tag has a sound, each artist colours it. It prints the seconds of
each stage and the process's peak memory.
"""

import resource
import time

import numpy as np
import scipy.sparse
from absl import app, flags

from tagjax.evidence.weigh import weigh
from tagjax.similarity import halves
from tagjax.similarity.observations import observe
from tagjax.vocabulary.vocabulary import Vocabulary

_TRACKS = flags.DEFINE_integer("tracks", 100_000, "Tracks.", lower_bound=100)
_TAGS = flags.DEFINE_integer(
    "tags", 500, "Tags, half of them in each of two systems.", lower_bound=4
)
_ARTISTS = flags.DEFINE_integer("artists", 20_000, "Artists.", lower_bound=10)


def drawn(tracks: int, tags: int, artists: int, seed: int = 0):
    """(probabilities [tracks, tags], occurrences, artist of each track)."""
    rng = np.random.default_rng(seed)
    half = tags // 2
    artist = rng.integers(artists, size=tracks)
    system = artist % 2
    first = rng.integers(half, size=tracks)
    second = rng.integers(half, size=tracks)
    columns = np.concatenate([system * half + first, system * half + second])
    rows = np.tile(np.arange(tracks), 2)
    occurrences = scipy.sparse.csr_array((np.ones(2 * tracks), (rows, columns)), (tracks, tags))
    probabilities = rng.random((tracks, tags), np.float32) ** 8 + 1e-3
    for tag in (first, second):
        for unit in (tag, half + tag):
            probabilities[np.arange(tracks), unit] += 0.5 + rng.random(tracks, np.float32)
    probabilities[np.arange(tracks), artist % tags] += 1
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    return probabilities, occurrences, artist


def main(_: list[str]) -> None:
    """Prints the table."""
    probabilities, occurrences, artist = drawn(_TRACKS.value, _TAGS.value, _ARTISTS.value)
    half = _TAGS.value // 2
    names = [f"{system}{k}" for system in ("a:", "b:") for k in range(half)]
    vocabulary = Vocabulary.of(names, ("a:", "b:"))
    ids = [str(row) for row in range(_TRACKS.value)]
    stages = []

    def timed(name, call):
        start = time.monotonic()
        result = call()
        stages.append((name, time.monotonic() - start))
        return result

    observed = timed(
        "observe",
        lambda: observe(
            probabilities, occurrences, vocabulary, ids, [str(k) for k in artist], names
        ),
    )
    timed("halves", lambda: halves.recover(observed))
    timed("weigh", lambda: weigh(observed))
    print(f"{_TAGS.value} tags, {_TRACKS.value} tracks, {_ARTISTS.value} artists")
    for name, seconds in stages:
        print(f"{name:10} {seconds:8.1f} s")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"peak memory {peak:.2f} GiB, of which {probabilities.nbytes / 2**30:.2f} are the input")


if __name__ == "__main__":
    app.run(main)
