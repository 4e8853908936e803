"""Programs started from a process that has imported their libraries: a start takes a second.

A child is `python -m MODULE ARGUMENTS` in all else. It counts the phases that it comes through
in a file, so that a trial can kill it in each of them.
"""

import json
import os
import pathlib
import signal
import struct
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
PHASES = ("read", "resume", "step", "evaluate", "log", "save", "restore", "predict", "row")
_QUICK = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"


class Child:
    """A started program."""

    def __init__(self, log):
        self.log, self.marks = log, log.with_suffix(".marks")
        while not log.with_suffix(".pid").exists():
            time.sleep(0.001)
        self.pid = int(log.with_suffix(".pid").read_text())

    @property
    def code(self):
        """The exit code; None while it runs."""
        path = self.log.with_suffix(".code")
        return int(path.read_text()) if path.exists() else None

    def wait(self, timeout=240.0):
        began = time.monotonic()
        while self.code is None:
            if time.monotonic() - began > timeout:
                self.send(signal.SIGKILL)
                raise TimeoutError(f"still running after {timeout} s: {self.output()}")
            time.sleep(0.002)
        return self.code

    def rest(self, seconds):
        """Lets it run for so long, or until it ends."""
        began = time.monotonic()
        while self.code is None and time.monotonic() - began < seconds:
            time.sleep(0.0005)

    def send(self, number):
        if self.code is None:
            os.kill(self.pid, number)

    def counts(self):
        """{phase: how often it was entered}, and "in": the one it is in, or ""."""
        *counts, inside = struct.unpack(f"{len(PHASES) + 1}i", self.marks.read_bytes())
        return dict(zip(PHASES, counts, strict=True)) | {"in": ("", *PHASES)[inside]}

    def reach(self, phase, number):
        """Waits until it has entered a phase so often; whether it has."""
        while self.counts()[phase] < number:
            if self.code is not None:
                return False
            time.sleep(0.0005)
        return True

    def output(self):
        return self.log.read_text(errors="replace")

    def lines(self):
        """What it printed, progress bars apart."""
        bars = ("%|", "it/s", "excerpts/s", "excerpts [")
        lines = self.output().replace("\r", "\n").splitlines()
        return [line for line in lines if line.strip() and not any(bar in line for bar in bars)]


class Programs:
    """Starts children; logs and all else they leave lies in `folder`."""

    def __init__(self, folder):
        self._folder, self._count = folder, 0
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore::DeprecationWarning", __file__],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        )
        assert self._process.stdout.readline() == "ready\n"

    def start(self, module, arguments, devices=1):
        self._count += 1
        log = self._folder / f"{self._count}.log"
        log.with_suffix(".marks").write_bytes(bytes(4 * len(PHASES) + 4))
        flags = f"--xla_force_host_platform_device_count={devices} {_QUICK}"
        job = {"module": module, "arguments": arguments, "log": str(log), "flags": flags}
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        return Child(log)

    def close(self):
        self._process.stdin.close()
        self._process.wait(timeout=60)


def _marked(path):
    """Counts the phases of this process in a file that outlives it."""
    import mmap

    from tagjax.examples import loader
    from tagjax.run import checkpoints, devices, directory, prediction, predictions
    from tagjax.run import training as of_training

    with open(path, "r+b") as file:
        marks = mmap.mmap(file.fileno(), 0)

    def set_at(place, value):
        struct.pack_into("i", marks, 4 * place, value)

    def marking(function, phase):
        place = PHASES.index(phase)

        def marked(*args, **kwargs):
            before = struct.unpack_from("i", marks, 4 * len(PHASES))[0]
            set_at(place, struct.unpack_from("i", marks, 4 * place)[0] + 1)
            set_at(len(PHASES), place + 1)
            try:
                return function(*args, **kwargs)
            finally:
                set_at(len(PHASES), before)

        return marked

    def mark(owner, name, phase):
        setattr(owner, name, marking(getattr(owner, name), phase))

    mark(loader.Examples, "__init__", "read")
    mark(checkpoints.Checkpoints, "resume", "resume")
    mark(checkpoints.Checkpoints, "save", "save")
    mark(checkpoints.Checkpoints, "restore", "restore")
    mark(directory.Log, "write", "log")
    mark(of_training, "evaluate", "evaluate")
    mark(prediction, "predict", "predict")
    mark(predictions.Writer, "add", "row")
    step = devices.train_step
    devices.train_step = lambda *config: marking(step(*config), "step")


def _child(job):
    import runpy

    out = os.open(job["log"], os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ["XLA_FLAGS"] = job["flags"]
    _marked(pathlib.Path(job["log"]).with_suffix(".marks"))
    sys.argv = [job["module"], *job["arguments"]]
    runpy.run_module(job["module"], run_name="__main__", alter_sys=True)


def _write(path, text):
    temporary = path.with_suffix(path.suffix + "_")
    temporary.write_text(text)
    temporary.rename(path)


def _serve():
    import importlib

    os.environ.setdefault("NO_GCE_CHECK", "true")
    for name in ("tensorflow_datasets", "orbax.checkpoint", "tagjax.run.training", "datasets"):
        importlib.import_module(name)
    for name in (
        "array_record.python.array_record_data_source",
        "jax.experimental.multihost_utils",
    ):
        importlib.import_module(name)
    print("ready", flush=True)
    for line in iter(sys.stdin.readline, ""):
        job = json.loads(line)
        if os.fork():
            continue
        pid = os.fork()
        if not pid:  # Ends as Python does, with what was registered for its end.
            return _child(job)
        log = pathlib.Path(job["log"])
        _write(log.with_suffix(".pid"), str(pid))
        status = os.waitpid(pid, 0)[1]
        _write(log.with_suffix(".code"), str(os.waitstatus_to_exitcode(status)))
        os._exit(0)
    while True:
        try:
            os.wait()
        except ChildProcessError:
            return None


if __name__ == "__main__":
    _serve()
