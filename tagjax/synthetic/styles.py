"""The two-level style system of the synthetic music: genres, and styles as their variations.

A genre is a full set of parameters. A style is a genre in which a few parameters are changed.
Most of these shape time (rhythm, note lengths, swing, motion, modulation, envelopes), not the
mean spectrum. The numbers of a style with two parents lie between those of its parents. The mean
spectrum is left to the artists (`artists.ArtistSound`).

Patterns are strings with one character for each step of the bar. A beat has four steps:
  drums:  `x` hit, `o` soft hit, `?` hit by chance, `.` rest.
  bass:   `r` root, `t` third, `f` fifth, `o` octave, `w` the next walking note, `.` rest.
  chords, lead: `x` note(s), `?` by chance, `.` rest.
"""

import dataclasses
from typing import Any

Progression = tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Voice:
    """Timbre and envelope of one pitched instrument.

    Attributes:
      rolloff: harmonic h has amplitude h**-rolloff.
      even: factor for the even harmonics.
      attack: seconds from silence to full.
      decay: time constant of the exponential decay, seconds; 0 means that the note sustains.
      shine: seconds in which harmonics above the second die away; 0 means that they stay.
      fm: (ratio, index, seconds) of a decaying phase modulation; index 0 means none.
      length: how long a note is held, in seconds or steps.
      length_steps: whether the unit of `length` is a step.
      glide: semitones below (negative) or above the pitch at which a note starts.
      vibrato: semitones of a 5.5 Hz vibrato.
    """

    rolloff: float = 1.2
    even: float = 1.0
    attack: float = 0.005
    decay: float = 0.0
    shine: float = 0.0
    fm: tuple[float, float, float] = (1.0, 0.0, 0.1)
    length: float = 1.0
    length_steps: bool = True
    glide: float = 0.0
    vibrato: float = 0.0


@dataclasses.dataclass(frozen=True)
class Style:
    """How a kind of music is played: all that does not depend on the artist.

    Attributes:
      genres: names of the parent genres, one or two.
      tempo: lowest and highest tempo, beats per minute.
      steps: number of steps in a bar; four make a beat.
      swing: 0 for straight time, 1 for triplets.
      kick, snare, hat: alternative patterns; a track keeps to one of each.
      bass, chords, lead: alternative patterns; a track keeps to one of each.
      scale: semitones of the scale.
      progressions: alternative sequences of chords, by their scale degrees.
      bars_per_chord: number of bars that a chord lasts.
      voicing: scale steps above the root that make a chord.
      motion: how chord notes enter: block or strum; up, down or updown (one note for each hit).
      contour: the lead's way through the scale: up, down, zigzag or walk.
      bass_voice, chord_voice, lead_voice: the instruments.
      modulation: (cycles per beat, depth 0..1, shape pump|sine|gate) of the tonal layers.
    """

    genres: tuple[str, ...]
    tempo: tuple[float, float]
    steps: int = 16
    swing: float = 0.0
    kick: tuple[str, ...] = ()
    snare: tuple[str, ...] = ()
    hat: tuple[str, ...] = ()
    bass: tuple[str, ...] = ()
    chords: tuple[str, ...] = ()
    lead: tuple[str, ...] = ()
    scale: tuple[int, ...] = (0, 2, 4, 5, 7, 9, 11)
    progressions: tuple[Progression, ...] = ((0, 3, 4, 0),)
    bars_per_chord: int = 1
    voicing: tuple[int, ...] = (0, 2, 4)
    motion: str = "block"
    contour: str = "walk"
    bass_voice: Voice = Voice()
    chord_voice: Voice = Voice()
    lead_voice: Voice = Voice()
    modulation: tuple[float, float, str] = (1.0, 0.0, "sine")


MAJOR = (0, 2, 4, 5, 7, 9, 11)
MINOR = (0, 2, 3, 5, 7, 8, 10)
DORIAN = (0, 2, 3, 5, 7, 9, 10)
LYDIAN = (0, 2, 4, 6, 7, 9, 11)

