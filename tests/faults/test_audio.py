"""Audio from strangers: files broken in every way cost one line, never the build."""

import collections
import json
import os
import pathlib
import re
import select
import struct
import subprocess
import sys
import time

import numpy as np
import pytest
import soundfile
import sounds
import tensorflow_datasets as tfds

import datasets
from tagjax.base.tables import read_table, write_table
from tagjax.examples import audio, build
from tagjax.examples.workers import BuildConfig

FORMATS = {
    "wav": ("WAV", "PCM_16"),
    "flac": ("FLAC", "PCM_16"),
    "ogg": ("OGG", "VORBIS"),
    "opus": ("OGG", "OPUS"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
    "aiff": ("AIFF", "PCM_24"),
}
START, DURATION = 0.5, 2.0
LIMIT_S, LIMIT_MIB = 30.0, 1024
SUFFIXES = [*FORMATS, "raw", "txt", "w64", "caf", "au", ""]
EXTREMES = (0, 1, 2, 0x7F, 0xFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1_000_000, 500)


class Decoder:
    """A process that decodes; replaced when it dies or hangs."""

    def __init__(self):
        self.lost = []
        self._process = None

    def decode(self, path, start=START, duration=DURATION):
        """What became of an excerpt; None if the process died of it or hung, noted in `lost`."""
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, str(pathlib.Path(__file__).parent / "decoder.py")],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
            )
        self._process.stdin.write(json.dumps([str(path), start, duration]).encode() + b"\n")
        self._process.stdin.flush()
        ready, _, _ = select.select([self._process.stdout], [], [], 2 * LIMIT_S)
        line = self._process.stdout.readline() if ready else b""
        if line:
            return json.loads(line)
        self.close()
        code = self._process.returncode
        self._process = None
        self.lost.append((str(path), f"died: {code}" if ready else "hung"))
        return None

    def close(self):
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@pytest.fixture(scope="module")
def decoder():
    one = Decoder()
    one.decode("/nowhere")  # Its start is not to be any file's cost.
    yield one
    one.close()


def sound(seconds=3.0, rate=44100, channels=2, seed=0):
    rng = np.random.default_rng(seed)
    time = np.arange(round(rate * seconds)) / rate
    tone = 0.3 * np.sin(2 * np.pi * 440 * time)
    return np.clip(tone[:, None] + rng.normal(0, 0.05, (len(time), channels)), -1, 1)


@pytest.fixture(scope="module")
def valid(tmp_path_factory):
    """{suffix: bytes} of a correct file of each format."""
    folder = tmp_path_factory.mktemp("valid")
    made = {}
    for suffix, (kind, subtype) in FORMATS.items():
        path = folder / f"a.{suffix}"
        rate = 48000 if suffix == "opus" else 44100
        soundfile.write(path, sound(rate=rate), rate, format=kind, subtype=subtype)
        made[suffix] = path.read_bytes()
    return made


def mutated(rng, valid):
    """(suffix of the original, what was done, suffix, bytes) of a file that is no longer valid."""
    names = sorted(valid)
    origin = names[rng.integers(len(names))]
    data, suffix, done = bytearray(valid[origin]), origin, []
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        kind = rng.choice(
            ["bits", "header bits", "cut", "number", "swap", "gap", "repeat", "splice", "head"]
        )
        done.append(str(kind))
        size = max(len(data), 1)
        if kind == "swap":
            suffix = str(rng.choice(SUFFIXES))
        elif not data:
            continue
        elif kind == "cut":
            del data[int(rng.integers(size) if rng.random() < 0.7 else rng.integers(128)) :]
        elif kind == "gap":
            at = int(rng.integers(size))
            del data[at : at + int(rng.integers(1, 4096))]
        elif kind == "head":
            del data[: int(rng.integers(1, 64))]
        elif kind == "repeat":
            at, length = int(rng.integers(size)), int(rng.integers(1, 4096))
            data[at:at] = data[at : at + length]
        elif kind == "splice":
            other = valid[names[rng.integers(len(names))]]
            at = int(rng.integers(size))
            data[at : at + 2048] = other[at % len(other) :][:2048]
        elif kind == "number":
            form = str(rng.choice(["<I", ">I", "<H", ">H", ">Q"]))
            at = int(rng.integers(min(size, 256)))
            value = int(EXTREMES[rng.integers(len(EXTREMES))]) % (1 << 8 * struct.calcsize(form))
            data[at : at + struct.calcsize(form)] = struct.pack(form, value)
        else:
            reach = min(size, 200) if kind == "header bits" else size
            for at in rng.integers(reach, size=int(rng.choice([1, 4, 64]))):
                data[at] ^= 1 << int(rng.integers(8))
    return origin, "+".join(done), suffix, bytes(data)


