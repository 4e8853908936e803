"""Shows how well simple statistics of the spectrum tell the synthetic styles apart.

    python benchmarks/synthetic_hardness.py [--tracks=1700] [--seed=1]

It takes ten seconds of each track and log-mels as in section 2.3 of the paper. Concepts are
predicted by 4-fold cross-validation, grouped by artist. `rhythm` adds the autocorrelation of the
onset envelopes of eight bands to mean and deviation.
"""

import argparse

import librosa
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tagjax.synthetic import SAMPLE_RATE, STYLES, SyntheticConfig, make_catalogue, render_excerpt

SECONDS = 10.0


def log_mel(audio):
    """Log-mel of ten seconds, float32 [216, 96]."""
    power = librosa.feature.melspectrogram(
        y=audio, sr=SAMPLE_RATE, n_fft=1024, hop_length=1024, n_mels=96
    )
    return np.log1p(10_000 * power).T


def rhythm(mel):
    """Autocorrelation of the onsets of eight bands, at 1 to 43 frames (2 s), float [344]."""
    bands = mel.reshape(len(mel), 8, 12).mean(2)
    onsets = np.maximum(np.diff(bands, axis=0), 0)
    onsets = onsets - onsets.mean(0)
    power = np.abs(np.fft.rfft(onsets, 512, axis=0)) ** 2
    lags = np.fft.irfft(power, axis=0)
    return (lags[1:44] / (lags[:1] + 1e-9)).ravel()


def accuracy(features, concepts, artists):
    """The best accuracy over three regularisations, which favours the baselines."""
    scores = []
    for strength in (0.01, 0.1, 1.0):
        model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=500))
        guess = cross_val_predict(model, features, concepts, groups=artists, cv=GroupKFold(4))
        scores.append(np.mean(guess == concepts))
    return max(scores)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tracks", type=int, default=1700)
    parser.add_argument("--seed", type=int, default=1)
    flags = parser.parse_args()
    catalogue = make_catalogue(SyntheticConfig(seed=flags.seed, tracks=flags.tracks))
    start = np.random.default_rng(flags.seed).uniform(0, 0.9, size=len(catalogue.tracks))
    mels = np.stack(
        [
            log_mel(render_excerpt(catalogue, track.track_id, place * 50, SECONDS))
            for track, place in zip(catalogue.tracks, start, strict=True)
        ]
    )
    concepts = np.array([list(STYLES).index(track.concept) for track in catalogue.tracks])
    artists = np.array([track.artist_id for track in catalogue.tracks])
    mean, deviation = mels.mean(1), mels.std(1)
    rows = {
        "mean log-mel": mean,
        "mean + deviation": np.c_[mean, deviation],
        "mean + deviation + rhythm": np.c_[mean, deviation, [rhythm(mel) for mel in mels]],
    }
    print(f"{len(mels)} tracks, {len(set(artists))} artists, {len(STYLES)} concepts")
    print(f"{'most frequent concept':28}{np.bincount(concepts).max() / len(concepts):6.1%}")
    for name, features in rows.items():
        print(f"{name:28}{accuracy(features, concepts, artists):6.1%}", flush=True)


if __name__ == "__main__":
    main()
