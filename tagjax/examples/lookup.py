"""Audio files looked up by the ids of their tracks."""

import pathlib
from collections.abc import Iterable

import soundfile

from tagjax.base.errors import InputError
from tagjax.base.files import PathLike
from tagjax.base.folders import files_below

_SUFFIXES = {"opus", "oga", "mp2", "aif", *map(str.lower, soundfile.available_formats())}
"""Extensions of audio files; a cover or lyrics may have the name of a track too."""


def find_by_id(folder: PathLike, ids: Iterable[str]) -> dict[str, str]:
    """{id: path relative to `folder`} for files `<id>.<any extension>` in the folder or below it.

    Hidden and system folders (`.trash`, `@eaDir`, `__MACOSX`) are skipped. A file with an extension
    of audio takes precedence over others, such as a cover. If there are only others, the first in
    order is taken; the build then lists it as not decodable. An id without a file is left out.

    Raises:
      InputError: two audio files of one id.
    """
    root, known_ids = pathlib.Path(folder), set(ids)
    audio: dict[str, str] = {}
    others: dict[str, str] = {}
    for path in sorted(path for path in files_below(root) if path.stem in known_ids):
        name = str(path.relative_to(root))
        if path.suffix[1:].lower() not in _SUFFIXES:
            others.setdefault(path.stem, name)
            continue
        first = audio.setdefault(path.stem, name)
        if first != name:
            raise InputError(
                f"{root}: two files of the track {path.stem}: {first} and {name}; take one away, "
                "or name the right one in a column path of the manifest"
            )
    return others | audio
