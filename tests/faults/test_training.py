"""The real program, killed, stopped and robbed of files; its end is that of the run left alone."""

import json
import pathlib
import random
import shutil
import signal
import sys
import time

import numpy as np
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from programs import Programs

PARTS = {"train": 22, "validation": 10, "test": 9, "overlap": 2}
TINY = [
    "--dataset=tiny",
    "--filters=4",
    "--pools=3x2",
    "--gru_units=6",
    "--batch_norm_momentum=0.5",
    "--batch_size=4",
    "--max_epochs=9",
    "--patience=2",
    "--epsilon=1e-3",
    "--learning_rate=3",
]
KILLED_IN = ("step", "save", "evaluate", "predict", "log", "row", "resume", "restore", "read")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("faults")


@pytest.fixture(scope="module")
def programs(folder):
    (folder / "logs").mkdir()
    started = Programs(folder / "logs")
    yield started
    started.close()


@pytest.fixture(scope="module")
def train(make_tiny, folder, programs):
    """train(run_dir, *flags, devices): a child that trains there."""
    make_tiny(folder / "data", PARTS)

    def start(run_dir, *flags, devices=1):
        paths = [f"--data_dir={folder / 'data'}", f"--compilation_cache={folder / 'cache'}"]
        return programs.start(
            "launch.train", [*TINY, *paths, f"--run_dir={run_dir}", *flags], devices
        )

    return start


@pytest.fixture(scope="module")
def undisturbed(train, folder):
    """undisturbed(devices): (its run directory, how often it entered each phase, its seconds)."""
    done = {}

    def get(devices=1):
        if devices not in done:
            run_dir = folder / f"whole_{devices}"
            began = time.monotonic()
            child = train(run_dir, devices=devices)
            assert child.wait() == 0, child.output()
            done[devices] = run_dir, child.counts(), time.monotonic() - began
        return done[devices]

    return get


def arrays(path):
    """{name: array} of a checkpoint, as Orbax alone reads it."""
    import jax
    import orbax.checkpoint as ocp

    with ocp.PyTreeCheckpointer() as reader:
        tree = reader.metadata(path / "state").item_metadata.tree
        plain = jax.tree.map(lambda _: ocp.RestoreArgs(restore_type=np.ndarray), tree)
        state = reader.restore(path / "state", restore_args=plain)
    return {jax.tree_util.keystr(k): v for k, v in jax.tree_util.tree_leaves_with_path(state)}


def steps(run_dir):
    return sorted(int(path.name) for path in (run_dir / "checkpoints").iterdir())


def assert_same_end(ours, theirs, stopped=False):
    """Bit for bit, seconds apart; one `stopped` within its last epochs may keep another step."""
    drop = {"seconds", "examples_per_second"}
    for name in ("result.json", "metrics.jsonl"):
        a, b = (
            [{k: v for k, v in json.loads(line).items() if k not in drop} for line in lines]
            for lines in (
                [text] if name == "result.json" else text.splitlines()
                for text in ((run_dir / name).read_text() for run_dir in (ours, theirs))
            )
        )
        assert a == b
    names = [
        sorted(
            str(path.relative_to(run_dir))
            for path in run_dir.rglob("*")
            if not {"tensorboard", "checkpoints"} & set(path.parts)
        )
        for run_dir in (ours, theirs)
    ]
    assert names[0] == names[1]  # And nothing was left behind.
    for name in names[1]:
        if name not in ("result.json", "metrics.jsonl") and (theirs / name).is_file():
            assert (ours / name).read_bytes() == (theirs / name).read_bytes(), name
    common = set(steps(ours)) & set(steps(theirs))
    result = json.loads((theirs / "result.json").read_text())
    assert {max(steps(theirs)), result["step"]} <= common
    assert stopped or steps(ours) == steps(theirs)
    for step in common:
        a, b = (arrays(run_dir / "checkpoints" / str(step)) for run_dir in (ours, theirs))
        assert a.keys() == b.keys()
        assert any(value.size > 1 for value in b.values())
        for name in b:
            assert a[name].dtype == b[name].dtype
            assert a[name].tobytes() == b[name].tobytes(), (step, name)


