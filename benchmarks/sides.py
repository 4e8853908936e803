"""Two ways to the same figures, each in a process of its own: peaks of memory do not mix."""

import multiprocessing
import resource
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

Lap = Callable[[str], None]
Way = Callable[..., dict[str, float]]


def _measured(way: Way, arguments: tuple) -> tuple[dict[str, float], float, dict[str, float]]:
    """({stage: seconds}, peak GiB, what it found)."""
    stages: dict[str, float] = {}
    last = time.perf_counter()

    def lap(stage: str) -> None:
        nonlocal last
        now = time.perf_counter()
        stages[stage], last = now - last, now

    found = way(*arguments, lap)
    return stages, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, found


def compare(
    ways: dict[str, Way], arguments: tuple, tolerance: float, shown: str = "", turns: int = 1
) -> tuple[float, float]:
    """Two ways in turns; prints the medians of their seconds, peaks and what they found.

    Args:
      ways: {name: function(*arguments, lap)}; it calls lap(stage) at the end of each stage,
        of which `imports` does not count, and returns {figure: value}.
      arguments: of both.
      tolerance: by which no figure may differ.
      shown: figures that begin so are printed.
      turns: of each.

    Returns:
      Their seconds.
    """
    taken: dict[str, list] = {name: [] for name in ways}
    for turn in range(turns):
        for name, way in ways.items():
            print(f"turn {turn + 1}/{turns} {name} ...", file=sys.stderr)
            with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
                taken[name].append(process.submit(_measured, way, arguments).result())
    stages = [stage for stage in next(iter(taken.values()))[0][0] if stage != "imports"]
    seconds = {
        stage: [statistics.median(one[0][stage] for one in each) for each in taken.values()]
        for stage in stages
    }
    seconds["together"] = [sum(each) for each in zip(*seconds.values(), strict=True)]
    print(f"{'seconds':<20}" + "".join(f"{name:>17}" for name in ways) + f"{'ratio':>8}")
    for stage, (one, other) in seconds.items():
        print(f"{stage:<20}{one:>17.2f}{other:>17.2f}{other / one:>8.1f}")
    one, other = (max(peak for _, peak, _ in each) for each in taken.values())
    print(f"{'peak GiB':<20}{one:>17.2f}{other:>17.2f}{other / one:>8.1f}")
    ours, theirs = (each[0][2] for each in taken.values())
    for key, value in ours.items():
        if key.startswith(shown):
            print(f"{key:<20}{value:>17.4f}{theirs[key]:>17.4f}")
        if not abs(value - theirs[key]) <= tolerance:
            sys.exit(f"{key}: {value} and {theirs[key]} are not the same")
    return seconds["together"][0], seconds["together"][1]