def check(path, found):
    assert found["finite"], path
    assert found["seconds"] < LIMIT_S, (path, found)
    assert found["peak"] < LIMIT_MIB, (path, found)
    assert (found["shape"] is None) == bool(found["reason"]), (path, found)
    assert "\n" not in found["reason"]
    assert not re.match(r"\w+(Error|Exception)\b", found["reason"]), (path, found)  # Unforeseen.
    if found["shape"] is not None:
        assert found["shape"] == [44, 96], (path, found)


def test_the_valid_files_decode(valid, tmp_path, decoder):
    for suffix, data in valid.items():
        path = tmp_path / f"a.{suffix}"
        path.write_bytes(data)
        found = decoder.decode(path)
        assert found["reason"] == ""
        check(path, found)


def test_mutated_files_cost_one_line_each(valid, tmp_path, decoder, trials, capsys):
    """Outside of the pool that would forgive a crash: no decoder may die at all."""
    began, most, longest = time.monotonic(), 0.0, 0.0
    reasons, decoded = collections.Counter(), collections.Counter()
    count, start = trials(240, 6000), len(decoder.lost)
    for seed in range(count):
        rng = np.random.default_rng([5, seed])
        origin, done, suffix, data = mutated(rng, valid)
        path = tmp_path / f"{seed}.{suffix}"
        path.write_bytes(data)
        found = decoder.decode(path, START if rng.random() < 0.8 else 0.0)
        if found is None:
            decoder.lost[-1] += (seed, origin, done)
            continue
        check((seed, origin, done, suffix), found)
        most, longest = max(most, found["grown"]), max(longest, found["seconds"])
        if found["reason"]:
            reasons[found["reason"].split(":")[0]] += 1
        decoded[origin] += not found["reason"]
        path.unlink()
    with capsys.disabled():
        print(
            f"\naudio: {count} mutations in {(time.monotonic() - began) / 60:.1f} min; "
            f"{sum(decoded.values())} decoded all the same, {reasons.total()} refused, "
            f"lost {decoder.lost[start:]}; at most +{most:.0f} MiB, {longest:.2f} s; "
            f"{dict(reasons.most_common(8))}"
        )
    assert decoder.lost[start:] == []
    assert 0 < sum(decoded.values()) < count


def joined(rng, valid):
    """Bytes of files that were cut, flipped and put behind each other, one format or several."""
    one = mutated(rng, valid)
    if rng.random() < 0.5:
        same = {one[0]: valid[one[0]]}
        return one[2], valid[one[0]] + mutated(rng, same)[3] + valid[one[0]]
    return one[2], b"".join([one[3], *(mutated(rng, valid)[3] for _ in range(2))])


def test_joined_mutated_files_cost_one_line_each(valid, tmp_path, decoder, trials):
    """At every place of them: in a file, over a joint, behind the end."""
    start, decoded = len(decoder.lost), 0
    for seed in range(trials(160, 4000)):
        rng = np.random.default_rng([7, seed])
        suffix, data = joined(rng, valid)
        path = tmp_path / f"{seed}.{suffix}"
        path.write_bytes(data)
        for place in (0.0, float(rng.uniform(0, 9))):
            found = decoder.decode(path, place)
            assert found is not None, (seed, decoder.lost[start:])
            check((seed, suffix, place), found)
            decoded += not found["reason"]
        path.unlink()
    assert decoded