def moments(count, seed, expected):
    """Where to kill: every other one in a phase, the others at any time of the whole life."""
    rng = random.Random(seed)
    for k in range(count):
        phase = KILLED_IN[(seed + k // 2) % len(KILLED_IN)] if k % 2 == 0 else None
        yield phase, rng.randint(1, max(1, expected[phase] if phase else 1)), rng.random()


@pytest.mark.parametrize("devices", [1, 2])
def test_a_killed_run_ends_as_the_one_never_killed(
    train, undisturbed, folder, trials, devices, capsys
):
    """SIGKILL, several times a run; the same command again each time, until it ends."""
    whole, expected, seconds = undisturbed(devices)
    wanted, a_run = trials(2 if devices == 1 else 1, 14), trials(2, 4)
    kills, trial = [], 0
    while len(kills) < wanted:
        trial += 1
        run_dir = folder / f"killed_{devices}_{trial}"
        for phase, number, share in moments(a_run, 10 * trial + devices, expected):
            child = train(run_dir, devices=devices)
            if phase is None:
                child.rest(share * seconds)
            elif child.reach(phase, 1 + (number - 1) % max(1, expected[phase] // 2)):
                time.sleep(0.03 * share)
            child.send(signal.SIGKILL)
            if child.wait() == -signal.SIGKILL:
                kills.append(child.counts()["in"] or "elsewhere")
            else:
                assert child.wait() == 0, child.output()
                break
            if len(kills) == wanted:
                break
        last = train(run_dir, devices=devices)
        assert last.wait() == 0, last.output()
        assert not [line for line in last.lines() if line.startswith("warning: ")]
        assert_same_end(run_dir, whole)
        shutil.rmtree(run_dir)
    with capsys.disabled():
        found = {phase: kills.count(phase) for phase in sorted(set(kills))}
        print(f"\n{devices} device(s): {trial} runs, {len(kills)} kills {found}, 0 differences")


@pytest.mark.parametrize(
    ("phase", "number", "signals", "code"),
    [
        ("step", 8, (signal.SIGTERM,), 143),
        ("row", 2, (signal.SIGINT,), 130),
        ("save", 2, (signal.SIGTERM, signal.SIGTERM), 143),
        ("step", 1, (signal.SIGINT,), 130),
        ("read", 1, (signal.SIGTERM,), 143),
        ("evaluate", 2, (signal.SIGINT,), 130),
        ("evaluate", -1, (signal.SIGTERM,), 143),
    ],
)
def test_a_stopped_run_goes_on(
    train, undisturbed, folder, trials, phase, number, signals, code, request
):
    """In a step, in prediction, a second signal while it saves, compiling, reading, at the end."""
    if (phase, number) not in trials([("step", 8)], [(phase, number)]):
        pytest.skip("in the long form")
    whole, expected, _ = undisturbed()
    number = number if number > 0 else expected[phase]
    run_dir = folder / f"stopped_{phase}_{number}"
    child = train(run_dir)
    assert child.reach(phase, number)
    began = time.monotonic()
    for one in signals:
        child.send(one)
        time.sleep(0.01)
    assert child.wait() == code, child.output()
    assert time.monotonic() - began < 60
    assert child.lines()[-1].startswith(f"stopped by {signals[0].name}"), child.output()
    assert "Traceback" not in child.output()
    if phase == "step":
        kept = steps(run_dir)
        assert f"at step {kept[-1]}, which is saved" in child.lines()[-1]
        assert kept[-1] >= number
    again = train(run_dir)
    assert again.wait() == 0, again.output()
    assert_same_end(run_dir, whole, stopped=True)


def flip(path):
    content = bytearray(path.read_bytes())
    for i in range(len(content) // 4, len(content), max(1, len(content) // 64)):
        content[i] ^= 1  # One alone may fall where no number lies.
    path.write_bytes(content)


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def unfinished(whole, run_dir):
    """A copy of a run as it was before it ended: checkpoints and no result."""
    shutil.copytree(whole, run_dir)
    (run_dir / "result.json").unlink()
    shutil.rmtree(run_dir / "predictions")
    return run_dir / "checkpoints"


def damage_of(path, how):
    if how == "arrays":
        flip(max((path / "state").rglob("d/*"), key=lambda p: p.stat().st_size))
    elif how == "record":
        cut(path / "record" / "metadata")
    elif how == "metrics":
        (path / "metrics" / "metrics").write_bytes(b"\xff")
    elif how == "state":
        shutil.rmtree(path / "state")
    elif how == "metadata":
        flip(path / "_CHECKPOINT_METADATA")


@pytest.mark.parametrize("how", ["arrays", "record", "metrics", "state", "metadata"])
def test_the_checkpoint_before_a_damaged_one_is_used(train, undisturbed, folder, trials, how):
    if how not in trials(["arrays"], [how]):
        pytest.skip("in the long form")
    whole = undisturbed()[0]
    checkpoints = unfinished(whole, folder / f"damaged_{how}")
    newest = max(steps(whole))
    damage_of(checkpoints / str(newest), how)
    child = train(folder / f"damaged_{how}")
    assert child.wait() == 0, child.output()
    said = [line for line in child.lines() if line.startswith("warning: ")]
    # A flipped bit may be one that no number and no key needs: then all is as it was.
    if how not in ("metadata", "arrays") or said:
        assert len(said) == 1, child.output()
        assert f"checkpoints/{newest}: damaged checkpoint" in said[0]
        assert child.counts()["step"] > 0
    assert "Traceback" not in child.output()
    assert_same_end(folder / f"damaged_{how}", whole)


def test_without_any_whole_checkpoint_it_starts_anew(train, undisturbed, folder, trials):
    if not trials(False, True):
        pytest.skip("in the long form")
    whole = undisturbed()[0]
    checkpoints = unfinished(whole, folder / "all_damaged")
    for k, step in enumerate(steps(whole)):
        damage_of(checkpoints / str(step), ("arrays", "metrics", "state")[k % 3])
    child = train(folder / "all_damaged")
    assert child.wait() == 0, child.output()
    said = [line for line in child.lines() if line.startswith("warning: ")]
    assert len(said) == len(steps(whole)), child.output()
    assert child.counts()["step"] == undisturbed()[1]["step"]
    assert_same_end(folder / "all_damaged", whole)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("result.json", r"result.json: not JSON .*; remove it: the same command writes it again"),
        ("config.json", r"config.json: not JSON .*; remove .*/run, or name another --run_dir"),
        ("best", r"damaged checkpoint: .*; remove .*, and train again"),
        ("lock", r"another process is at work there; wait for it"),
        ("vocabulary", r"is of another run \(train.seed: 0 there, 1 here\); name another"),
    ],
)
def test_a_run_directory_that_is_refused(train, undisturbed, tmp_path, name, message, trials):
    """One line, exit code 2; and what the line advises helps."""
    import re

    from tagjax.base import files

    if name not in trials(["result.json"], [name]):
        pytest.skip("in the long form")
    run_dir, flags = tmp_path / "run", []
    shutil.copytree(undisturbed()[0], run_dir)
    if name.endswith(".json"):
        cut(run_dir / name)
    elif name == "best":
        shutil.rmtree(run_dir / "predictions")
        step = json.loads((run_dir / "result.json").read_text())["step"]
        damage_of(run_dir / "checkpoints" / str(step), "arrays")
    elif name == "vocabulary":
        flags = ["--seed=1"]
    if name == "lock":
        with files.locked(run_dir, ""):
            child = train(run_dir)
            assert child.wait() == 2, child.output()
    else:
        child = train(run_dir, *flags)
        assert child.wait() == 2, child.output()
    (line,) = [line for line in child.lines() if line.startswith("error: ")]
    assert re.search(message, line), line
    assert "Traceback" not in child.output()
    if name == "result.json":
        (run_dir / name).unlink()
    elif name in ("config.json", "best"):
        shutil.rmtree(run_dir)
    if name != "vocabulary":
        assert train(run_dir).wait() == 0
        assert_same_end(run_dir, undisturbed()[0])


def test_a_damaged_log_loses_no_more_than_its_line(train, undisturbed, folder, trials):
    if not trials(False, True):
        pytest.skip("in the long form")
    whole = undisturbed()[0]
    run_dir = folder / "damaged_log"
    unfinished(whole, run_dir)
    lines = (run_dir / "metrics.jsonl").read_bytes().splitlines(keepends=True)
    (run_dir / "metrics.jsonl").write_bytes(b"".join([lines[0], b"\xff[}\n", *lines[2:]]))
    child = train(run_dir)
    assert child.wait() == 0, child.output()
    said = [line for line in child.lines() if line.startswith("warning: ")]
    assert [line.partition("metrics.jsonl")[2] for line in said] == [":2: damaged; left out"]
    shutil.copy(whole / "metrics.jsonl", run_dir)
    assert_same_end(run_dir, whole)


def test_the_second_on_a_run_directory_is_refused_until_the_first_is_killed(
    train, undisturbed, folder, trials
):
    if not trials(False, True):
        pytest.skip("in the long form")
    run_dir = folder / "contended"
    first = train(run_dir)
    assert first.reach("step", 2)
    second = train(run_dir)
    assert second.wait() == 2
    assert "another process is at work there" in second.lines()[-1]
    first.send(signal.SIGKILL)
    first.wait()
    third = train(run_dir)
    assert third.wait() == 0, third.output()
    assert_same_end(run_dir, undisturbed()[0])


def test_a_rate_that_explodes_ends_the_run(train, folder, trials):
    """The same command again says the same."""
    if not trials(False, True):
        pytest.skip("in the long form")
    run_dir = folder / "exploded"
    for _ in range(2):
        child = train(run_dir, "--learning_rate=1e38", "--max_epochs=3")
        assert child.wait() == 2, child.output()
        line = child.lines()[-1]
        assert line.startswith("error: ")
        assert "lower --learning_rate, with another --run_dir" in line
        assert "last good checkpoint is of step 0" in line
        assert "of the excerpts s" in line or "parameters are not finite numbers" in line
        assert "Traceback" not in child.output()
    assert not (run_dir / "result.json").exists()


def test_the_same_seed_gives_the_same_run_and_figures(train, undisturbed, programs, folder, trials):
    if not trials(False, True):
        pytest.skip("in the long form")
    whole, other = undisturbed()[0], folder / "again"
    assert train(other).wait() == 0
    assert_same_end(other, whole)
    (folder / "duplicates.csv").write_text("tag,duplicate\nblues,jazz\n")
    results = []
    for run_dir in (whole, other):
        out = folder / f"results_{run_dir.name}"
        flags = [
            f"--run_dir={run_dir}",
            f"--out={out}",
            f"--duplicates={folder / 'duplicates.csv'}",
        ]
        child = programs.start("launch.evaluate", ["--task=deduplication", *flags])
        assert child.wait() == 0, child.output()
        results.append(
            {
                str(path.relative_to(out)): path.read_bytes()
                for path in out.rglob("*")
                if path.is_file()
            }
        )
    assert any(name.endswith(".png") for name in results[0])
    different = [name for name in results[0] if results[0][name] != results[1].get(name)]
    allowed = [name for name in different if whole.name.encode() in results[0][name]]
    assert different == allowed  # A report names its run.
