"""The run directory: which run it belongs to, who writes in it, and the log of its epochs."""

import contextlib
import json
import pathlib
import shutil
import warnings
from collections.abc import Iterator
from typing import Any

from tensorboardX import SummaryWriter

from tagjax.base import files
from tagjax.base.errors import InputError
from tagjax.run import devices

RESULT = frozenset({"epochs", "best_epoch", "step", "loss", "seconds"})
"""What `result.json` holds."""


def _differences(a: Any, b: Any, name: str = "") -> list[str]:
    if isinstance(a, dict) and isinstance(b, dict):
        keys = [*a, *(key for key in b if key not in a)]
        return [
            line
            for key in keys
            for line in _differences(a.get(key), b.get(key), f"{name}.{key}" if name else key)
        ]
    if a == b:
        return []
    if isinstance(a, list) and isinstance(b, list) and len(str(a)) + len(str(b)) > 80:
        return [f"{name}: {len(a)} entries there, {len(b)} here, which differ"]
    return [f"{name}: {a!r} there, {b!r} here"]


def _compared(record: Any, other: Any) -> Any:
    """The part of a record that `claim` compares; older records of the same run still match.

    Older records may contain the truth, and the systems of the tags instead of their vocabulary.
    The vocabulary is compared if both records have it.
    """
    if not isinstance(record, dict) or not isinstance(record.get("metadata"), dict):
        return record
    metadata = dict(record["metadata"])
    metadata.pop("truth", None)
    other_metadata = other.get("metadata") if isinstance(other, dict) else None
    if not isinstance(other_metadata, dict) or (
        ("vocabulary" in metadata) != ("vocabulary" in other_metadata)
    ):
        metadata.pop("vocabulary", None)
        metadata.pop("systems", None)
    return {**record, "metadata": metadata}


def claim(run_dir: pathlib.Path, identity: dict[str, Any]) -> None:
    """Writes `config.json`, or checks that an existing one is of the same run.

    Args:
      run_dir: the run directory; it is made if it does not exist.
      identity: the values that tell runs apart.

    Raises:
      InputError: the directory belongs to another run; the error names the differences.
    """
    path = run_dir / "config.json"
    here = json.loads(json.dumps(identity))
    if path.exists():
        try:
            there = files.read_json(path)
        except InputError as error:
            raise InputError(f"{error}; remove {run_dir}, or name another --run_dir") from None
        lines = _differences(_compared(there, here), _compared(here, there))
        if lines:
            shown = "; ".join(lines[:4]) + (f"; and {len(lines) - 4} more" if lines[4:] else "")
            raise InputError(f"{run_dir} is of another run ({shown}); name another --run_dir")
    elif devices.is_leader():
        files.write_json(path, here)


@contextlib.contextmanager
def locked(run_dir: pathlib.Path) -> Iterator[None]:
    """Lets process 0 of this run lock the directory; see `files.locked`."""
    if not devices.is_leader():
        yield
        return
    with files.locked(run_dir, "wait for it, or name another --run_dir"):
        for leftover in run_dir.glob(".*.tmp"):  # Left by a process that was killed.
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
        yield


def result(run_dir: pathlib.Path) -> dict[str, Any]:
    """The content of `result.json`.

    Raises:
      InputError: it is damaged.
    """
    path = run_dir / "result.json"
    try:
        value = files.read_json(path)
        if not (isinstance(value, dict) and value.keys() >= RESULT):
            raise InputError(f"{path}: without {', '.join(sorted(RESULT))}")
    except InputError as error:
        raise InputError(f"{error}; remove it: the same command writes it again") from None
    return value


def _logged(path: pathlib.Path, last_step: int) -> list[str]:
    """The lines of a log up to a step.

    Damaged lines are left out. A warning names them, except for the last line of the file.
    """
    raw = path.read_bytes().split(b"\n") if path.exists() else []
    kept = []
    for number, line in enumerate(raw):
        try:
            if json.loads(line)["step"] <= last_step:
                kept.append(line.decode())
        except (ValueError, TypeError, KeyError):
            if number < len(raw) - 1:  # A kill may cut the last line off.
                warnings.warn(f"{path}:{number + 1}: damaged; left out", stacklevel=3)
    return kept


class Log:
    """Writes the metrics of each epoch to `metrics.jsonl` and to TensorBoard, in process 0 only."""

    def __init__(self, run_dir: pathlib.Path, first_step: int) -> None:
        """Opens the log to continue after `first_step`; entries of later steps are dropped."""
        self._path = run_dir / "metrics.jsonl"
        self._board = None
        if not devices.is_leader():
            return
        kept = _logged(self._path, first_step)
        files.write_text(self._path, "".join(f"{line}\n" for line in kept))
        board = str(run_dir / "tensorboard")
        self._board = SummaryWriter(board, purge_step=first_step + 1)

    def write(self, metrics: dict[str, float]) -> None:
        """Adds the metrics of an epoch, among them `step` and `epoch`."""
        if self._board is None:
            return
        with self._path.open("a") as file:
            file.write(json.dumps(metrics) + "\n")
        for name, value in metrics.items():
            if name not in ("step", "epoch"):
                self._board.add_scalar(name, value, metrics["step"])

    def close(self) -> None:
        """Writes everything to disk."""
        if self._board is not None:
            self._board.close()
