"""Clips: the right sound, as loud as the others, and a reason where there is none."""

import io

import numpy as np
import pytest
import soundfile
from reviewed import Review, tone

from tagjax.examples.audio import AudioError
from tagjax.review.clips import LEVEL, PEAK, RATE, SECONDS, Audio, Clips, cut, find_audio


def decoded(content):
    samples, rate = soundfile.read(io.BytesIO(content))
    assert rate == RATE
    return samples


def hertz(samples):
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return spectrum.argmax() * RATE / len(samples)


@pytest.mark.parametrize("suffix", ["wav", "flac", "mp3", "ogg"])
@pytest.mark.parametrize("level", [0.005, 0.9])
def test_a_tone_is_heard_at_its_frequency_and_at_one_level(tmp_path, suffix, level):
    path = tmp_path / f"t.{suffix}"
    tone(path, 1234, level=level)
    samples = decoded(Clips(Audio({"t": path})).clip("t", 5.0))
    assert len(samples) == SECONDS * RATE
    assert hertz(samples) == pytest.approx(1234, abs=1)
    middle = samples[RATE:-RATE]
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(LEVEL, rel=0.02)


def test_both_ends_fade(tmp_path):
    tone(tmp_path / "t.wav", 1000, level=0.5)
    samples = cut(tmp_path / "t.wav", 5.0)
    ends = [np.abs(samples[:44]).max(), np.abs(samples[-44:]).max()]
    assert max(ends) < 0.12 * np.abs(samples).max()


def test_a_click_does_not_exceed_the_peak(tmp_path):
    rng = np.random.default_rng(0)
    samples = 0.001 * rng.normal(size=20 * 22050)
    samples[6 * 22050] = 1.0
    soundfile.write(tmp_path / "t.wav", samples, 22050)
    assert np.abs(cut(tmp_path / "t.wav", 0.0)).max() <= PEAK + 1e-6


@pytest.mark.parametrize("start", [0.0, 1.0, 500.0])
def test_a_short_track_is_heard_as_far_as_it_goes(tmp_path, start):
    tone(tmp_path / "t.wav", 440, seconds=3)
    samples = cut(tmp_path / "t.wav", start)
    assert len(samples) / RATE == pytest.approx(2 if start == 1 else 3, abs=0.01)


def test_silence_stays_silence(tmp_path):
    soundfile.write(tmp_path / "t.wav", np.zeros(22050), 22050)
    assert np.abs(cut(tmp_path / "t.wav", 0.0)).max() == 0


def test_what_cannot_be_heard_says_why(tmp_path):
    (tmp_path / "noise.mp3").write_bytes(b"no sound" * 99)
    audio = Audio({"gone": tmp_path / "gone.wav", "noise": tmp_path / "noise.mp3"})
    clips = Clips(audio)
    for track, why in (("gone", "no such file"), ("x", "no file"), ("noise", "not decodable")):
        with pytest.raises(AudioError, match=why):
            clips.clip(track, 0.0)


def test_the_cache_is_bounded_and_used(tmp_path):
    for name in "abc":
        tone(tmp_path / f"{name}.wav")
    clips = Clips(find_audio("abc", tmp_path), cached=800_000)
    first = clips.clip("a", 0.0)
    assert clips.clip("a", 0.0) is first
    clips.clip("b", 0.0)
    clips.clip("c", 0.0)
    assert clips.clip("a", 0.0) is not first


def test_files_are_found_by_name_whatever_folder_they_are_in(tmp_path):
    (tmp_path / "x" / "y").mkdir(parents=True)
    tone(tmp_path / "x" / "y" / "t1.wav")
    tone(tmp_path / "x" / "t2.flac")
    (tmp_path / "t3.txt").touch()
    found = find_audio(["t1", "x/t2", "t3"], tmp_path)
    assert {k: v.name for k, v in found.path.items()} == {"t1": "t1.wav", "x/t2": "t2.flac"}
    assert "none of the 1 tracks" in find_audio(["other"], tmp_path).note


def heard(window):
    pairs = window.get("/api/pairs?limit=500").json()["pairs"]
    for brief in pairs:
        pair = window.get(f"/api/pair/{brief['id']}").json()
        yield from (*pair["for"], *pair["against"])


def test_a_clip_comes_whole_or_in_ranges(window):
    clip = next(clip for clip in heard(window) if not clip["reason"])
    whole = window.get(clip["url"])
    assert (whole.status_code, whole.headers["accept-ranges"]) == (200, "bytes")
    assert whole.headers["content-type"] == "audio/wav"
    assert hertz(decoded(whole.content)) % 100 == pytest.approx(0, abs=1)
    size = len(whole.content)
    for wanted, (begin, end) in {
        "bytes=0-": (0, size),
        "bytes=100-199": (100, 200),
        "bytes=-10": (size - 10, size),
        f"bytes={size - 5}-{size + 5}": (size - 5, size),
    }.items():
        part = window.client.get(clip["url"], headers={"Range": wanted})
        assert part.status_code == 206
        assert part.content == whole.content[begin:end]
        assert part.headers["content-range"] == f"bytes {begin}-{end - 1}/{size}"
    late = window.client.get(clip["url"], headers={"Range": f"bytes={size}-"})
    assert (late.status_code, late.content) == (416, b"")


def test_a_file_that_vanishes_is_a_reason_and_no_error(review, window):
    clip = next(clip for clip in heard(window) if not clip["reason"])
    path = review.session.clips.audio.path[review.session.forms.track_of(str(clip["track"]))]
    moved = path.rename(path.with_suffix(".gone"))
    try:
        answer = window.get(f"/clip/{clip['track']}?start=7")
        assert (answer.status_code, answer.json()["error"]) == (404, "no such file")
        assert any(c["reason"] == "no such file" for c in heard(window))
        assert window.get("/api/next").status_code == 200
    finally:
        moved.rename(path)


def test_without_audio_the_review_goes_on(folder):
    review = Review(folder)
    window = review.window()
    state = window.state()
    assert (state["clips"], state["clips_note"]) == (False, "no audio is named (--audio_dir)")
    assert window.decide(window.next()["id"]).status_code == 200
    assert {clip["reason"] for clip in heard(window)} == {state["clips_note"]}
    review.session.close()
