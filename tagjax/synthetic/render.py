"""Sound of the synthetic tracks: a track is a pure function of time.

The notes of a bar follow from (seed, bar) alone. The samples of a note follow from its pitch and
length and from the artist. So any excerpt can be rendered by itself, and equals that slice of the
whole track. A note reads a table of one period at the note's frequency. The artist's equaliser acts
on the partials and on the drum samples, never on the mix.
"""

import functools
import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from tagjax.synthetic.artists import ArtistSound
from tagjax.synthetic.styles import Style, Voice

SAMPLE_RATE = 22050
_TABLE = 4096
_LONGEST = 6.0  # seconds of the longest note
_RAMP = np.arange(8 * SAMPLE_RATE, dtype=np.float64)  # samples of the longest note and tail
_STRUM = 0.022  # seconds between two strings
_DRUMS = ("kick", "snare", "hat")
_TONAL = ("bass", "chords", "lead")
_LOWEST = {"bass": 28, "chords": 52, "lead": 64}  # MIDI pitch of the key note, C
_GAIN = {"kick": 0.5, "snare": 0.34, "hat": 0.2, "bass": 0.3, "chords": 0.15, "lead": 0.17}
_HIT = {"x": 1.0, "o": 0.45, "?": 0.7}
_BASS_STEPS = {"r": 0, "t": 2, "f": 4, "o": 7}


class Event(NamedTuple):
    """A note or a hit. The onset is in samples from the track's start; the gain is linear."""

    onset: int
    layer: str
    pitch: int
    samples: int
    gain: float


def equaliser(sound: ArtistSound, frequency: np.ndarray) -> np.ndarray:
    """Linear gain, float64, of the artist's equaliser at frequencies in Hz."""
    octave = np.log2(np.maximum(frequency, 20.0) / 1000)
    decibel = np.clip(sound.tilt * octave, -18, 18)
    for centre, height, width in sound.bells:
        decibel = decibel + height * np.exp(-(((octave - math.log2(centre / 1000)) / width) ** 2))
    return 10 ** (decibel / 20)


def _tail(sound: ArtistSound) -> int:
    """Number of samples for which a note rings on after its end."""
    return int(4 * sound.room * SAMPLE_RATE)


