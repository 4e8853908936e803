"""The run directory: whose it is, who writes in it, and the log of its epochs."""

import contextlib
import json
import pathlib
from collections.abc import Iterator
from typing import Any

from tensorboardX import SummaryWriter

from tagjax import files, parallel
from tagjax.errors import InputError


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
        return [f"{name}: {len(a)} entries there, {len(b)} here, not the same"]
    return [f"{name}: {a!r} there, {b!r} here"]


def claim(run_dir: pathlib.Path, what: dict[str, Any]) -> None:
    """Writes `config.json`, or checks that the one there is the same.

    Args:
      run_dir: made if absent.
      what: whatever another run would differ in.

    Raises:
      InputError: the directory is of another run; the differences are named.
    """
    path = run_dir / "config.json"
    what = json.loads(json.dumps(what))
    if path.exists():
        lines = _differences(files.read_json(path), what)
        if lines:
            shown = "; ".join(lines[:4]) + (f"; and {len(lines) - 4} more" if lines[4:] else "")
            raise InputError(f"{run_dir} is of another run ({shown}); name another --run_dir")
    elif parallel.is_leader():
        files.write_json(path, what)


@contextlib.contextmanager
def locked(run_dir: pathlib.Path) -> Iterator[None]:
    """Holds the directory for the leader of this run alone; see `files.locked`."""
    if not parallel.is_leader():
        yield
        return
    with files.locked(run_dir, "wait for it, or name another --run_dir"):
        yield


class Log:
    """Metrics of each epoch, to `metrics.jsonl` and to TensorBoard; the leader's alone."""

    def __init__(self, run_dir: pathlib.Path, first_step: int) -> None:
        """Goes on after `first_step`: what was logged of later steps is dropped."""
        self._path = run_dir / "metrics.jsonl"
        self._board = None
        if not parallel.is_leader():
            return
        lines = self._path.read_text().splitlines() if self._path.exists() else []
        whole = [line for line in lines if line.endswith("}")]  # The last may be cut off.
        kept = [line for line in whole if json.loads(line)["step"] <= first_step]
        with files.atomic_path(self._path) as temporary:
            temporary.write_text("".join(f"{line}\n" for line in kept))
        board = str(run_dir / "tensorboard")
        self._board = SummaryWriter(board, purge_step=first_step + 1)

    def write(self, metrics: dict[str, float]) -> None:
        """Adds an epoch; `step` and `epoch` are among its metrics."""
        if self._board is None:
            return
        with self._path.open("a") as file:
            file.write(json.dumps(metrics) + "\n")
        for name, value in metrics.items():
            if name not in ("step", "epoch"):
                self._board.add_scalar(name, value, metrics["step"])

    def close(self) -> None:
        """Puts everything on disk."""
        if self._board is not None:
            self._board.close()
