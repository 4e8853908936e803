"""Time and memory of evidence at scale.

    python -m benchmarks.evidence [--tracks=100000] [--tags=500] [--artists=20000]
    python -m benchmarks.evidence --together [--tracks=12000] [--tags=10000] [--second=2000]

The first hears tracks: the predictions are drawn, each tag has a sound, and each artist colours it.
The second has annotations alone, of tracks that two catalogues share. Both print the seconds of
each stage and the process's peak memory.
"""

import resource
import time

import numpy as np
import scipy.sparse
from absl import app, flags

from tagjax.evidence.inputs import common
from tagjax.evidence.weigh import weigh
from tagjax.similarity import halves
from tagjax.similarity.observations import observe
from tagjax.vocabulary.vocabulary import Vocabulary

_TOGETHER = flags.DEFINE_bool("together", False, "Annotations alone.")
_TRACKS = flags.DEFINE_integer(
    "tracks", None, "Tracks; 100,000, or 12,000 with --together.", lower_bound=100
)
_TAGS = flags.DEFINE_integer("tags", None, "Tags; 500, or 10,000 with --together.", lower_bound=4)
_SECOND = flags.DEFINE_integer(
    "second", None, "Tags of the second system, with --together; else half of all.", lower_bound=2
)
_ARTISTS = flags.DEFINE_integer("artists", 20_000, "Artists that are heard.", lower_bound=10)
_EACH = 30
"""Mean number of tags that a catalogue gives a shared track: rare tags have some 10 tracks then."""


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


def drawn_together(tracks: int, sizes: tuple[int, int], seed: int = 0) -> scipy.sparse.csr_array:
    """Annotations of two catalogues, {0, 1} [tracks, tags].

    A track has themes, the first ones most often. Each catalogue has a tag for each of its first
    themes and names two in three.
    """
    rng = np.random.default_rng(seed)
    weight = 1 / (np.arange(max(sizes)) + 20)
    number = tracks * _EACH * 3 // 2
    themes = rng.choice(len(weight), number, p=weight / weight.sum())
    rows = rng.integers(tracks, size=number)
    blocks = []
    for size in sizes:
        named = (themes < size) & (rng.random(number) < 2 / 3)
        cells = (np.ones(named.sum()), (rows[named], themes[named]))
        blocks.append(scipy.sparse.csr_array(cells, (tracks, size)))
    tags = scipy.sparse.csr_array(scipy.sparse.hstack(blocks, format="csr"))
    tags.data[:] = 1.0
    return tags


def main(_: list[str]) -> None:
    """Prints the table."""
    start, stages = time.monotonic(), []

    def timed(name, call):
        begin = time.monotonic()
        result = call()
        stages.append((name, time.monotonic() - begin))
        return result

    if _TOGETHER.value:
        tracks, tags = _TRACKS.value or 12_000, _TAGS.value or 10_000
    else:
        tracks, tags = _TRACKS.value or 100_000, _TAGS.value or 500
    second = (_TOGETHER.value and _SECOND.value) or tags // 2
    sizes = (tags - second, second)
    names = [f"{k}:{n}" for k, size in zip("ab", sizes, strict=True) for n in range(size)]
    vocabulary = Vocabulary.of(names, ("a:", "b:"))
    if _TOGETHER.value:
        occurrences = drawn_together(tracks, sizes)
        found = timed("weigh", lambda: weigh(None, common(vocabulary, occurrences)))
        size, what = occurrences.data.nbytes, f"{occurrences.nnz} annotations"
    else:
        probabilities, occurrences, artist = drawn(tracks, tags, _ARTISTS.value)
        ids, artists = [str(row) for row in range(tracks)], [str(k) for k in artist]
        observed = timed(
            "observe", lambda: observe(probabilities, occurrences, vocabulary, ids, artists, names)
        )
        timed("halves", lambda: halves.recover(observed))
        found = timed("weigh", lambda: weigh(observed))
        size, what = probabilities.nbytes, f"{_ARTISTS.value} artists"
    timed("rows", found.rows)
    print(f"{tags} tags, {tracks} tracks, {what}")
    for name, seconds in stages:
        print(f"{name:10} {seconds:8.1f} s")
    print(f"{'all':10} {time.monotonic() - start:8.1f} s, with the drawing")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"peak memory {peak:.2f} GiB, of which {size / 2**30:.2f} are the input")


if __name__ == "__main__":
    app.run(main)
