"""Lists the files in people's folders, without those that the system keeps there."""

import os
import pathlib
from collections.abc import Iterator

from tagjax.base.files import PathLike

_SYSTEM = frozenset(
    (
        "__macosx",  # Resource forks, as macOS packs them into zip files.
        *("@eadir", "@tmp", "@sharebin", "#recycle", "#snapshot"),  # Synology
        *("@recycle", "@recently-snapshot", "@__thumb"),  # QNAP
        *("$recycle.bin", "recycler", "system volume information"),  # Windows
        *("network trash folder", "temporary items"),  # AppleShare
        *("lost+found", "~snapshot"),
    )
)


def is_hidden(name: str) -> bool:
    """Whether a file or folder with this name belongs to the system, not to the user.

    >>> [is_hidden(name) for name in (".trash", "@eaDir", "#1 Hits")]
    [True, True, False]
    """
    return name.startswith(".") or name.lower() in _SYSTEM


def files_below(folder: PathLike) -> Iterator[pathlib.Path]:
    """Paths of the files in a folder and below it, hidden and system folders left out.

    Links to folders are not followed; the folder itself may have any name.
    """
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not is_hidden(name)]
        yield from (pathlib.Path(parent, name) for name in names if not is_hidden(name))
