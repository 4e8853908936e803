"""Decodes excerpts as a build's worker does, and tells what each cost; run by test_audio.py.

Lines of JSON in, [path, start, duration]; lines of JSON out: the reason why there is no excerpt
or "", whether all of it is finite, its shape, seconds, and by how many MiB the file raised the
most memory that the process ever held.
"""

import json
import sys
import time

import numpy as np

from tagjax.examples import workers

CONFIG = workers.BuildConfig(workers=0, mel_dtype="float32")


def _memory(name: str) -> float:
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(name)) / 1024


def _read(path, start, duration):
    return workers.read_file(path, start, duration, "/", 22050, CONFIG.decode)


for line in sys.stdin:
    job = tuple(json.loads(line))
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # The peak begins anew.
    before, began = _memory("VmRSS"), time.monotonic()
    (outcome,) = workers.compute([job], _read, CONFIG)
    found = {
        "reason": outcome.reason,
        "finite": outcome.mel is None or bool(np.isfinite(outcome.mel).all()),
        "shape": None if outcome.mel is None else outcome.mel.shape,
        "seconds": time.monotonic() - began,
        "grown": _memory("VmHWM") - before,
        "peak": _memory("VmHWM"),
    }
    print(json.dumps(found), flush=True)
