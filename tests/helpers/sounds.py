"""Sound files whose headers lie, and joined ones."""

import struct

import numpy as np
import soundfile

from tagjax.base import mpeg

STEP = 50.0
"""Hz by which every second of a `ladder` is higher than the one before."""


def ladder(seconds, rate, lowest=400.0, channels=1, level=0.4):
    """A sine that is `STEP` higher every second, so that its pitch tells where one is."""
    time = np.arange(round(seconds * rate)) / rate
    phase = 2 * np.pi * np.cumsum(lowest + STEP * np.floor(time)) / rate
    return np.repeat((level * np.sin(phase)).astype(np.float32)[:, None], channels, axis=1)


def pitch(samples, rate=22050):
    """Hz of the loudest partial."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 8 * len(samples)))
    return np.argmax(spectrum) * rate / (8 * len(samples))


def encoded(path, sound, rate, container, codec, **more):
    """The bytes of a file, written to `path` and read."""
    soundfile.write(path, sound, rate, format=container, subtype=codec, **more)
    return path.read_bytes()


def mpeg_frames(content):
    """Where the frames of an MP3 of ours begin, and where it ends; the first is a Xing header."""
    place, found = 0, []
    while header := mpeg.header(content[place : place + 4]):
        found.append(place)
        place += header.length
    return [*found, len(content)]


def without_xing(content):
    """An MP3 of ours without its first frame, which says how long it is."""
    return content[mpeg_frames(content)[1] :]


def ogg_pages(content, serial=None, shift=0):
    """An Ogg stream with another serial number, or granule positions moved by `shift`."""
    content, place = bytearray(content), 0
    while place < len(content):
        segments = content[place + 26]
        size = 27 + segments + sum(content[place + 27 : place + 27 + segments])
        (granule,) = struct.unpack_from("<q", content, place + 6)
        struct.pack_into("<q", content, place + 6, granule + shift if granule > 0 else granule)
        if serial is not None:
            struct.pack_into("<I", content, place + 14, serial)
        struct.pack_into("<I", content, place + 22, 0)
        struct.pack_into("<I", content, place + 22, _ogg_crc(content[place : place + size]))
        place += size
    return bytes(content)


def _ogg_crc(page):
    value = 0
    for byte in page:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1 ^ (0x04C11DB7 if value & 0x80000000 else 0)) & 0xFFFFFFFF
    return value


def flac_total(content, samples):
    """A FLAC stream whose header says that it has so many samples."""
    field = int.from_bytes(content[18:26], "big") >> 36 << 36 | samples
    return content[:18] + field.to_bytes(8, "big") + content[26:]


def chunk_size(content, name, size, form):
    """A file of chunks with another size of the first chunk of that name."""
    content = bytearray(content)
    struct.pack_into(form, content, content.index(name) + 4, size)
    return bytes(content)
