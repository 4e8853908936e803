"""Two annotated catalogues of synthetic tracks, with the truth about both tag systems.

Each artist has a sound and a palette of styles, mostly of one genre, and belongs by chance to
catalogue A, to B or to both. Albums are annotated as a whole. The two systems have different names
for the same concepts. The planted relations between them are known: a broader and a narrower tag,
duplicates, a tag with two senses, a name with two meanings. Tags have no system prefix.
"""

import dataclasses
import functools
from collections.abc import Iterable, Mapping

import numpy as np

from tagjax.base.errors import InputError
from tagjax.synthetic.artists import artist_sound
from tagjax.synthetic.render import SAMPLE_RATE, render
from tagjax.synthetic.styles import STYLES
from tagjax.synthetic.systems import (
    GENRE_TAGS,
    STYLE_TAGS,
    SYSTEMS,
    duplicates_truth,
    oddities_truth,
    taxonomy_truth,
    translation_truth,
)


@dataclasses.dataclass(frozen=True)
class SyntheticConfig:
    """How the catalogues are drawn.

    Attributes:
      seed: seed of everything random.
      tracks: number of tracks of both catalogues together.
      album_tracks: largest number of tracks of an album, which is uniform from 1 on.
      artist_albums: largest number of albums of an artist, which is uniform from 1 on.
      palette: probabilities that an artist plays 1, 2, 3 styles.
      faithful: probability that a further style of a palette is of the artist's home genre.
      both: share of artists in both catalogues; each has half of the others.
      wrong: probability that an album's annotation has a wrong style of its genre.
      popularity: ratio of the most to the least popular style.
      duration: lengths of the shortest and the longest track, seconds.

    >>> SyntheticConfig(tracks=400, both=0.2).duration
    (60.0, 180.0)
    """

    seed: int = 1
    tracks: int = 2600
    album_tracks: int = 4
    artist_albums: int = 3
    palette: tuple[float, float, float] = (0.5, 0.35, 0.15)
    faithful: float = 0.85
    both: float = 0.06
    wrong: float = 0.06
    popularity: float = 1.5
    duration: tuple[float, float] = (60.0, 180.0)

    def __post_init__(self) -> None:
        """Raises InputError for an impossible value."""
        low, high = self.duration
        conditions = {
            "tracks must be at least 1": self.tracks >= 1,
            "album_tracks and artist_albums must be at least 1": (
                min(self.album_tracks, self.artist_albums) >= 1
            ),
            "palette must be three probabilities that sum to 1": (
                len(self.palette) == 3
                and min(self.palette) >= 0
                and abs(sum(self.palette) - 1) < 1e-9
            ),
            "faithful, both and wrong must lie within 0..1": all(
                0 <= value <= 1 for value in (self.faithful, self.both, self.wrong)
            ),
            "popularity must be at least 1": self.popularity >= 1,
            "duration must be (shortest, longest) in seconds": 0 < low <= high,
        }
        for message, holds in conditions.items():
            if not holds:
                raise InputError(f"SyntheticConfig: {message}")


@dataclasses.dataclass(frozen=True)
class Track:
    """A track; `concept` is the style that is played. It is the truth, which no method may use."""

    track_id: str
    artist_id: str
    album_id: str
    title: str
    duration: float
    concept: str
    seed: int
    artist_seed: int


@dataclasses.dataclass(frozen=True)
class Annotation:
    """All tags of a track in one system, sorted, without a system prefix."""

    track_id: str
    artist_id: str
    album_id: str
    tags: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Catalogue:
    """Tracks, annotations and truth; the systems are `a` and `b`.

    Attributes:
      config: the config from which it was made.
      tracks: all tracks, in the order of their ids.
      annotations: {system: annotations}; a track may be in one or both.
      taxonomy: {system: (style, genre) pairs}; a style with two parents has two pairs.
      translation: (source B tag, target A tag, relation of the source to the target).
      duplicates: (system, tag, duplicate).
      oddities: (what, system, tag, senses); senses are concepts joined by `|`.
    """

    config: SyntheticConfig
    tracks: tuple[Track, ...]
    annotations: Mapping[str, tuple[Annotation, ...]]
    taxonomy: Mapping[str, tuple[tuple[str, str], ...]]
    translation: tuple[tuple[str, str, str], ...]
    duplicates: tuple[tuple[str, str, str], ...]
    oddities: tuple[tuple[str, str, str, str], ...]

    def track(self, track_id: str) -> Track:
        """The track with an id.

        Raises:
          InputError: there is no such track.
        """
        number = track_id.removeprefix("s")
        index = int(number) if number.isascii() and number.isdigit() else -1
        if not 0 <= index < len(self.tracks) or self.tracks[index].track_id != track_id:
            raise InputError(f"track {track_id!r}: not one of the {len(self.tracks)} synthetic")
        return self.tracks[index]


def _album_tags(
    system: str, concepts: Iterable[str], wrong: bool, rng: np.random.Generator
) -> tuple[str, ...]:
    """The annotation of an album as a whole."""
    played = sorted(set(concepts))
    tags: set[str] = set()
    for concept in played:
        names = STYLE_TAGS[system][concept]
        tags.add(names[int(rng.integers(len(names)))])
        tags.update(GENRE_TAGS[system][genre] for genre in STYLES[concept].genres)
    heard = {tag for concept in played for tag in STYLE_TAGS[system][concept]}
    genre = STYLES[played[0]].genres[0]
    neighbours = [
        tag
        for concept, names in STYLE_TAGS[system].items()
        if genre in STYLES[concept].genres
        for tag in names
        if tag not in heard
    ]
    if wrong and neighbours:
        tags.add(neighbours[int(rng.integers(len(neighbours)))])
    return tuple(sorted(tags))


