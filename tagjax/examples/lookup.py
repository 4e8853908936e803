"""Audio files looked up by the ids of their tracks."""

import pathlib
import unicodedata
from collections.abc import Iterable

import soundfile

from tagjax.base.errors import InputError
from tagjax.base.files import PathLike
from tagjax.base.folders import files_below
from tagjax.base.text import clean

_SUFFIXES = {"opus", "oga", "mp2", "aif", *map(str.lower, soundfile.available_formats())}
"""Extensions of audio files; a cover or lyrics may have the name of a track too."""


def on_disk(root: PathLike, path: str) -> pathlib.Path:
    """The file at a path below `root`, also where the disk spells its letters otherwise.

    Letters with accents are one character (NFC) or two (NFD): macOS writes the second into zips and
    onto network drives, tables mostly have the first.
    """
    spellings = (path, *(unicodedata.normalize(form, path) for form in ("NFC", "NFD")))
    files = (pathlib.Path(root, spelling) for spelling in dict.fromkeys(spellings))
    return next((file for file in files if file.is_file()), pathlib.Path(root, path))


def find_by_id(folder: PathLike, ids: Iterable[str]) -> dict[str, str]:
    """{id: path relative to `folder`} for files `<id>.<any extension>` in the folder or below it.

    Ids and names are compared as `base.text.clean` spells them. Hidden and system folders
    (`.trash`, `@eaDir`, `__MACOSX`) are skipped. A file with an extension of audio takes precedence
    over others, such as a cover. If there are only others, the first in order is taken; the build
    then lists it as not decodable. An id without a file is left out.

    Raises:
      InputError: two audio files of one id.
    """
    root, wanted = pathlib.Path(folder), {clean(track): track for track in ids}
    audio: dict[str, str] = {}
    others: dict[str, str] = {}
    for path in sorted(path for path in files_below(root) if clean(path.stem) in wanted):
        name, track = str(path.relative_to(root)), wanted[clean(path.stem)]
        if path.suffix[1:].lower() not in _SUFFIXES:
            others.setdefault(track, name)
            continue
        first = audio.setdefault(track, name)
        if first != name:
            raise InputError(
                f"{root}: two files of the track {track}: {first} and {name}; take one away, or "
                "name the right one in a column path of the manifest"
            )
    return others | audio
