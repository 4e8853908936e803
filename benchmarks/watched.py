"""Runs a program and watches it: time, memory of all its processes, disk (Linux)."""

import dataclasses
import os
import pathlib
import subprocess
import sys
import tempfile
import time

_EVERY = 0.02
"""Seconds between two looks at the memory."""
_DISK_EVERY = 10
"""Looks at the memory for one at the disk, which takes longer."""
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclasses.dataclass(frozen=True)
class Watched:
    """What a program took.

    Attributes:
      seconds: from its start to its end.
      processor: seconds of all its processes on all cores, up to the last look at each.
      resident: MiB, the peak of all its processes together.
      anonymous: MiB, the same without pages of files, which the system can take back.
      disk: MiB that it left in the folder, and
      disk_peak: the most that it had there.
    """

    seconds: float
    processor: float
    resident: float
    anonymous: float
    disk: float
    disk_peak: float


def watch(module: str, *arguments: str, folder: pathlib.Path) -> Watched:
    """Runs `python -m module`; ends this program too if it fails.

    Args:
      module: such as launch.build.
      arguments: of it.
      folder: on whose disk it writes.
    """
    before = _on_disk(folder)
    peaks, most, processor, looks = (0, 0), before, dict[int, int](), 0
    with tempfile.TemporaryFile() as output:
        begin = time.perf_counter()
        command = [sys.executable, "-m", module, *arguments]
        process = subprocess.Popen(command, stdout=output, stderr=output)
        while process.poll() is None:
            resident, anonymous = _look(process.pid, processor)
            peaks = max(peaks[0], resident), max(peaks[1], anonymous)
            if looks % _DISK_EVERY == 0:
                most = max(most, _on_disk(folder))
            looks += 1
            time.sleep(_EVERY)
        seconds = time.perf_counter() - begin
        if process.returncode:
            output.seek(0)
            sys.exit(output.read().decode()[-2000:])
    left = _on_disk(folder)
    disk = [(size - before) / 2**20 for size in (left, max(most, left))]
    total = sum(processor.values()) / _TICKS
    return Watched(seconds, total, peaks[0] / 1024, peaks[1] / 1024, *disk)


def _look(pid: int, processor: dict[int, int]) -> tuple[int, int]:
    """kB of (resident, anonymous) memory of a process and its descendants; notes their ticks."""
    total, anonymous, below = 0, 0, [pid]
    for process_id in below:
        try:
            folder = pathlib.Path(f"/proc/{process_id}")
            status = dict(line.split(":\t", 1) for line in _lines(folder / "status"))
            for children in folder.glob("task/*/children"):  # Of each thread.
                below += map(int, children.read_text().split())
            times = (folder / "stat").read_text().rpartition(")")[2].split()
            processor[process_id] = int(times[11]) + int(times[12])
        except (OSError, ValueError):
            continue  # The process has ended.
        total += int(status.get("VmRSS", "0").split()[0])
        anonymous += int(status.get("RssAnon", "0").split()[0])
    return total, anonymous


def _lines(path: pathlib.Path) -> list[str]:
    return path.read_text().splitlines()


def _on_disk(folder: pathlib.Path) -> int:
    """Bytes of the files below a folder; a file of two names counts once."""
    sizes = {}
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                found = os.lstat(os.path.join(root, name))
            except OSError:
                continue  # It has gone meanwhile.
            sizes[found.st_ino] = found.st_blocks * 512
    return sum(sizes.values())
