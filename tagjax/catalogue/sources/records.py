"""What every source gives: annotated tracks, and what was left out with its reason."""

import dataclasses
from collections.abc import Callable

from tagjax.base import text
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
      artist_id: "", or a word for "none", where there is none: such a track is left out.
      genres: upper level of the source's tags; they get the prefix `genre:`.
      styles: lower level, or all tags of a source without levels.
      album_id: likewise, for a track on no known album.
      artist: name of the track's artist, "" where it is not known; likewise the rest.
      title: of what the row is: a release, or a track.
      album: title of a track's album.
      path: of the audio file, relative to the audio folder, as the disk spells it; "" for a track
        without audio that can be decoded, which is not in tracks.csv.
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
class Noted(Rejected):
    """Something that is left out of a row, while the row may be taken: listed likewise."""


@dataclasses.dataclass(frozen=True, slots=True)
class NoGenre:
    """A text in a genre field that is no genre: its name is counted, in a list of its own.

    Attributes:
      name: the text.
      reason: why it is none.
    """

    name: str
    reason: str


@dataclasses.dataclass(frozen=True, slots=True)
class Outside:
    """A row that was not asked for, such as one of another subset: counted, not listed."""


Row = Annotation | Rejected | NoGenre | Outside


def cleaned(row: Annotation) -> Annotation:
    """The row with names and ids in one spelling, and "" for words for "none"."""
    return dataclasses.replace(
        row,
        track_id=text.known(row.track_id),
        artist_id=text.known(row.artist_id),
        album_id=text.known(row.album_id),
        artist=text.known(row.artist),
        title=text.clean(row.title),
        album=text.known(row.album),
    )


def tidy(name: str) -> str:
    """A tag's name as our tables can hold it: cleaned, and `/` for `|`."""
    return text.clean(name.replace(SEPARATOR, REPLACEMENT))


def tags_of(annotation: Annotation) -> tuple[str, ...]:
    """The tidied tags, genres first and with their prefix, none empty, none twice."""
    genres = (GENRE + name for name in map(tidy, annotation.genres) if name)
    styles = (name for name in map(tidy, annotation.styles) if name)
    return tuple(dict.fromkeys([*genres, *styles]))


def with_separators(annotation: Annotation) -> list[str]:
    """Those of its tags that hold the character that separates tags in our tables."""
    return [name for name in (*annotation.genres, *annotation.styles) if SEPARATOR in name]
