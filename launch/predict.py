"""Predicts the likeliest tags of audio files with a finished run.

    python -m launch.predict --run_dir=runs/catalogue_split/mine song.mp3 music

A folder stands for the audio files below it. A file is cut into excerpts of the run's length. Its
probabilities are means over its excerpts, and over the models of a run with folds. A file that
cannot be decoded is printed with the reason and skipped.
"""

import pathlib
import sys
from collections.abc import Sequence

from absl import flags
from tqdm import tqdm

from launch import program
from tagjax.base.errors import InputError
from tagjax.base.folders import files_below
from tagjax.base.sound import quiet
from tagjax.base.tables import write_table

_RUN_DIR = flags.DEFINE_string("run_dir", None, "A finished run.")
_TOP = flags.DEFINE_integer("top", 5, "Number of tags shown for each file.", lower_bound=1)
_OUT = flags.DEFINE_string(
    "out", None, "CSV file for all tags of all files: file,rank,tag,probability,excerpts."
)


def main(arguments: Sequence[str]) -> int:
    """Predicts the files and prints a table; returns the exit code."""
    if not _RUN_DIR.value:
        raise InputError("--run_dir: name a finished run, such as runs/catalogue_split/mine")
    if not arguments:
        raise InputError("name audio files, or folders of them, after the flags")
    paths = [path for argument in arguments for path in _files(pathlib.Path(argument))]
    if not paths:
        raise InputError(f"{arguments[0]}: no file in it")
    from tagjax.examples.audio import AudioError
    from tagjax.similarity.run import load_run

    listener = load_run(_RUN_DIR.value).listener
    rows: list[tuple[str, int, str, float, int]] = []
    skipped = 0
    bar = tqdm(paths, "listen", unit=" files", disable=None, leave=False)
    for path in bar:
        try:
            with quiet():
                probabilities = listener.probabilities(path)
        except AudioError as error:
            skipped += 1
            bar.write(f"skipped: {path}: {error}", file=sys.stderr)
            continue
        means = probabilities.mean(axis=0)
        ranked = (-means).argsort(kind="stable").tolist()
        found = [(listener.tags[place], float(means[place])) for place in ranked]
        excerpts = len(probabilities)
        rows += [(str(path), n, *pair, excerpts) for n, pair in enumerate(found, 1)]
        bar.write(f"{path} ({excerpts} excerpts)")
        for tag, probability in found[: _TOP.value]:
            bar.write(f"  {100 * probability:5.1f} %  {tag}")
    if _OUT.value and rows:
        header = ("file", "rank", "tag", "probability", "excerpts")
        write_table(_OUT.value, header, rows, for_people=True)
        print(f"written: {_OUT.value}")
    if skipped:
        print(f"skipped {skipped} of {len(paths)} files", file=sys.stderr)
    return 2 if not rows else 0


def _files(path: pathlib.Path) -> list[pathlib.Path]:
    """The file, or the files below a folder, sorted and without hidden ones."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise InputError(f"{path}: no such file or folder")
    return sorted(files_below(path))


if __name__ == "__main__":
    program.run(main, arguments=True)
