"""Size and error of each dtype in which log-mels can be stored, on a folder of audio.

python benchmarks/mel_dtypes.py --audio_dir=MUSIC --tracks=40
"""

import argparse
import pathlib

import numpy as np

from tagjax.examples import audio, frontend, workers

PAPER = 418_184
"""Number of excerpts in the paper's Discogs data set."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--audio_dir", type=pathlib.Path, required=True)
    parser.add_argument("--tracks", type=int, default=40)
    arguments = parser.parse_args()
    paths = sorted(path for path in arguments.audio_dir.rglob("*") if path.is_file())
    mels = []
    for path in paths[:: max(1, len(paths) // arguments.tracks)]:
        try:
            mels.append(audio.read_log_mel(path, 0.0, 30.0)[0])
        except audio.AudioError as error:
            print(f"skipped {path.name}: {error}")
    exact = np.stack(mels).astype(np.float64)
    print(f"{len(exact)} excerpts; log-mels from {exact.min():.2f} to {exact.max():.2f}")
    print(f"{'':8}{'bytes':>9}{'paper, GB':>11}{'largest error':>15}{'mean error':>12}")
    for name, dtype in workers.MEL_DTYPES.items():
        kept = frontend.stored(np.stack(mels), dtype)
        error = np.abs(frontend.restored(kept).astype(np.float64) - exact)
        size = kept[0].nbytes
        print(
            f"{name:8}{size:>9}{PAPER * size / 1e9:>11.1f}{error.max():>15.2g}{error.mean():>12.2g}"
        )


if __name__ == "__main__":
    main()