def _cycle(amplitude: np.ndarray) -> np.ndarray:
    """One period, float32 [4096], of the partials from the first on, with these amplitudes."""
    spectrum = np.zeros(_TABLE // 2 + 1, np.complex128)
    phase = (np.arange(len(amplitude)) ** 2) * 2.4  # spreads the peaks
    spectrum[1 : len(amplitude) + 1] = amplitude * np.exp(1j * phase) * _TABLE / 2
    return np.fft.irfft(spectrum, _TABLE).astype(np.float32)


def _note(layer: str, voice: Voice, sound: ArtistSound, pitch: int, samples: int) -> np.ndarray:
    """The samples of one note, float32 [samples + tail]."""
    fundamental = 440 * 2 ** ((pitch - 69) / 12)
    length = samples + _tail(sound)
    time = _RAMP[:length].astype(np.float32) / np.float32(SAMPLE_RATE)
    partial = np.arange(1, max(2, min(64, int(9500 / fundamental)) + 1))
    amplitude = partial ** -max(voice.rolloff + sound.brightness[_TONAL.index(layer)], 0.3)
    amplitude = np.where(partial % 2 == 0, voice.even, 1.0) * amplitude
    amplitude /= np.sqrt((amplitude**2).sum())
    amplitude *= equaliser(sound, fundamental * partial)

    increment = fundamental * _TABLE / SAMPLE_RATE
    phase = _RAMP[:length] * increment
    if voice.glide or voice.vibrato:
        bend = voice.glide * np.exp(-time / 0.12) + voice.vibrato * np.sin(34.6 * time)
        phase = np.cumsum(2 ** (bend / 12)) * increment
    ratio, index, fade = voice.fm
    if index:
        modulator = np.sin(np.float32(2 * math.pi * fundamental * ratio) * time)
        phase = phase + modulator * np.exp(-time / fade) * (index * _TABLE / (2 * math.pi))
    position = phase.astype(np.int32) & np.int32(_TABLE - 1)
    if voice.shine:
        dull = _cycle(amplitude[:2])[position]
        rest = _cycle(np.where(partial > 2, amplitude, 0))[position]
        wave = dull + np.exp(-time / np.float32(voice.shine)) * rest
    else:
        wave = _cycle(amplitude)[position]
    if voice.decay:
        wave *= np.exp(-time / np.float32(voice.decay))
    rise = min(int(voice.attack * SAMPLE_RATE) + 1, length)
    wave[:rise] *= np.linspace(0, 1, rise, dtype=np.float32)
    ring = time[: length - samples] / np.float32(sound.room)
    wave[samples:] *= np.exp(-ring) * np.linspace(1, 0, len(ring), dtype=np.float32)
    return wave


@functools.lru_cache(maxsize=64)
def _drums(sound: ArtistSound) -> dict[str, np.ndarray]:
    """The artist's drum sounds, float32 arrays."""
    rng = np.random.default_rng(7)
    time = np.arange(8192) / SAMPLE_RATE
    noise = rng.standard_normal(8192)
    factor, room = sound.drum_pitch, sound.room / 2
    sweep = 2 * math.pi * factor * (48 * time + 3.2 * (1 - np.exp(-time / 0.03)))
    click = noise * np.exp(-time / 0.003) * 0.3
    body = np.sin(2 * math.pi * 185 * factor * time) * np.exp(-time / 0.05)
    bright = np.append(0, np.diff(np.append(0, np.diff(noise))))
    dry = {
        "kick": (np.sin(sweep) * np.exp(-time / (0.08 + room)) + click) * 1.6,
        "snare": noise * np.exp(-time / (0.05 + room)) * 0.7 + body,
        "hat": bright * np.exp(-time / (0.02 + room / 2)) * 0.5,
    }
    gain = equaliser(sound, np.fft.rfftfreq(16384, 1 / SAMPLE_RATE))
    fade = np.minimum(1, np.arange(8192)[::-1] / 1024)
    return {
        name: (np.fft.irfft(np.fft.rfft(wave, 16384) * gain)[:8192] * fade).astype(np.float32)
        for name, wave in dry.items()
    }


@functools.lru_cache(maxsize=64)
def _hiss(sound: ArtistSound) -> np.ndarray:
    """A loop of the artist's noise floor, float32 [16384]."""
    noise = np.random.default_rng(8).standard_normal(16384)
    gain = equaliser(sound, np.fft.rfftfreq(16384, 1 / SAMPLE_RATE))
    return (np.fft.irfft(np.fft.rfft(noise) * gain) * 10 ** (sound.hiss / 20)).astype(np.float32)


class _Track(NamedTuple):
    """The choices among the style's alternatives, which stay the same through a track."""

    style: Style
    sound: ArtistSound
    seed: int
    step: float  # seconds
    patterns: dict[str, str]
    progression: tuple[int, ...]

    @classmethod
    def make(cls, style: Style, sound: ArtistSound, seed: int) -> "_Track":
        rng = np.random.default_rng([seed, 0x7A])
        low, high = style.tempo
        place = np.clip(sound.tempo + rng.uniform(-0.3, 0.3), 0, 1)
        patterns = {
            layer: options[int(rng.integers(len(options)))] if options else ""
            for layer in _DRUMS + _TONAL
            for options in (getattr(style, layer),)
        }
        progression = style.progressions[int(rng.integers(len(style.progressions)))]
        tempo = low + (high - low) * place
        return cls(style, sound, seed, 15 / tempo, patterns, progression)

    def seconds(self, step: float) -> float:
        """Time of a step, which is counted from the track's start, with swing."""
        beat, fraction = divmod(step / 4, 1)
        late = 0.5 + self.style.swing / 6
        swung = fraction * 2 * late if fraction < 0.5 else late + (fraction - 0.5) * 2 * (1 - late)
        return (beat + swung) * 4 * self.step

    def pitch(self, layer: str, degree: int) -> int:
        """MIDI pitch of a scale degree (any integer) in the layer's register."""
        octave, place = divmod(degree, len(self.style.scale))
        key = self.sound.key
        key = (key + 6) % 12 - 6 if layer == "bass" else key + self.sound.register
        return _LOWEST[layer] + key + 12 * octave + self.style.scale[place]

    def voice(self, layer: str) -> Voice:
        style = self.style
        voices = {"bass": style.bass_voice, "chords": style.chord_voice, "lead": style.lead_voice}
        return voices[layer]

    def held(self, layer: str) -> int:
        """Number of samples for which a note of the layer is held."""
        voice = self.voice(layer)
        seconds = voice.length * (self.step if voice.length_steps else 1)
        return int(min(seconds, _LONGEST) * SAMPLE_RATE)

    def events(self, bar: int) -> Iterator[Event]:
        """The notes that start in a bar; they depend on (seed, bar) alone."""
        rng = np.random.default_rng([self.seed, bar])
        style, steps = self.style, self.style.steps
        root = self.progression[(bar // style.bars_per_chord) % len(self.progression)]
        following = self.progression[((bar + 1) // style.bars_per_chord) % len(self.progression)]
        chance = rng.uniform(size=(6, steps))
        start, moves = int(rng.integers(0, 6)), rng.integers(-2, 3, size=steps)

        for row, layer in enumerate(_DRUMS + _TONAL):
            count = 0
            for step, mark in enumerate(self.patterns[layer]):
                if mark == "." or (mark == "?" and chance[row, step] < 0.5):
                    continue
                seconds = self.seconds(bar * steps + step)
                gain = _HIT.get(mark, 1.0) * (0.8 + 0.2 * (step % 4 == 0))
                onset = round(seconds * SAMPLE_RATE)
                if row < 3:
                    yield Event(onset, layer, 0, 8192, gain)
                elif layer == "chords":
                    yield from self._chord(onset, root, count, gain)
                else:
                    if layer == "bass" and mark == "w":
                        degree = (root, root + 2, root + 4, following - 1)[count % 4]
                    elif layer == "bass":
                        degree = root + _BASS_STEPS[mark]
                    elif style.contour == "zigzag":
                        degree = root + start % 3 + (count // 2) % 8 + 3 * (count % 2)
                    elif style.contour == "walk":
                        degree = root + start + int(moves[: count + 1].sum())
                    else:
                        degree = root + (count if style.contour == "up" else 7 - count) % 8
                    yield Event(onset, layer, self.pitch(layer, degree), self.held(layer), gain)
                count += 1

    def _chord(self, onset: int, root: int, count: int, gain: float) -> Iterator[Event]:
        voicing, motion = self.style.voicing, self.style.motion
        size, held = len(voicing), self.held("chords")
        if motion in ("block", "strum"):
            for string, offset in enumerate(voicing):
                late = int(string * _STRUM * SAMPLE_RATE) if motion == "strum" else 0
                yield Event(onset + late, "chords", self.pitch("chords", root + offset), held, gain)
            return
        index = count % size
        if motion == "down":
            index = size - 1 - index
        elif motion == "updown":
            index = size - 1 - abs(size - 1 - count % max(1, 2 * size - 2))
        pitch = self.pitch("chords", root + voicing[index])
        yield Event(onset, "chords", pitch, held, gain * 1.7)


def _ride(track: _Track, nodes: dict[int, np.ndarray], event: Event) -> float:
    """Gain at an event's onset; levels wander from one random node to the next in 3 seconds."""
    place, fraction = divmod(event.onset / (3 * SAMPLE_RATE), 1)
    for node in (int(place), int(place) + 1):
        if node not in nodes:
            nodes[node] = np.random.default_rng([track.seed, 0x1D, node]).uniform(-1, 1, size=6)
    layer = (_DRUMS + _TONAL).index(event.layer)
    wander = (1 - fraction) * nodes[int(place)][layer] + fraction * nodes[int(place) + 1][layer]
    return float(10 ** (track.sound.ride * wander / 20))


def _modulation(track: _Track, first: int, samples: int) -> np.ndarray:
    """Gain of the tonal layers over time, float32 [samples]."""
    rate, depth, shape = track.style.modulation
    cycle = np.arange(256) / 256
    if shape == "pump":
        form = np.minimum(1, cycle * 1.4) ** 1.5
    elif shape == "gate":
        form = np.clip((0.5 - np.abs(cycle - 0.5)) * 12 - 2, 0, 1)
    else:
        form = 0.5 - 0.5 * np.cos(2 * math.pi * cycle)
    table = (1 - depth * (1 - form)).astype(np.float32)
    increment = rate * 256 / (4 * track.step * SAMPLE_RATE)
    return table[(np.arange(first, first + samples) * increment).astype(np.int64) & 255]


def render(
    style: Style, sound: ArtistSound, seed: int, start: float, duration: float
) -> np.ndarray:
    """Renders an excerpt of a track.

    Args:
      style: the style of the track.
      sound: the sound of its artist.
      seed: the seed of the track; the same style, sound and seed make the same track.
      start: seconds from the track's start, not negative.
      duration: seconds.

    Returns:
      Mono audio, float32 [round(22050 * duration)], within [-1, 1]. Up to rounding it
      equals this slice of a longer rendering.

    >>> from tagjax.synthetic.artists import artist_sound
    >>> from tagjax.synthetic.styles import STYLES
    >>> render(STYLES["haze"], artist_sound(1), seed=7, start=0.0, duration=1.0).shape
    (22050,)
    """
    track = _Track.make(style, sound, seed)
    first, samples = round(start * SAMPLE_RATE), round(duration * SAMPLE_RATE)
    bar = style.steps * track.step
    longest = max(max(track.held(layer) for layer in _TONAL) + _tail(sound), 8192)
    early = start - longest / SAMPLE_RATE - 0.2
    level = {
        layer: _GAIN[layer] * 10 ** (decibel / 20)
        for layer, decibel in zip(_DRUMS + _TONAL, sound.levels, strict=True)
    }
    drums = np.zeros(samples, np.float32)
    tonal = np.zeros(samples, np.float32)
    notes: dict[tuple[str, int, int], np.ndarray] = {}
    ride = functools.partial(_ride, track, {})
    for index in range(max(0, int(early / bar)), int((start + duration) / bar) + 1):
        for event in track.events(index):
            at = event.onset - first
            if at >= samples or at + event.samples + _tail(sound) <= 0:
                continue
            if event.layer in _DRUMS:
                bus, wave = drums, _drums(sound)[event.layer]
            else:
                key = (event.layer, event.pitch, event.samples)
                if key not in notes:
                    notes[key] = _note(event.layer, track.voice(event.layer), sound, *key[1:])
                bus, wave = tonal, notes[key]
            low, high = max(0, at), min(samples, at + len(wave))
            if high > low:
                gain = event.gain * level[event.layer] * ride(event)
                bus[low:high] += np.float32(gain) * wave[low - at : high - at]
    if style.modulation[1]:
        tonal *= _modulation(track, first, samples)
    hiss = _hiss(sound)
    floor = np.resize(np.roll(hiss, -((first + seed) % len(hiss))), samples)
    drive = 10 ** (sound.drive / 20)
    mix = np.tanh((drums + tonal + floor) * np.float32(drive))
    return mix * np.float32(10 ** (sound.loudness / 20) / max(drive, 1.0) ** 0.7)
