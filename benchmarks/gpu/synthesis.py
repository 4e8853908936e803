"""Log-mels of the synthetic generator at the paper's scale, on all cores, with 250 tags.

Two systems, a: and b:, name the same planted things. A style is a concept of the generator
played by dark, plain or bright artists (terciles of the equaliser's tilt; for the last three
concepts halves), a genre one of the generator's; each tag is in two halves, `_1` and `_2`,
by artist. That is 57 styles and 6 or 5 genres a system, twice: 250 tags, on which all three
tasks have a truth.
"""

import dataclasses
import functools
import itertools
import multiprocessing
import os
import pathlib
import time
from collections.abc import Iterator

import numpy as np

from tagjax.examples import frontend
from tagjax.synthetic import STYLES, SyntheticConfig, artist_sound, make_catalogue, render
from tagjax.synthetic.systems import GENRE_TAGS
from tagjax.vocabulary.taxonomy import Taxonomy
from tagjax.vocabulary.translation import Relation

_GENRES = 0.2  # Share of excerpts whose label is a genre.
_CHUNK = 16
_COARSE = tuple(STYLES)[-3:]
Job = tuple[int, str, int, int, float, float]


@dataclasses.dataclass(frozen=True)
class Plan:
    """Excerpts to render, and what is known of them.

    Attributes:
      tags: all 250.
      label: int32 [N], the one tag learnt.
      occurrences: uint8 [N, 250], all tags.
      part: uint8 [N]: 0 train, 1 validation, 2 test; by artist.
      jobs: what `render` needs, with the place of the excerpt.
    """

    tags: tuple[str, ...]
    label: np.ndarray
    occurrences: np.ndarray
    part: np.ndarray
    jobs: tuple[Job, ...]


def _variants(concept: str) -> int:
    return 2 if concept in _COARSE else 3


def _style(system: str, concept: str, variant: int, half: int) -> str:
    return f"{system}:{concept} {variant}_{half}"


def _genre(system: str, genre: str, half: int) -> str:
    return f"{system}:{GENRE_TAGS[system][genre]}_{half}"


def vocabulary() -> tuple[str, ...]:
    """The 250 tags, sorted."""
    tags = set()
    for system in ("a", "b"):
        for half in (1, 2):
            for concept, style in STYLES.items():
                tags |= {_style(system, concept, v, half) for v in range(_variants(concept))}
                tags |= {_genre(system, genre, half) for genre in style.genres}
    return tuple(sorted(tags))


def taxonomy() -> Taxonomy:
    """The genres of each style tag, of either half."""
    parents = {}
    for system in ("a", "b"):
        for concept, style in STYLES.items():
            genres = frozenset(_genre(system, g, half) for g in style.genres for half in (1, 2))
            for variant in range(_variants(concept)):
                for half in (1, 2):
                    parents[_style(system, concept, variant, half)] = genres
    return Taxonomy(parents)


def translation() -> tuple[Relation, ...]:
    """b: to a:, styles exactly; genres too, where b has one for two of a it is broader."""
    both = [(one, other) for one in (1, 2) for other in (1, 2)]
    rows = [
        Relation(_style("b", concept, variant, one), _style("a", concept, variant, other))
        for concept in STYLES
        for variant in range(_variants(concept))
        for one, other in both
    ]
    names = {genre for style in STYLES.values() for genre in style.genres}
    shared = [GENRE_TAGS["b"][genre] for genre in names]
    for genre in sorted(names):
        kind = "broad" if shared.count(GENRE_TAGS["b"][genre]) > 1 else "exact"
        rows += [
            Relation(_genre("b", genre, one), _genre("a", genre, other), kind)
            for one, other in both
        ]
    return tuple(rows)


def _artist(seed: int, artist_seed: int) -> tuple[int, float]:
    """Half of the tags (1 or 2), and tilt from 0 to 1."""
    half = np.random.default_rng([seed, 8, artist_seed]).integers(1, 3)
    return int(half), (artist_sound(artist_seed).tilt + 5) / 10


