"""The rows that every source gives: annotated tracks, and rows that were left out, with reasons."""

import dataclasses
from collections.abc import Callable

from tagjax.base import text
from tagjax.catalogue.annotations import SEPARATOR
from tagjax.vocabulary.tags import GENRE

Progress = Callable[[int], object]
"""Called with each amount of input that was read, in the source's unit."""

REPLACEMENT = "/"
"""Replaces, inside a tag, the character that separates tags in our tables."""


@dataclasses.dataclass(frozen=True, slots=True)
class Annotation:
    """One track as its source has it; names are not yet cleaned and may be empty.

    Attributes:
      file: file from which the row comes.
      row: line in the file, from 1; 0 for a file that is the track itself.
      track_id: id that is unique in the source.
      artist_id: id of the artist; a track whose id is "" or a word for "none" is left out.
      genres: upper level of the source's tags; they get the prefix `genre:`.
      styles: lower level, or all tags of a source without levels.
      album_id: id of the album; "" or a word for "none" if it is not known.
      artist: name of the track's artist; "" if not known, as for the fields below.
      title: title of the release or track in this row.
      album: title of the track's album.
      path: path of the audio file, relative to the audio folder, as the disk spells it; "" for a
        track without decodable audio, which is not in tracks.csv.
      duration: duration in seconds; None if not known.
      recording_id: id of the recording in MusicBrainz.
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
    """A row that is left out.

    Attributes:
      file: file of the row.
      row: line in the file, from 1; 0 for the whole file.
      reason: the reason, one of a few, by which rows are counted.
      detail: what is wrong in this row.
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
    """A part of a row that is left out, while the rest may be kept; it is listed too."""


@dataclasses.dataclass(frozen=True, slots=True)
class NoGenre:
    """A text in a genre field that is not a genre; such texts are counted in a separate list.

    Attributes:
      name: the text.
      reason: why it is not a genre.
    """

    name: str
    reason: str


@dataclasses.dataclass(frozen=True, slots=True)
class Outside:
    """A row that was not requested, such as one of another subset; it is counted, not listed."""


Row = Annotation | Rejected | NoGenre | Outside


def cleaned(row: Annotation) -> Annotation:
    """The row with cleaned names and ids, and "" in place of words for "none"."""
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
    """The tidied tags without repeats; genres come first and have their prefix."""
    genres = (GENRE + name for name in map(tidy, annotation.genres) if name)
    styles = (name for name in map(tidy, annotation.styles) if name)
    return tuple(dict.fromkeys([*genres, *styles]))


def with_separators(annotation: Annotation) -> list[str]:
    """The tags that hold the character that separates tags in our tables."""
    return [name for name in (*annotation.genres, *annotation.styles) if SEPARATOR in name]