def _popularity(config: SyntheticConfig) -> np.ndarray:
    """Probability of each style as a favourite; styles with two names are the most likely."""
    places = np.random.default_rng([config.seed, 0xA0]).permutation(len(STYLES)) / len(STYLES)
    for place, concept in enumerate(STYLES):
        if any(len(STYLE_TAGS[system][concept]) == 2 for system in SYSTEMS):
            places[place] = 1.0
    weights = config.popularity**places
    return weights / weights.sum()


def _palette(config: SyntheticConfig, chances: np.ndarray, rng: np.random.Generator) -> list[str]:
    """The styles of one artist, the favourite first."""
    names = list(STYLES)
    palette = [str(rng.choice(names, p=chances))]
    size = 1 + int(rng.choice(3, p=config.palette))
    home = str(rng.choice(STYLES[palette[0]].genres))
    while len(palette) < size:
        near = [name for name in names if name not in palette and home in STYLES[name].genres]
        far = [name for name in names if name not in palette and name not in near]
        palette.append(str(rng.choice(near if near and rng.uniform() < config.faithful else far)))
    return palette


@functools.lru_cache(maxsize=4)
def make_catalogue(config: SyntheticConfig) -> Catalogue:
    """Draws both catalogues; the same config gives the same ones (results are cached).

    >>> catalogue = make_catalogue(SyntheticConfig(tracks=4))
    >>> [track.track_id for track in catalogue.tracks]
    ['s00000', 's00001', 's00002', 's00003']
    """
    tracks: list[Track] = []
    annotations: dict[str, list[Annotation]] = {system: [] for system in SYSTEMS}
    chances = _popularity(config)
    artist = album = 0
    words = ("Amber", "Cold", "Far", "Glass", "Late", "Paper", "Quiet", "Salt", "Third", "Wide")
    things = ("Bridge", "Engine", "Harbour", "Letter", "Mile", "Orchard", "Room", "Signal", "Tide")
    while len(tracks) < config.tracks:
        rng = np.random.default_rng([config.seed, 0xA1, artist])
        palette = _palette(config, chances, rng)
        chance = rng.uniform()
        split = config.both + (1 - config.both) / 2
        systems = SYSTEMS if chance < config.both else SYSTEMS[:1] if chance < split else ("b",)
        artist_seed = int(rng.integers(2**31))
        artist_id = f"sar{artist:04d}"
        artist += 1
        for _ in range(1 + int(rng.integers(config.artist_albums))):
            size = 1 + int(rng.integers(config.album_tracks))
            size = min(size, config.tracks - len(tracks))
            album_tracks = [
                Track(
                    track_id=f"s{len(tracks) + place:05d}",
                    artist_id=artist_id,
                    album_id=f"sal{album:04d}",
                    title=f"{rng.choice(words)} {rng.choice(things)}",
                    duration=round(float(rng.uniform(*config.duration)), 2),
                    concept=palette[min(int(rng.geometric(0.6)) - 1, len(palette) - 1)],
                    seed=int(rng.integers(2**31)),
                    artist_seed=artist_seed,
                )
                for place in range(size)
            ]
            if not album_tracks:
                break
            tracks += album_tracks
            album += 1
            wrong = bool(rng.uniform() < config.wrong)
            for system in systems:
                tags = _album_tags(system, (track.concept for track in album_tracks), wrong, rng)
                annotations[system] += [
                    Annotation(track.track_id, track.artist_id, track.album_id, tags)
                    for track in album_tracks
                ]
    return Catalogue(
        config=config,
        tracks=tuple(tracks),
        annotations={system: tuple(rows) for system, rows in annotations.items()},
        taxonomy={system: taxonomy_truth(system) for system in SYSTEMS},
        translation=translation_truth(),
        duplicates=duplicates_truth(),
        oddities=oddities_truth(),
    )


def render_excerpt(
    source: SyntheticConfig | Catalogue, track_id: str, seg_start: float, seg_duration: float
) -> np.ndarray:
    """Renders an excerpt of a track, from its concept and never from its tags.

    Args:
      source: the catalogue, or the config that makes it.
      track_id: one of its tracks.
      seg_start: seconds from the track's start.
      seg_duration: seconds; the excerpt ends with the track at the latest.

    Returns:
      Mono audio, float32 [n] at 22,050 Hz, within [-1, 1].

    Raises:
      InputError: there is no such track, or the excerpt starts outside it or is empty.

    >>> render_excerpt(SyntheticConfig(tracks=4), "s00000", 10.0, 2.0).shape
    (44100,)
    """
    catalogue = make_catalogue(source) if isinstance(source, SyntheticConfig) else source
    track = catalogue.track(track_id)
    if not 0 <= seg_start < track.duration:
        raise InputError(
            f"track {track_id}: seg_start {seg_start:g} s is outside its {track.duration:g} s"
        )
    length = min(seg_duration, track.duration - seg_start)
    if not length * SAMPLE_RATE >= 1:
        raise InputError(f"track {track_id}: seg_duration {seg_duration:g} s holds no sample")
    sound = artist_sound(track.artist_seed)
    return render(STYLES[track.concept], sound, track.seed, seg_start, length)