def test_excerpts_of_joined_files_are_of_one_of_them_or_over_a_joint(tmp_path, trials):
    """Property: the pitch of a moment is that of its place, whatever is joined with whatever."""
    codecs = [("mp3", 44100), ("mp3", 24000), ("ogg", 44100), ("flac", 44100), ("flac", 32000)]
    pieces = {}
    for k, (suffix, rate) in enumerate(codecs):
        for channels in (1, 2):
            ladder = sounds.ladder(4.0, rate, 500.0 * (k + 1), channels)
            path = tmp_path / f"{k}{channels}.{suffix}"
            data = sounds.encoded(path, ladder, rate, *FORMATS[suffix])
            pieces[suffix, k, channels] = data, (rate, channels)
    for seed in range(trials(30, 600)):
        rng = np.random.default_rng([8, seed])
        suffix = str(rng.choice(["mp3", "ogg", "flac"]))
        names = [name for name in pieces if name[0] == suffix]
        chosen = [names[i] for i in rng.integers(len(names), size=rng.integers(2, 5))]
        path = tmp_path / f"joined.{suffix}"
        path.write_bytes(b"".join(pieces[name][0] for name in chosen))
        which, second = int(rng.integers(len(chosen))), int(rng.integers(4))
        place = 4 * which + second
        excerpt = audio.read_excerpt(path, place + 0.3, 0.5)
        wanted = 500.0 * (chosen[which][1] + 1) + sounds.STEP * second
        assert abs(sounds.pitch(excerpt.samples) - wanted) < 5, (seed, chosen, place)
        formats = {pieces[name][1] for name in chosen[which : which + 2]}
        if len(formats) == 1 and (which + 1 < len(chosen) or second < 2):
            excerpt = audio.read_excerpt(path, place + 0.3, 4.0)
            assert excerpt.padded == (which + 1 == len(chosen)), (seed, chosen, place)
            continue
        reason = "channels change" if len(formats) == 2 else "too short"
        with pytest.raises(audio.AudioError, match=reason):
            audio.read_excerpt(path, place + 0.3, 4.0)