SYNTH = Voice(rolloff=1.0)
STRING = Voice(rolloff=1.1, decay=0.45, shine=0.15, length=6)
REED = Voice(rolloff=0.9, even=0.4, attack=0.03)
DRIVE = Voice(rolloff=0.7, attack=0.004)
TINE = Voice(rolloff=2.2, decay=0.6, fm=(2.0, 1.6, 0.2), length=3)
PAD = Voice(rolloff=1.5, attack=0.5, length=14)

GENRES: dict[str, Style] = {
    "kinetic": Style(
        genres=("kinetic",),
        tempo=(120, 134),
        kick=("x...x...x...x...",),
        snare=("....x.......x...",),
        hat=("..x...x...x...x.",),
        bass=("..r...r...r...r.", "r..r..r.r..r..r."),
        chords=("x..x..x.........", "..x..x....x..x.."),
        scale=MINOR,
        progressions=((0, 5, 2, 6), (0, 0, 3, 5), (0, 6, 5, 6)),
        bass_voice=dataclasses.replace(SYNTH, length=1.5),
        chord_voice=dataclasses.replace(SYNTH, length=1.5),
        lead_voice=dataclasses.replace(SYNTH, length=1),
    ),
    "hearth": Style(
        genres=("hearth",),
        tempo=(92, 116),
        bass=("r.......f.......",),
        chords=("x...x.x...x.x...",),
        lead=("x...?...x...?...",),
        scale=MAJOR,
        progressions=((0, 3, 4, 0), (0, 4, 5, 3), (0, 0, 3, 4)),
        motion="strum",
        bass_voice=dataclasses.replace(STRING, rolloff=1.6),
        chord_voice=STRING,
        lead_voice=STRING,
    ),
    "carousel": Style(
        genres=("carousel",),
        tempo=(150, 180),
        steps=12,
        kick=("x...........",),
        snare=("....o...o...",),
        bass=("r...........",),
        chords=("....x...x...",),
        lead=("x...?...?...", "x.....?.x..."),
        scale=MAJOR,
        progressions=((0, 0, 4, 4, 4, 4, 0, 0), (0, 3, 4, 0)),
        bass_voice=dataclasses.replace(REED, length=2.5),
        chord_voice=dataclasses.replace(REED, length=1.5),
        lead_voice=dataclasses.replace(REED, length=3.5, vibrato=0.25),
    ),
    "furnace": Style(
        genres=("furnace",),
        tempo=(132, 156),
        kick=("x.......x.......", "x.......x.x....."),
        snare=("....x.......x...",),
        hat=("x.x.x.x.x.x.x.x.",),
        bass=("r.r.r.r.r.r.r.r.",),
        chords=("x.x.x.x.x.x.x.x.",),
        scale=MINOR,
        progressions=((0, 5, 6, 0), (0, 2, 6, 3), (0, 0, 5, 6)),
        voicing=(0, 4, 7),
        bass_voice=dataclasses.replace(DRIVE, length=1.8),
        chord_voice=dataclasses.replace(DRIVE, length=1.8),
        lead_voice=dataclasses.replace(DRIVE, length=4, vibrato=0.3),
    ),
    "lantern": Style(
        genres=("lantern",),
        tempo=(112, 138),
        swing=1.0,
        hat=("x...x.x.x...x.x.",),
        snare=("....o.......o...",),
        bass=("w...w...w...w...",),
        chords=("..x.......x.....", "......x.......x.", "x.....x........."),
        lead=("x.x...?.x.?...x.",),
        scale=DORIAN,
        progressions=((1, 4, 0, 5), (0, 3, 1, 4)),
        voicing=(2, 4, 6, 8),
        bass_voice=Voice(rolloff=1.8, decay=0.4, length=3.6),
        chord_voice=TINE,
        lead_voice=dataclasses.replace(TINE, length=2),
    ),
    "tideland": Style(
        genres=("tideland",),
        tempo=(66, 84),
        bass=("r...............",),
        chords=("x...............",),
        scale=LYDIAN,
        progressions=((0, 4, 5, 3), (0, 1, 0, 5)),
        bars_per_chord=1,
        voicing=(0, 4, 8, 9),
        bass_voice=dataclasses.replace(PAD, rolloff=1.8),
        chord_voice=PAD,
        lead_voice=dataclasses.replace(PAD, attack=0.2, length=6),
    ),
}


