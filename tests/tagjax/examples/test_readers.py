"""Reading by several processes: TFDS' examples, the batches of one process, nothing left over."""

import gc
import itertools
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import jax
import numpy as np
import pytest
import tensorflow_datasets as tfds

from tagjax.base import interruption
from tagjax.examples import builder, frontend, loader, readers, workers
from tagjax.examples.dataset import find
from tagjax.examples.loader import Examples, LoaderConfig
from tagjax.vocabulary.vocabulary import Vocabulary

PARTS = {"train": 22, "validation": 5}
WHOLE = slice(0, 4)
CONFIG = LoaderConfig(batch_size=4, seed=3)


@pytest.fixture(scope="module")
def dataset(make_tiny, tmp_path_factory):
    return make_tiny(tmp_path_factory.mktemp("data"), PARTS)


def opened(dataset, processes):
    return Examples(dataset, ["validation", "train"], LoaderConfig(4, processes=processes))


def children(process=None):
    """Ids of the readers of a process (of this one), also of those that ended unattended."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = path.read_text().rpartition(")")[2].split()[:2]
            command = (path.parent / "cmdline").read_bytes()
        except OSError:  # It has just ended.
            continue
        ours = state == "Z" or readers.__name__.encode() in command
        if ours and int(parent) == (process or os.getpid()):
            found.append(int(path.parent.name))
    return found


def soon(condition, seconds=30):
    """Whether something comes true before long."""
    end = time.monotonic() + seconds
    while not (true := condition()) and time.monotonic() < end:
        time.sleep(0.01)
    return true


def same(ours, wanted):
    assert ours.keys() == wanted.keys()
    for name in wanted:
        assert ours[name].dtype == wanted[name].dtype
        np.testing.assert_array_equal(ours[name], wanted[name])


@pytest.mark.parametrize(
    ("dtype", "encoding"),
    [("float16", "bytes"), ("uint8", "bytes"), ("float16", "zlib"), ("float32", "none")],
)
@pytest.mark.parametrize("processes", [1, 2])
def test_examples_are_those_of_tfds(tmp_path, dtype, encoding, processes):
    """Log-mels may have another encoding than ours, which is raw bytes."""
    rng = np.random.default_rng(5)

    class Other(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        """Other."""

        VERSION = tfds.core.Version("1.0.0")
        BUILDER_CONFIGS = (tfds.core.BuilderConfig(name="other"),)

        def _info(self):
            ours = builder.features(("a", "b"), 12, workers.BuildConfig())
            mel = tfds.features.Tensor(shape=(12, 8), dtype=np.dtype(dtype), encoding=encoding)
            record = Vocabulary.of(("a", "b")).record()
            metadata = {"experiment": "taxonomy", "vocabulary": record}
            return self.dataset_info_from_configs(
                features=tfds.features.FeaturesDict({**ours, "mel": mel}),
                metadata=tfds.core.MetadataDict(metadata),
            )

        def _split_generators(self, dl_manager):
            return {"train": self._generate_examples()}

        def _generate_examples(self):
            text = dict.fromkeys(("album_id", "tags", "provenance"), "é|ü")
            for k in range(7):
                mel = frontend.stored(rng.uniform(0, 9, (12, 8)), dtype)
                ids = {"sng_id": f"s{k}", "artist_id": ""}
                rest = {"mel": mel, "label": k % 2, "seg_start": 0.0, "padded": False}
                yield k, {**text, **ids, **rest}

    tfds.disable_progress_bar()
    made = Other(config="other", data_dir=str(tmp_path), file_format="array_record")
    made.download_and_prepare()
    examples = Examples(
        find("other", tmp_path), ["train"], LoaderConfig(batch_size=7, processes=processes)
    )
    mel, found = examples.read(np.arange(7))
    assert mel.dtype == dtype
    for row, example, theirs in zip(mel, found, made.as_data_source("train"), strict=True):
        np.testing.assert_array_equal(row, theirs["mel"])
        assert example.pop("part") == "train"
        assert example.pop("label") == theirs["label"]
        assert example == {name: theirs[name].decode() for name in example}
        assert len(example) == 4
    batch = examples.batch(np.arange(7), np.arange(7), np.ones(7))
    np.testing.assert_array_equal(batch["mel"], frontend.restored(mel))


@pytest.mark.parametrize("processes", [2, 3])
def test_batches_do_not_depend_on_the_number_of_processes(dataset, processes):
    plain, examples = opened(dataset, 1), opened(dataset, processes)
    assert children() == []  # None is started before it is needed.
    for batches in (
        lambda read: loader.train_batches(read, CONFIG, range(20), WHOLE),
        lambda read: loader.train_batches(read, CONFIG, range(11, 20), slice(2, 4)),
        lambda read: loader.eval_batches(read, CONFIG, WHOLE),
    ):
        for ours, wanted in zip(batches(examples), batches(plain), strict=True):
            same(ours, wanted)
    assert len(children()) == processes
    for index in range(27):
        assert examples[index] == plain[index]
    del examples
    gc.collect()
    assert children() == []


def test_memory_is_used_again_but_not_while_something_refers_to_it(dataset):
    def size():
        links = pathlib.Path("/proc/self/fd").glob("*")
        return sum(p.stat().st_size for p in links if "memfd:mel" in os.path.realpath(p))

    examples, plain = opened(dataset, 2), opened(dataset, 1)
    for _ in loader.train_batches(examples, CONFIG, range(10), WHOLE):
        pass
    before = size()
    assert before
    for _ in loader.train_batches(examples, CONFIG, range(100), WHOLE):
        pass
    # Each process has at most a batch in the making, one that waits and one that is used.
    assert size() <= 3 * before
    numbers = range(30)
    # JAX on a CPU may take an array as it lies there.
    for refer in (lambda mel: mel[1:], jax.device_put):
        ours = loader.train_batches(examples, CONFIG, numbers, WHOLE)
        held = [refer(batch["mel"]) for batch in ours]
        wanted = loader.train_batches(plain, CONFIG, numbers, WHOLE)
        for referred, batch in zip(held, wanted, strict=True):
            np.testing.assert_array_equal(referred, refer(batch["mel"]))
        del held


def test_a_process_that_is_killed_is_started_again(dataset):
    examples, plain = opened(dataset, 2), opened(dataset, 1)
    wanted = list(loader.train_batches(plain, CONFIG, range(40), WHOLE))
    killed = 0
    ours = loader.train_batches(examples, CONFIG, range(40), WHOLE)
    for number, (batch, other) in enumerate(zip(ours, wanted, strict=True)):
        same(batch, other)
        if number in (5, 6, 20):
            for process in children():
                os.kill(process, signal.SIGKILL)
                killed += 1
    assert killed >= 3
    assert len(children()) == 2


def test_processes_that_always_die_are_one_line(dataset, monkeypatch):
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    batches = loader.train_batches(opened(dataset, 2), CONFIG, range(9), WHOLE)
    with pytest.raises(OSError, match="a process that reads the data set died 3 times"):
        next(batches)


def test_what_cannot_be_read_is_the_same_error_in_any_process(make_tiny, tmp_path):
    broken = make_tiny(tmp_path, PARTS)
    for path in broken.path.glob("*train*"):
        path.write_bytes(path.read_bytes()[:1000])
    errors = []
    for processes in (1, 2):
        with pytest.raises(Exception, match=r".") as caught:
            opened(broken, processes).read(np.arange(20))
        errors.append((caught.type, str(caught.value)))
    assert errors[0] == errors[1]


FOREVER = """
import itertools, os, signal, sys
import numpy as np
from tagjax.examples import loader
signal.signal(signal.SIGINT, signal.default_int_handler)  # A job in the background ignores it.
from tagjax.examples.dataset import find
config = loader.LoaderConfig(4, processes=2)
examples = loader.Examples(find("tiny", sys.argv[1]), ["train"], config)
try:
    for number, batch in enumerate(loader.train_batches(
        examples, config, itertools.count() if sys.argv[2] == "reading" else range(8), slice(0, 4)
    )):
        if number == 5:
            print(flush=True)
    sys.stdin.read()