def wav(rate, channels, frames, bits=16, payload=b"\0" * 4000):
    size = frames * channels * bits // 8
    form = struct.pack(
        "<HHIIHH",
        1,
        channels,
        rate,
        min(rate * channels * bits // 8, 0xFFFFFFFF),
        channels * bits // 8,
        bits,
    )
    head = b"WAVEfmt " + struct.pack("<I", 16) + form + b"data"
    return b"RIFF" + struct.pack("<I", 0xFFFFFFF0) + head + struct.pack("<I", size) + payload


def aiff(rate, channels, frames, bits=16, payload=b"\0" * 4000):
    exponent = rate.bit_length() - 1
    extended = struct.pack(">HQ", 16383 + exponent, rate << (63 - exponent))
    common = struct.pack(">hIh", channels, frames, bits) + extended
    size = min(frames * channels * bits // 8 + 8, 0xFFFFFFFF)
    chunks = b"COMM" + struct.pack(">I", len(common)) + common
    chunks += b"SSND" + struct.pack(">III", size, 0, 0) + payload
    return b"FORM" + struct.pack(">I", 0x7FFFFFFF) + b"AIFF" + chunks


def flac(valid, rate, channels, frames):
    """STREAMINFO of a correct file, edited: 20 bits rate, 3 channels, 5 bits, 36 frames."""
    data = bytearray(valid["flac"])
    rest = int.from_bytes(data[18:26], "big")
    bits = rest >> 36 & 31
    packed = rate << 44 | (channels - 1) << 41 | bits << 36 | frames
    data[18:26] = packed.to_bytes(8, "big")
    return bytes(data)


TEN_HOURS = 10 * 3600 * 22050


def test_absurd_headers_cost_nothing(valid, tmp_path, decoder):
    absurd = {
        "hours.wav": wav(22050, 1, TEN_HOURS),
        "hours.aiff": aiff(22050, 1, TEN_HOURS),
        "hours.flac": flac(valid, 44100, 2, 10 * 3600 * 44100),
        "years.flac": flac(valid, 44100, 2, (1 << 36) - 1),
        "megahertz.wav": wav(1_000_000, 2, 2000),
        "megahertz.aiff": aiff(1_000_000, 2, 2000),
        "megahertz.flac": flac(valid, 655_350, 2, 44100),
        "gigahertz.wav": wav(0xFFFFFFFF, 2, 2000),
        "crowd.wav": wav(22050, 500, 1 << 21),
        "crowd.aiff": aiff(22050, 500, 1 << 21),
        "all.wav": wav(1_000_000, 500, 4_000_000),
        "most.wav": wav(768_000, 64, 1 << 24),
        "most.aiff": aiff(768_000, 64, 1 << 24),
        "none.wav": wav(22050, 1, 0),
        "silent.wav": wav(22050, 0, 0),
        "still.wav": wav(0, 1, 2000),
    }
    refused = {}
    for name, data in absurd.items():
        (tmp_path / name).write_bytes(data)
        for start in (0.0, START, 9 * 3600.0):
            found = decoder.decode(tmp_path / name, start)
            assert found is not None, (name, start, decoder.lost)
            check(name, found)
            assert found["grown"] < 64, (name, start, found)
            assert found["seconds"] < 5, (name, start, found)
            refused[name, start] = found["reason"]
    for name in ("megahertz.wav", "megahertz.aiff", "crowd.wav", "crowd.aiff", "all.wav"):
        assert refused[name, 0.0], name
    assert refused["hours.wav", 0.0].startswith("too short: 0.1 s")


def test_a_build_of_them_lists_every_file_that_it_refuses(valid, tmp_path, trials, shared, capsys):
    """The bad corpus and mutations together, through a whole build with workers."""
    folder = tmp_path / "audio"
    folder.mkdir()
    names = []
    for path in sorted((shared / "corpus" / "bad").iterdir()):
        if path.is_file() and path.name != "README.md":
            (folder / path.name).symlink_to(path)
            names.append(path.name)
    (folder / "track.mp3").mkdir()
    names.append("track.mp3")
    for seed in range(trials(48, 480)):
        *_, suffix, data = mutated(np.random.default_rng([6, seed]), valid)
        names.append(f"{seed}.{suffix}")
        (folder / names[-1]).write_bytes(data)
    rows = [(f"{k}", "rock", "0", "5", name) for k, name in enumerate(names)]
    header = ("sng_id", "label", "seg_start", "seg_duration", "path")
    write_table(tmp_path / "manifest" / "train.csv", header, rows)
    made = datasets.make_builder(
        "catalogue_split/strangers",
        str(tmp_path / "data"),
        str(tmp_path / "manifest"),
        str(folder),
        BuildConfig(workers=2),
    )
    build.prepare(made)
    skipped = read_table(f"{made.data_dir}/skipped.csv", ())
    examples = list(tfds.builder_from_directory(made.data_dir).as_data_source("train"))
    assert all(np.isfinite(example["mel"]).all() for example in examples)
    written = {example["sng_id"].decode() for example in examples}
    assert sorted([*written, *skipped["sng_id"]], key=int) == [row[0] for row in rows]
    assert all(reason.strip() for reason in skipped["reason"])
    told = dict(zip(skipped["path"], skipped["reason"], strict=True))
    for name, reason in {
        "zero_bytes.mp3": "empty file",
        "text.mp3": "not decodable",
        "track.mp3": "not a file",
        "no_samples.wav": "no samples",
        "nan_inf.wav": "not finite",
        "silent_40s.ogg": "silent",
    }.items():
        assert reason in told[name]
    assert not told.keys() & {"id3_picture.mp3", "really_mp3.wav"}
    capsys.readouterr()
