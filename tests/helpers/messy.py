"""A messy library with known truth: rendered audio, and its tags as people write them."""

import csv
import dataclasses
import pathlib
import random
import shutil

import mutagen
from mutagen import id3

SPELLINGS = {
    "drum & bass": ("Drum & Bass", "drum and bass", "Drum'n'Bass"),
    "hip-hop": ("Hip-Hop", "Hip Hop", "hiphop"),
    "r&b": ("R&B", "RnB", "r & b"),
    "heavy metal": ("Heavy Metal", "Heavy-Metal", "HEAVY METAL"),
    "pop ballad": ("Pop Ballad", "pop ballads", "Pop-Ballad"),
    "techno": ("Techno", "techno", "TECHNO"),
    "salsa": ("Salsa", "Salsas", "salsa"),
    "50s rock": ("50s Rock", "50's rock", "Rock 50s"),
}
"""{tag of A: its spellings, of which each album draws one}."""
LANGUAGES = {"electronic & dance": ("Electronic", "Elektronisch"), "march": ("March", "Marsch")}
"""Two words that are no spellings of each other: only the sound can tell."""
DOUBTS = {"trip hop": ("Trip Hop", "TH"), "big band": ("Big Band", "Big Band Music")}
"""Pairs that a person has to see."""
SAME = {"hip hop": "hip-hop", "bossanova": "bossa nova"}
"""Tags of A that are one: a genre and a style of one name, and the catalogue's own duplicate."""
JUNK = ("1997", "Other", "Soundtrack", "http://music.example.com", "80s")


@dataclasses.dataclass(frozen=True)
class Messy:
    """What was planted, as far as the drawn albums hold it.

    Attributes:
      meaning: {genre as written: tag of A without `genre:`}; junk is not in it.
      spelt: sets of two genres that differ in spelling alone.
      translated: pairs that the sound may find.
      doubtful: pairs that a person has to see.
      junk: what is no genre.
      untagged: number of files without genre.
      below: {(style, genre)} of the catalogue's taxonomy, as tags of A.
    """

    meaning: dict[str, str]
    spelt: list[frozenset[str]]
    translated: list[frozenset[str]]
    doubtful: list[frozenset[str]]
    junk: set[str]
    untagged: int
    below: set[tuple[str, str]]


def make_messy_library(corpus, out, seed=0, albums=None):
    """Copies albums of catalogue A into `out/ARTIST/ALBUM`, with messy genres; returns `Messy`.

    Args:
      corpus: folder of the rendered catalogues.
      out: a new folder.
      seed: of all that is drawn.
      albums: how many albums, drawn by chance; all by default.
    """
    draw, corpus, out = random.Random(seed), pathlib.Path(corpus), pathlib.Path(out)
    tracks = {row["track_id"]: row for row in _rows(corpus / "tracks.csv")}
    by_album = {}
    for row in _rows(corpus / "annotations_a.csv"):
        by_album.setdefault(row["album_id"], []).append(row)
    chosen = draw.sample(sorted(by_album), albums or len(by_album))
    meaning, junk, untagged = {}, set(), 0
    for number, album in enumerate(chosen):
        written = _genres(draw, by_album[album][0]["tags"].split("|"))
        mess = draw.choice(JUNK) if number % 8 == 0 else None
        junk |= {mess} - {None}
        field = ({} if mess == "Other" else written) | ({mess: ""} if mess else {})
        if number % 10 == 9:
            field, untagged = {}, untagged + len(by_album[album])
        else:
            meaning |= {genre: tag for genre, tag in field.items() if tag}
        for row in by_album[album]:
            source = corpus / tracks[row["track_id"]]["path"]
            goal = out / row["artist_id"] / album / source.name
            goal.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, goal)
            genres = [*field]
            if draw.random() < 0.5 and field:
                genres = [draw.choice(("; ", ", ")).join(field)]
            _write(goal, row["artist_id"], album, tracks[row["track_id"]]["title"], genres)
    return _truth(corpus, meaning, junk, untagged)


def _rows(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _genres(draw, tags):
    """{genre as written: tag} of an album."""
    forms = SPELLINGS | LANGUAGES | DOUBTS
    names = dict.fromkeys(tag.removeprefix("genre:") for tag in tags)
    drawn = {draw.choice(forms.get(name, (name.title(),))): name for name in names}
    return {genre: SAME.get(name, name) for genre, name in drawn.items()}


def _truth(corpus, meaning, junk, untagged):
    def pairs(planted):
        return [
            frozenset((one, other))
            for forms in planted
            for one in forms
            for other in forms
            if one < other and {one, other} <= meaning.keys()
        ]

    spelt = [*SPELLINGS.values(), ("Bossa Nova", "Bossanova")]
    below = {
        tuple(SAME.get(tag, tag) for tag in (row["style"], row["genre"].removeprefix("genre:")))
        for row in _rows(corpus / "taxonomy_a.csv")
    }
    return Messy(
        meaning, pairs(spelt), pairs(LANGUAGES.values()), pairs(DOUBTS.values()), junk, untagged,
        below,
    )  # fmt: skip


def _write(path, artist, album, title, genres):
    file = mutagen.File(path)
    words = {"artist": artist, "album": album, "title": title}
    if path.suffix in (".mp3", ".wav"):
        if file.tags is None:
            file.add_tags()
        file.tags.clear()
        for name, kind in (("artist", id3.TPE1), ("album", id3.TALB), ("title", id3.TIT2)):
            file.tags.add(kind(3, [words[name]]))
        if genres:
            file.tags.add(id3.TCON(3, genres))
    else:
        file.delete()
        file.update(words | ({"genre": genres} if genres else {}))
    file.save()
