"""The sound of each artist of the synthetic music: it changes the spectrum, not the style."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class ArtistSound:
    """How an artist changes the mean spectrum, in any style.

    Attributes:
      tilt: slope of the spectrum around 1 kHz, dB per octave.
      bells: (centre in Hz, dB, width in octaves) of each bell of the equaliser.
      brightness: numbers that are added to the roll-off exponents of bass, chords and lead.
      levels: levels of kick, snare, hat, bass, chords and lead, dB.
      ride: range in which the level of each instrument wanders through a track, dB.
      loudness: level of the mix, dB.
      drive: gain that drives the mix into saturation, dB.
      hiss: level of the noise floor relative to full scale, dB.
      room: seconds for which notes and drums ring on.
      key: semitones above C.
      register: semitones by which chords and lead are shifted.
      drum_pitch: factor on the frequencies of the drums.
      tempo: place in the style's tempo range, from 0 to 1.
    """

    tilt: float
    bells: tuple[tuple[float, float, float], ...]
    brightness: tuple[float, ...]
    levels: tuple[float, ...]
    ride: float
    loudness: float
    drive: float
    hiss: float
    room: float
    key: int
    register: int
    drum_pitch: float
    tempo: float


def artist_sound(seed: int) -> ArtistSound:
    """Draws the sound of an artist; the same seed gives the same sound.

    >>> artist_sound(1) == artist_sound(1), artist_sound(1) == artist_sound(2)
    (True, False)
    """
    rng = np.random.default_rng([seed, 0x50])
    bells = tuple(
        (float(80 * 2 ** rng.uniform(0, 6.5)), float(rng.uniform(-14, 14)), float(width))
        for width in rng.uniform(0.3, 1.5, size=5)
    )
    return ArtistSound(
        tilt=float(rng.uniform(-5, 5)),
        bells=bells,
        brightness=tuple(float(x) for x in rng.uniform(-0.5, 0.8, size=3)),
        levels=tuple(float(x) for x in rng.uniform(-8, 8, size=6)),
        ride=float(rng.uniform(0, 7)),
        loudness=float(rng.uniform(-14, 0)),
        drive=float(rng.uniform(-6, 18)),
        hiss=float(rng.uniform(-62, -38)),
        room=float(0.02 * 10 ** rng.uniform(0, 1)),
        key=int(rng.integers(12)),
        register=int(rng.choice([-7, -5, 0, 0, 5, 7, 12])),
        drum_pitch=float(2 ** rng.uniform(-0.6, 0.6)),
        tempo=float(rng.uniform()),
    )
