"""A folder as somebody with a notebook has one: music, a data set and a run."""

import os

import numpy as np
import pytest
import soundfile

RATE = 22050
TONES = {"low": 200, "middle": 1000, "high": 5000}


@pytest.fixture(scope="session")
def notebook_folder(tmp_path_factory):
    """A folder with `low.wav` ..., `data/tfds/catalogue_split/tiny` and `runs/tiny`."""
    import tagjax
    from tagjax.examples.workers import BuildConfig
    from tagjax.manifest.lists import Excerpts
    from tagjax.run.config import replaced

    folder = tmp_path_factory.mktemp("notebook")
    rng = np.random.default_rng(0)
    parts, number = {}, 0
    for tag, hertz in TONES.items():
        tone = np.sin(2 * np.pi * hertz * np.arange(3 * RATE) / RATE)
        soundfile.write(folder / f"{tag}.wav", 0.3 * tone + rng.normal(0, 0.01, 3 * RATE), RATE)
    for part in ("train", "validation", "test"):
        tags = [*TONES, *TONES]
        ids = tuple(f"t{number + k}" for k in range(len(tags)))
        number += len(tags)
        parts[part] = Excerpts(
            ids,
            tuple(tags),
            np.zeros(len(tags)),
            np.full(len(tags), 3.0),
            artist_id=tuple(f"r{name}" for name in ids),
            album_id=tuple(f"l{name}" for name in ids),
            tags=tuple((tag,) for tag in tags),
            path=tuple(f"{tag}.wav" for tag in tags),
        )
    manifest = tagjax.Manifest(
        parts, tagjax.Vocabulary.of(sorted(TONES)), "taxonomy", config={"seg_duration": 3.0}
    )
    data_dir = os.path.join(folder, "data", "tfds")
    build = BuildConfig(workers=0)
    dataset = tagjax.build(manifest, folder, data_dir, "catalogue_split/tiny", build)
    tiny = {"filters": (2, 2, 2, 2), "gru_units": 2, "batch_size": 4, "max_epochs": 1}
    tagjax.train(replaced(tagjax.PRESETS["small"], tiny), dataset, folder / "runs" / "tiny")
    return folder