@functools.lru_cache(maxsize=1)
def plan(excerpts: int, seconds: float, seed: int = 1) -> Plan:
    """Draws excerpts, two of a track; a pure function of its arguments."""
    config = SyntheticConfig(seed=seed, tracks=-(-excerpts // 2), duration=(60.0, 180.0))
    catalogue = make_catalogue(config)
    member = {name: {row.track_id for row in rows} for name, rows in catalogue.annotations.items()}
    tags = vocabulary()
    place = {tag: i for i, tag in enumerate(tags)}
    label = np.zeros(excerpts, np.int32)
    occurrences = np.zeros((excerpts, len(tags)), np.uint8)
    part = np.zeros(excerpts, np.uint8)
    jobs: list[Job] = []
    known = functools.lru_cache(1)(_artist)  # Tracks of an artist follow one another.
    for k in range(excerpts):
        track = catalogue.tracks[k // 2]
        rng = np.random.default_rng([seed, 7, k])
        half, tilt = known(seed, track.artist_seed)
        part[k] = {3: 1, 6: 2}.get(int(track.artist_id[-1]), 0)
        count = _variants(track.concept)
        variant = min(int(tilt * count), count - 1)
        styles, genres = [], []
        for system in ("a", "b"):
            if track.track_id in member[system]:
                styles.append(_style(system, track.concept, variant, half))
                of = STYLES[track.concept].genres
                genres.append([_genre(system, genre, half) for genre in of])
        told = int(rng.integers(len(styles)))
        chosen = genres[told] if rng.uniform() < _GENRES else [styles[told]]
        label[k] = place[chosen[int(rng.integers(len(chosen)))]]
        for tag in [*styles, *(genre for several in genres for genre in several)]:
            occurrences[k, place[tag]] = 1
        start = float(rng.uniform(0, track.duration - seconds))
        jobs.append((k, track.concept, track.artist_seed, track.seed, start, seconds))
    return Plan(tags, label, occurrences, part, tuple(jobs))


def _rendered(jobs: list[Job]) -> tuple[list[int], np.ndarray]:
    """Places and log-mels, float16 [n, frames, 96], of some jobs."""
    mels = []
    for _, concept, artist, seed, start, seconds in jobs:
        audio = render(STYLES[concept], artist_sound(artist), seed, start, seconds)
        mels.append(frontend.stored(frontend.log_mel(audio), np.float16))
    return [job[0] for job in jobs], np.stack(mels)


def _ready() -> None:
    os.environ["OMP_NUM_THREADS"] = "1"


def generate(
    folder: pathlib.Path, excerpts: int, seconds: float, budget: float, workers: int
) -> Iterator[tuple[int, float]]:
    """Renders log-mels to `folder/mel.npy`, what is missing there, within a budget.

    Args:
      folder: of `mel.npy` (float16 [N, frames, 96]) and `done.npy` (bool [N]).
      excerpts: N.
      seconds: of an excerpt.
      budget: seconds after which no new work is handed out.
      workers: processes.

    Yields:
      (excerpts there, seconds gone).
    """
    folder.mkdir(parents=True, exist_ok=True)
    shape = (excerpts, frontend.FrontendConfig().frames(seconds), 96)
    mel, done = (
        _array(folder / f"{name}.npy", dtype, of)
        for name, dtype, of in (("mel", np.float16, shape), ("done", np.bool_, shape[:1]))
    )
    todo = [job for job in plan(excerpts, seconds).jobs if not done[job[0]]]
    begin = time.perf_counter()

    def chunks() -> Iterator[list[Job]]:
        for first in range(0, len(todo), _CHUNK):
            if time.perf_counter() - begin > budget:
                return
            yield todo[first : first + _CHUNK]

    if todo:
        # Work is drawn ahead of what is done, so little is handed out at a time.
        context = multiprocessing.get_context("spawn")
        with context.Pool(workers, _ready) as pool:
            handed = chunks()
            ahead = itertools.islice(handed, 2 * workers)
            running = [pool.apply_async(_rendered, (each,)) for each in ahead]
            while running:
                places, mels = running.pop(0).get()
                mel[places], done[places] = mels, True
                yield int(done.sum()), time.perf_counter() - begin
                if (more := next(handed, None)) is not None:
                    running.append(pool.apply_async(_rendered, (more,)))
    mel.flush()
    done.flush()
    yield int(done.sum()), time.perf_counter() - begin


def _array(path: pathlib.Path, dtype: type, shape: tuple[int, ...]) -> np.ndarray:
    if path.exists():
        array = np.load(path, mmap_mode="r+")
        if array.shape == shape:
            return array
    return np.lib.format.open_memmap(path, "w+", dtype, shape)


def load(folder: pathlib.Path, plan: Plan) -> tuple[np.ndarray, np.ndarray]:
    """(log-mels, for each excerpt of the plan its row in them).

    An excerpt that the budget left out shows one of its part and label, else is -1.
    """
    done = np.load(folder / "done.npy")
    there = np.flatnonzero(done)
    row = np.full(len(done), -1)
    row[there] = np.arange(len(there))
    if not done.all():
        known: dict[tuple[int, int], list[int]] = {}
        for k in there.tolist():
            known.setdefault((int(plan.part[k]), int(plan.label[k])), []).append(int(row[k]))
        for k in np.flatnonzero(~done).tolist():
            alike = known.get((int(plan.part[k]), int(plan.label[k])), [])
            if alike and plan.part[k] == 0:  # What is measured on is never shown twice.
                row[k] = alike[k % len(alike)]
    return np.load(folder / "mel.npy", mmap_mode="r")[there], row
