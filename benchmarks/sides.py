"""Compares two programs for the same figures, in separate processes with separate memory peaks."""

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
    """Returns ({stage: seconds}, peak GiB, {figure: value})."""
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
    """Runs both in turns and prints the medians of their seconds, their peaks and their figures.

    Args:
      ways: {name: function(*arguments, lap)}. The function calls lap(stage) at the end of each
        stage and returns {figure: value}. The stage `imports` does not count.
      arguments: arguments of both functions.
      tolerance: the largest difference allowed between two values of a figure.
      shown: beginning of the names of the figures to print.
      turns: number of turns of each.

    Returns:
      The seconds of both.
    """
    taken: dict[str, list] = {name: [] for name in ways}
    for turn in range(turns):
        for name, way in ways.items():
            print(f"turn {turn + 1}/{turns} {name} ...", file=sys.stderr)
            with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
                taken[name].append(process.submit(_measured, way, arguments).result())
    stages = [stage for stage in next(iter(taken.values()))[0][0] if stage != "imports"]
    seconds = {
        stage: [statistics.median(turn[0][stage] for turn in results) for results in taken.values()]
        for stage in stages
    }
    seconds["together"] = [sum(times) for times in zip(*seconds.values(), strict=True)]
    print(f"{'seconds':<20}" + "".join(f"{name:>17}" for name in ways) + f"{'ratio':>8}")
    for stage, (first, second) in seconds.items():
        print(f"{stage:<20}{first:>17.2f}{second:>17.2f}{second / first:>8.1f}")
    first, second = (max(peak for _, peak, _ in results) for results in taken.values())
    print(f"{'peak GiB':<20}{first:>17.2f}{second:>17.2f}{second / first:>8.1f}")
    ours, theirs = (results[0][2] for results in taken.values())
    for key, value in ours.items():
        if key.startswith(shown):
            print(f"{key:<20}{value:>17.4f}{theirs[key]:>17.4f}")
        if not abs(value - theirs[key]) <= tolerance:
            sys.exit(f"{key}: {value} and {theirs[key]} are not the same")
    return seconds["together"][0], seconds["together"][1]
