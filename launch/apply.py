"""Applies decisions on tags: to a table of annotations, or to the files of a music library.

    python -m launch.apply --decisions=reconciliation --annotations=a.csv --out=b.csv

    python -m launch.apply --decisions=reconciliation --library=music

    python -m launch.apply --decisions=reconciliation --library=music --write

    python -m launch.apply --undo=reconciliation/undo.jsonl

The first writes a table with the new tags. The second prints what would change in the files, and
changes nothing; --out also lists it file by file. With --write the genres of the files are written:
MP3, FLAC, Ogg Vorbis, Opus, MP4, and WAV and AIFF with ID3. The first genres of a file stay in its
field ORIGINALGENRE, and the undo file in the folder of the decisions brings it back. --undo makes
each file byte for byte what it was. If another program has changed a file since, its genre fields
become what they were, and all else in it stays. The sound is never touched. A kill leaves each file
old or new, and the same command goes on.
"""

import collections
import contextlib
import os
import pathlib
import shlex
from collections.abc import Iterable

from absl import flags

from launch import program
from launch.bars import bar
from tagjax.base.errors import InputError, one_line
from tagjax.base.files import locked
from tagjax.base.tables import write_table
from tagjax.catalogue.sources import library
from tagjax.reconcile import apply, rewriting

_DECISIONS = flags.DEFINE_string(
    "decisions", None, "Folder with vocabulary.csv, and blocked.csv and senses.csv if needed."
)
_ANNOTATIONS = flags.DEFINE_string("annotations", None, "Table whose tags are replaced.")
_OUT = flags.DEFINE_string("out", None, "The new table; or, with --library, a list of changes.")
_LIBRARY = flags.DEFINE_string("library", None, "Folder of music; for --undo where it is now.")
_PREFIX = flags.DEFINE_string(
    "prefix", "", "Prefix that the tags have in the decisions, and not in the table or the files."
)
_WRITE = flags.DEFINE_boolean("write", False, "Change the files of --library.")
_UNDO = flags.DEFINE_string("undo", None, "Undo file: make its files what they were.")
_DROP_BLOCKED = flags.DEFINE_boolean("drop_blocked", False, "Drop the tags of blocked.csv.")
_SPLIT_SENSES = flags.DEFINE_boolean(
    "split_senses", False, "Give tags of two senses their new names, by artist (senses.csv)."
)
_CONFIG: dict[str, flags.FlagHolder] = {
    "separators": flags.DEFINE_multi_string(
        "separator", None, "As of launch.annotate: separates genres in one field."
    ),
    "whole": flags.DEFINE_multi_string(
        "whole", None, "As of launch.annotate: a genre that is not split."
    ),
}
_SHOWN = 20
"""Lines of a list on the terminal."""


def main() -> int:
    """Does what the flags describe."""
    if _UNDO.value:
        return _undo(_UNDO.value)
    if not _DECISIONS.value:
        raise InputError("--decisions: name a folder with vocabulary.csv (tag,canonical)")
    if bool(_ANNOTATIONS.value) == bool(_LIBRARY.value):
        raise InputError("name one of --annotations and --library")
    edits = apply.read_edits(
        _DECISIONS.value, _PREFIX.value, _DROP_BLOCKED.value, _SPLIT_SENSES.value
    )
    return _table(edits) if _ANNOTATIONS.value else _files(edits)


def _table(edits: apply.Edits) -> int:
    if not _OUT.value:
        raise InputError("--out: name the new table")
    for flag in (_WRITE, *_CONFIG.values()):
        if flag.present:
            raise InputError(f"--{flag.name} is for --library; leave it out")
    done = apply.apply_to_table(_ANNOTATIONS.value, _OUT.value, edits)
    _show((_arrow(*pair, count) for pair, count in done.replaced.most_common()), "replacements")
    print(f"changed: {done.changed} of {done.tracks} tracks")
    if done.left_out:
        print(f"left out: {done.left_out} tracks without another tag")
    print(f"written: {_OUT.value}")
    return 0