except KeyboardInterrupt:
    sys.exit(130)
"""
"""A script without `if __name__ == "__main__":`, which reads until it is ended."""


@pytest.fixture
def forever(dataset, tmp_path):
    """forever(mode): a process that runs `FOREVER`, and its output once it has read 5 batches."""
    script, started = tmp_path / "script.py", []
    script.write_text(FOREVER)

    def start(mode, wait=True):
        pipe = subprocess.PIPE
        process = subprocess.Popen(
            [sys.executable, script, dataset.path.parents[2], mode],
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        if wait:
            assert process.stdout.readline() == "\n", process.stderr.read()
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("mode", ["reading", "idle"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_processes_end_with_their_parent(forever, mode, number):
    process = forever(mode)
    reading = children(process.pid)
    assert len(reading) == 2
    for pid in (process.pid, *reading):  # The memory has no name that could be left.
        maps = pathlib.Path(f"/proc/{pid}/maps").read_text()
        assert "/memfd:mel (deleted)" in maps
        assert "/dev/shm" not in maps
    process.send_signal(number)
    assert process.wait(30) == -number
    assert soon(lambda: not any(pathlib.Path(f"/proc/{pid}").exists() for pid in reading))
    assert process.stderr.read() == ""


@pytest.mark.parametrize("seconds", [None, 0.0, 0.5])
def test_an_interrupt_ends_quietly(forever, seconds):
    """It reaches all processes of a terminal, also while they start."""
    process = forever("reading", wait=seconds is None)
    if seconds is not None:
        assert soon(lambda: children(process.pid))
        time.sleep(seconds)
    reading = children(process.pid)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(30) == 130
    assert soon(lambda: not any(pathlib.Path(f"/proc/{pid}").exists() for pid in reading))
    assert process.stderr.read() == ""


def test_signals_are_for_the_parent(dataset):
    examples = opened(dataset, 2)
    batches = loader.train_batches(examples, CONFIG, itertools.count(), WHOLE)
    next(batches)
    before = children()
    for process, number in itertools.product(before, interruption.SIGNALS):
        os.kill(process, number)
    for _ in range(20):
        next(batches)
    assert children() == before
