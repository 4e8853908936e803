import dataclasses

import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagjax.examples import frontend
from tagjax.examples.frontend import FrontendConfig, log_mel, mel_filters


def noise(samples, seed=0):
    return np.random.default_rng(seed).normal(0, 0.2, samples).astype(np.float32)


def reference(audio, config, dtype):
    mel = librosa.feature.melspectrogram(
        y=audio.astype(dtype),
        sr=config.sample_rate,
        n_fft=config.n_fft,
        hop_length=config.hop_length,
        n_mels=config.n_mels,
        power=config.power,
        fmin=config.fmin,
        fmax=config.fmax,
        window="hann",
        center=True,
        pad_mode="constant",
        dtype=dtype,
    )
    return np.log1p(config.log_gain * mel).T


def signals(rate):
    time = np.arange(3 * rate + 123) / rate
    click = np.zeros(2 * rate)
    click[[0, rate, -1]] = 1.0
    return {
        "noise": noise(2 * rate + 77),
        "quiet noise": 1e-3 * noise(2 * rate),
        "chirp": 0.5 * np.sin(2 * np.pi * (50 + 0.15 * rate * time) * time),
        "harmonics": sum(np.sin(2 * np.pi * 220 * k * time) / k for k in range(1, 9)) / 3,
        "clicks": click,
        "offset": np.full(rate, 0.25),
    }


CONFIGS = [
    FrontendConfig(),
    FrontendConfig(power=1.0),
    FrontendConfig(hop_length=512),
    FrontendConfig(sample_rate=16000, n_fft=512, hop_length=256, n_mels=64),
    FrontendConfig(sample_rate=44100, n_fft=2048, hop_length=2048, n_mels=128),
    FrontendConfig(fmin=30.0, fmax=8000.0, n_mels=40, log_gain=1.0),
    FrontendConfig(n_fft=1023, hop_length=400),
]


@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: f"{c.sample_rate}-{c.n_mels}-{c.power}")
@pytest.mark.parametrize("name", signals(8000))
def test_is_librosas_in_float32_and_float64(config, name):
    audio = signals(config.sample_rate)[name].astype(np.float32)
    found = log_mel(audio, config)
    assert found.dtype == np.float32
    for dtype in (np.float32, np.float64):
        expected = reference(audio, config, dtype)
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-10 * expected.max())


@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: f"{c.sample_rate}-{c.n_mels}-{c.power}")
def test_filters_are_librosas(config):
    expected = librosa.filters.mel(
        sr=config.sample_rate,
        n_fft=config.n_fft,
        n_mels=config.n_mels,
        fmin=config.fmin,
        fmax=config.fmax,
    )
    np.testing.assert_allclose(mel_filters(config), expected, rtol=1e-5, atol=1e-9)


def test_30_seconds_are_646_by_96():
    config = FrontendConfig()
    assert (config.sample_rate, config.n_fft, config.hop_length) == (22050, 1024, 1024)
    assert log_mel(noise(30 * 22050)).shape == (646, 96)
    assert config.frames(30.0) == 646


def test_silence_is_zero_and_an_empty_excerpt_is_a_frame_of_it():
    assert not log_mel(np.zeros(22050, np.float32)).any()
    np.testing.assert_array_equal(log_mel(np.zeros(0, np.float32)), np.zeros((1, 96)))


def test_a_sine_peaks_at_its_band():
    config = FrontendConfig()
    centres = librosa.mel_frequencies(98, fmin=0, fmax=11025)[1:-1]
    for hz in (440.0, 1000.0, 5000.0):
        time = np.arange(22050) / 22050
        mel = log_mel(np.sin(2 * np.pi * hz * time).astype(np.float32), config)[5]
        assert abs(int(mel.argmax()) - int(np.abs(centres - hz).argmin())) <= 1


@pytest.mark.filterwarnings("ignore:n_fft=.* is too large", "ignore:Empty filters")
@settings(max_examples=60, deadline=None)
@given(
    samples=st.integers(0, 12000),
    hop=st.integers(1, 3000),
    n_fft=st.sampled_from([64, 256, 1024]),
    seed=st.integers(0, 100),
)
def test_any_length_is_librosas(samples, hop, n_fft, seed):
    hop = max(hop, samples // 200 + 1)
    config = FrontendConfig(n_fft=n_fft, hop_length=hop, n_mels=8)
    audio = noise(samples, seed)
    mel = log_mel(audio, config)
    assert mel.shape == (1 + samples // hop, 8)
    assert mel.shape[0] == config.frames(samples / config.sample_rate)
    assert np.isfinite(mel).all()
    assert (mel >= 0).all()
    if samples:
        expected = reference(audio, config, np.float32)
        np.testing.assert_allclose(mel, expected, rtol=1e-4, atol=1e-9)


@settings(max_examples=20, deadline=None)
@given(gain=st.floats(1e-12, 1e12), seed=st.integers(0, 100))
def test_any_loudness_that_decoding_lets_through_is_finite(gain, seed):
    mel = log_mel((gain * noise(4096, seed)).astype(np.float32))
    assert np.isfinite(mel).all()
    assert (mel >= 0).all()


def test_the_input_is_left_as_it_was_and_configs_do_not_mix():
    audio = noise(5000)
    before = audio.copy()
    first = log_mel(audio)
    log_mel(audio, dataclasses.replace(FrontendConfig(), n_mels=10))
    np.testing.assert_array_equal(log_mel(audio), first)
    np.testing.assert_array_equal(audio, before)


def test_frames_that_steps_cannot_hold_are_counted():
    """A sine at full scale is held, one at the scale of 16-bit integers is not."""
    sine = np.sin(0.3 * np.arange(22050)).astype(np.float32)
    for scale, clipped in ((1.0, False), (2.0, False), (32768.0, True)):
        mel = frontend.log_mel(scale * sine)
        count = frontend.clipped(mel, np.uint8)
        error = np.abs(frontend.restored(frontend.stored(mel, np.uint8)) - mel).max(axis=1)
        assert count == np.count_nonzero(error > 0.51 * frontend.UINT8_STEP)
        assert (count > 0.9 * len(mel)) == clipped
        assert frontend.clipped(mel, np.float16) == frontend.clipped(mel, np.float32) == 0