def _files(edits: apply.Edits) -> int:
    """Shows what is to change in the files, or changes them; 3 if a file could not be written."""
    config = library.Config(**program.given(_CONFIG))
    if not os.path.isdir(_LIBRARY.value):
        raise InputError(f"{_LIBRARY.value}: no such folder")
    undo = rewriting.UndoFile(pathlib.Path(_DECISIONS.value, "undo.jsonl"))
    changes, left, failed = list[apply.Change](), list[apply.Left](), list[apply.Left]()
    with locked(_LIBRARY.value, "wait for it to end") if _WRITE.value else contextlib.nullcontext():
        for found in apply.plan(_LIBRARY.value, edits, config, bar):
            if isinstance(found, apply.Left):
                left.append(found)
                continue
            try:
                if _WRITE.value:
                    apply.write(_LIBRARY.value, found, undo, config)
                changes.append(found)
            except rewriting.NotWrittenError as error:
                failed.append(apply.Left(found.path, str(error)))
    replaced = collections.Counter(pair for change in changes for pair in change.replaced)
    _show((_arrow(*pair, count) for pair, count in replaced.most_common()), "replacements")
    _show((f"left alone: {a.path}: {a.reason}" for a in left), "files left alone")
    _show((f"not written: {a.path}: {a.reason}" for a in failed), "files not written")
    if _OUT.value:
        rows = ((c.path, "; ".join(c.before), "; ".join(c.after)) for c in changes)
        write_table(_OUT.value, ("path", "before", "after"), rows, for_people=True)
        print(f"written: {_OUT.value}")
    if not _WRITE.value:
        print(f"to be changed: {len(changes)} files; nothing is written without --write")
        return 0
    print(f"changed: {len(changes)} files")
    if undo.path.exists():
        print(f"undo: python -m launch.apply {shlex.quote(f'--undo={undo.path}')}")
    return 3 if failed else 0


def _undo(path: str) -> int:
    """Undoes all changes, the last one first; 3 if a file could not be brought back."""
    for flag in (_DECISIONS, _ANNOTATIONS, _WRITE, _OUT, *_CONFIG.values()):
        if flag.present:
            raise InputError(f"--{flag.name} has no use beside --undo; leave it out")
    records = rewriting.UndoFile(path).records()
    files = collections.defaultdict[tuple[str, str], list[rewriting.Record]](list)
    for record in records:
        files[_LIBRARY.value or record.library, record.path].append(record)
    folders = sorted({folder for folder, _ in files})
    for folder in folders:
        if not os.path.isdir(folder):
            raise InputError(f"{folder}: no such folder; say where the music is now: --library=...")
    became, failed = collections.Counter[str](), dict[str, str]()
    with contextlib.ExitStack() as stack:
        for folder in folders:
            stack.enter_context(locked(folder, "wait for it to end"))
        for folder, name in bar(list(files), "undo", len(files)):
            try:
                became[apply.undo(files[folder, name], folder)] += 1
            except rewriting.NotWrittenError as error:
                failed[name] = str(error)
    _show((f"not restored: {name}: {why}" for name, why in failed.items()), "files not restored")
    print(f"restored byte for byte: {became[apply.EXACT]} files")
    if became[apply.GENRES_ONLY]:
        print(f"changed since, genres restored: {became[apply.GENRES_ONLY]} files")
    if became[apply.NOTHING]:
        print(f"already as before: {became[apply.NOTHING]} files")
    return 3 if failed else 0


def _arrow(tag: str, to: str | None, count: int) -> str:
    return f"{count:6} {tag} -> {'(dropped)' if to is None else to}"


def _show(lines: Iterable[str], what: str) -> None:
    """Prints the first lines of a list, and how many there are in all."""
    lines = list(lines)
    for line in lines[:_SHOWN]:
        print(one_line(line))
    if len(lines) > _SHOWN:
        print(f"... {len(lines)} {what} in all")


if __name__ == "__main__":
    program.run(main)
