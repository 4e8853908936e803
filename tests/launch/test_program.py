import dataclasses
import os
import pathlib
import subprocess
import sys

import pytest
from absl import flags

from launch import program

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = """
import dataclasses
from absl import flags
from launch import program
from tagjax.base.errors import InputError

@dataclasses.dataclass(frozen=True)
class Inner:
    \"\"\"What is inside.

    Attributes:
      depth: of it.
    \"\"\"

    depth: int = 1

@dataclasses.dataclass(frozen=True)
class Config:
    \"\"\"What it does.

    Attributes:
      rate: in Hz, of
        everything.
      widths: of the layers.
      pools: of the pools.
      name: of it.
      fast: or slow.
      folds: or None.
    \"\"\"

    rate: float = 1.5
    widths: tuple[int, ...] = (1, 2)
    pools: tuple[tuple[int, int], ...] = ((2, 2),)
    name: str = "n"
    fast: bool = False
    folds: int | None = None
    inner: Inner = Inner()

FLAGS = program.config_flags(Config, {"deep": Config(inner=Inner(7)), "flat": Config()})

def main():
    given = {name: flag.value for name, flag in FLAGS.items() if flag.value is not None}
    if given.get("name") == "bad":
        raise InputError("a.csv:3: empty tag; fill it in")
    print(sorted(given.items()))

if __name__ == "__main__":
    program.run(main)
"""


def run(tmp_path, *arguments):
    (tmp_path / "prog.py").write_text(PROGRAM)
    return subprocess.run(
        [sys.executable, tmp_path / "prog.py", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_flags_are_the_fields_of_the_config(tmp_path):
    done = run(
        tmp_path, "--rate=2", "--widths=3,4,5", "--pools=2x2,3x4", "--name=m", "--fast",
        "--folds=5", "--depth=3",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    expected = [
        ("depth", 3),
        ("fast", True),
        ("folds", 5),
        ("name", "m"),
        ("pools", ((2, 2), (3, 4))),
        ("rate", 2.0),
        ("widths", (3, 4, 5)),
    ]
    assert done.stdout.strip() == str(expected)
    assert run(tmp_path).stdout.strip() == "[]"


def test_help_is_the_docstring(tmp_path):
    text = " ".join(run(tmp_path, "--help").stdout.split())
    assert "--rate: In Hz, of everything. Default 1.5." in text
    assert "--[no]fast: Or slow." in text
    assert "--depth: Of it. Default deep 7; flat 1." in text
    assert "inner" not in text


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--name=bad", "error: a.csv:3: empty tag; fill it in"),
        ("--nmae=x", "error: Unknown command line flag 'nmae'. Did you mean: name ?; see --help"),
        ("--rate=fast", "--rate=fast"),
        ("--widths=1,x", "'1,x' is not like 16,32"),
        ("--pools=1,2", "--pools"),
        ("--widths=1x2,3", "--widths"),
        ("stray", "error: unexpected argument 'stray'; see --help"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(tmp_path, argument, message):
    done = run(tmp_path, argument)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_a_fault_of_ours_keeps_its_traceback(tmp_path):
    (tmp_path / "broken.py").write_text(
        "from launch import program\ndef main():\n    raise KeyError('ours')\nprogram.run(main)\n"
    )
    done = subprocess.run(
        [sys.executable, tmp_path / "broken.py"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode not in (0, 2)
    assert "Traceback" in done.stderr


def test_every_field_gets_a_flag_of_its_own_kind():
    @dataclasses.dataclass(frozen=True)
    class Plain:
        test_program_a: int = 1
        test_program_b: tuple[int, ...] = ()

    held = program.config_flags(Plain)
    assert set(held) == {"test_program_a", "test_program_b"}
    for name in held:
        delattr(flags.FLAGS, name)


@dataclasses.dataclass(frozen=True)
class WithExample:
    """A choice.

    Attributes:
      depth: how deep,
        in steps.

    >>> WithExample().depth
    1

    Reference: https://example.org/
    """

    depth: int = 1


def test_the_text_of_a_flag_ends_where_the_attributes_end():
    assert program._attributes(WithExample) == {"depth": "how deep, in steps."}