def _vary(genre: str, **changes: Any) -> Style:
    """A style with one parent: its genre with some parameters changed."""
    return dataclasses.replace(GENRES[genre], **changes)


def _blend(first: str, second: str, **changes: Any) -> Style:
    """A style with two parents: tempo, swing and the numbers of the voices lie half way."""
    base, other = GENRES[first], GENRES[second]

    def middle(a: float, b: float) -> float:
        return (a + b) / 2

    def voice(a: Voice, b: Voice) -> Voice:
        numbers = ("rolloff", "even", "attack", "decay", "shine", "length", "glide", "vibrato")
        mixed = {name: middle(getattr(a, name), getattr(b, name)) for name in numbers}
        fm = tuple(middle(x, y) for x, y in zip(a.fm, b.fm, strict=True))
        return dataclasses.replace(a, fm=fm, **mixed)  # type: ignore[arg-type]

    mixed: dict[str, Any] = {
        "genres": (first, second),
        "tempo": tuple(middle(a, b) for a, b in zip(base.tempo, other.tempo, strict=True)),
        "swing": middle(base.swing, other.swing),
        "bass_voice": voice(base.bass_voice, other.bass_voice),
        "chord_voice": voice(base.chord_voice, other.chord_voice),
        "lead_voice": voice(base.lead_voice, other.lead_voice),
    }
    return dataclasses.replace(base, **(mixed | changes))


def _voice(genre: str, layer: str, **changes: Any) -> Voice:
    return dataclasses.replace(getattr(GENRES[genre], f"{layer}_voice"), **changes)


