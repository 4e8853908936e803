"""What every source gives: annotated tracks, and rows that were left out with their reason."""

import dataclasses
from collections.abc import Callable

from tagjax.catalogue.annotations import SEPARATOR
from tagjax.vocabulary.tags import GENRE

Progress = Callable[[int], object]
"""Called with each amount of input that was read, in the source's unit."""

REPLACEMENT = "/"
"""Stands in a tag for the character that separates tags in our tables."""


@dataclasses.dataclass(frozen=True, slots=True)
class Annotation:
    """One track as its source has it; names may still hold any white space, or be empty.

    Attributes:
      file: that it comes from.
      row: its line in the file, from 1; 0 for a file that is the track itself.
      track_id: unique in the source.
      artist_id: "" where there is none: such a track is left out.
      genres: upper level of the source's tags; they get the prefix `genre:`.
      styles: lower level, or all tags of a source without levels.
      album_id: "" for a track on no known album.
      artist: name of the track's artist, "" where it is not known; likewise the rest.
      title: of what the row is: a release, or a track.
      album: title of a track's album.
      path: of the audio file, relative to the audio folder.
      duration: seconds; None where it is not known.
      recording_id: of MusicBrainz.
    """

    file: str
    row: int
    track_id: str
    artist_id: str
    genres: tuple[str, ...] = ()
    styles: tuple[str, ...] = ()
    album_id: str = ""
    artist: str = ""
    title: str = ""
    album: str = ""
    path: str = ""
    duration: float | None = None
    recording_id: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Rejected:
    """A row that is no annotated track.

    Attributes:
      file: that it is in.
      row: its line in the file, from 1; 0 for the whole file.
      reason: one of few, by which rows are counted.
      detail: what this row has instead.
    """

    file: str
    row: int
    reason: str
    detail: str = ""

    @property
    def text(self) -> str:
        """Reason and detail."""
        return f"{self.reason}: {self.detail}" if self.detail else self.reason


@dataclasses.dataclass(frozen=True, slots=True)
class Outside:
    """A row that was not asked for, such as one of another subset: counted, not listed."""


Row = Annotation | Rejected | Outside


def plain(text: str) -> str:
    """The text on one line, without white space around it or repeated in it."""
    return " ".join(text.replace("\0", " ").split())


def tidy(name: str) -> str:
    """A tag's name as our tables can hold it: on one line, and `/` for `|`."""
    return plain(name.replace(SEPARATOR, REPLACEMENT))


def tags_of(annotation: Annotation) -> tuple[str, ...]:
    """The tidied tags, genres first and with their prefix, none empty, none twice."""
    genres = (GENRE + name for name in map(tidy, annotation.genres) if name)
    styles = (name for name in map(tidy, annotation.styles) if name)
    return tuple(dict.fromkeys([*genres, *styles]))


def with_separators(annotation: Annotation) -> list[str]:
    """Those of its tags that hold the character that separates tags in our tables."""
    return [name for name in (*annotation.genres, *annotation.styles) if SEPARATOR in name]