STYLES: dict[str, Style] = {
    # Machines: an even kick, minor keys, synthesisers.
    "stamp": _vary(
        "kinetic",
        chords=("x...............",),
        chord_voice=_voice("kinetic", "chord", length=15.5),
        modulation=(1.0, 0.95, "pump"),
    ),
    "ratchet": _vary(
        "kinetic",
        chords=("xxxxxxxxxxxxxxxx",),
        motion="up",
        voicing=(0, 2, 4, 7, 9, 11),
        chord_voice=_voice("kinetic", "chord", length=0.9, decay=0.12),
        bass=("r...r...r...r...",),
    ),
    "splinter": _vary(
        "kinetic",
        tempo=(162, 176),
        kick=("x.x.......x.....", "x.........x..x.."),
        snare=("....x..o.o..x...", "....x..o....x..o"),
        hat=("x.x.x.x.x.x.x.x.",),
        bass=("r...............", "r.........f....."),
        bass_voice=_voice("kinetic", "bass", length=9, glide=-7),
        chords=("......x...x.....",),
        chord_voice=_voice("kinetic", "chord", length=1, decay=0.1),
    ),
    # Strings: plucked and strummed, major keys, few drums.
    "porch": _vary(
        "hearth",
        bass=("r.......f.......",),
        chords=("....x.......x...", "....x.......x.x."),
        chord_voice=_voice("hearth", "chord", length=2, decay=0.2),
    ),
    "trickle": _vary(
        "hearth",
        tempo=(84, 104),
        chords=("x.x.x.x.x.x.x.x.",),
        motion="down",
        voicing=(0, 2, 4, 7, 9, 11),
        lead=("x...............", "........x......."),
        chord_voice=_voice("hearth", "chord", decay=0.8, length=8),
    ),
    "hayride": _vary(
        "hearth",
        tempo=(132, 150),
        snare=("ooxoooxoooxoooxo",),
        bass=("r...f...r...f...",),
        chords=("..x...x...x...x.",),
        chord_voice=_voice("hearth", "chord", length=1, decay=0.1),
        lead=("xxx?xxx?xx?xxxx?",),
        contour="zigzag",
        lead_voice=_voice("hearth", "lead", length=1, decay=0.15),
    ),
    # In three: reeds.
    "whirl": _vary("carousel", tempo=(176, 204)),
    "lull": _vary(
        "carousel",
        tempo=(84, 102),
        kick=(),
        snare=(),
        chords=("x...........",),
        chord_voice=_voice("carousel", "chord", length=11, attack=0.35, vibrato=0.2),
        bass_voice=_voice("carousel", "bass", length=10, attack=0.1),
        lead=("x.....x.....", "x.......x..."),
        lead_voice=_voice("carousel", "lead", length=6, glide=-2, vibrato=0.5, attack=0.08),
    ),
    "emberwaltz": _blend(
        "carousel",
        "hearth",
        kick=(),
        snare=(),
        chords=("x.x.x.x.x.x.",),
        motion="updown",
        voicing=(0, 2, 4, 7),
        chord_voice=_voice("hearth", "chord", length=4),
    ),
    # Loud: a backbeat, fifths, driven tones.
    "rally": _vary("furnace", tempo=(150, 172)),
    "gallop": _vary(
        "furnace",
        tempo=(118, 138),
        kick=("x.xxx.xxx.xxx.xx",),
        bass=("r.rrr.rrr.rrr.rr",),
        chords=("x.xxx.xxx.xxx.xx",),
        chord_voice=_voice("furnace", "chord", length=0.6),
        bass_voice=_voice("furnace", "bass", length=0.6),
        hat=("x...x...x...x...",),
    ),
    "slab": _vary(
        "furnace",
        tempo=(104, 124),
        kick=("x.........x.....",),
        snare=("........x.......",),
        hat=("x...x...x...x...",),
        bass=("r.......r.......",),
        chords=("x.......x.......", "x.........x....."),
        chord_voice=_voice("furnace", "chord", length=7, glide=5),
        bass_voice=_voice("furnace", "bass", length=7),
    ),
    "smoulder": _blend(
        "furnace",
        "lantern",
        swing=1.0,
        kick=("x.......x.......", "x.....x.x......."),
        hat=("x.x.x.x.x.x.x.x.",),
        bass=("r.r.f.f.o.o.f.f.",),
        chords=("x.x.x.x.x.x.x.x.",),
        chord_voice=_voice("furnace", "chord", length=1.2),
    ),
    # Swung: a walking bass, seventh chords, tines.
    "stroll": _vary("lantern", lead=("x.....?.x.?.....",)),
    "hush": _vary(
        "lantern",
        tempo=(62, 78),
        hat=("o...o...o...o...",),
        bass=("r.......f.......",),
        bass_voice=_voice("lantern", "bass", length=7, decay=0.9),
        chords=("x.......x.......", "x..............."),
        chord_voice=_voice("lantern", "chord", length=8, decay=2.0),
        lead=("x...?.x...?.....",),
        modulation=(5.0, 0.8, "sine"),
    ),
    "scurry": _vary(
        "lantern",
        tempo=(196, 232),
        swing=0.6,
        lead=("x.x.x.x.x.x.x.x.",),
        contour="zigzag",
        lead_voice=_voice("lantern", "lead", length=1.6, decay=0.25),
        chords=("......x.........", "..........x....."),
        chord_voice=_voice("lantern", "chord", length=1, decay=0.15),
    ),
    # Slow: pads.
    "haze": _vary("tideland"),
    "shimmer": _vary("tideland", modulation=(4.0, 0.95, "gate")),
    "bellfield": _vary(
        "tideland",
        chords=("x..x..x...x..x..", "x.....x..x....x."),
        motion="down",
        voicing=(0, 4, 8, 9, 11),
        chord_voice=Voice(rolloff=2.0, decay=0.9, fm=(3.5, 1.2, 0.4), length=12),
    ),
    "undertow": _blend(
        "tideland",
        "kinetic",
        kick=("x...x...x...x...",),
        hat=("..o...o...o...o.",),
        bass=("..r...r...r...r.",),
        bass_voice=_voice("kinetic", "bass"),
        scale=MINOR,
        modulation=(2.0, 0.6, "sine"),
    ),
}
