"""A folder as somebody with a notebook has one: music, a data set and a run."""

import numpy as np
import pytest
import soundfile

RATE = 22050
HERTZ = {"bebop": 5000, "dub": 200, "x:bop": 5000, "x:ska": 1000}


@pytest.fixture(scope="session")
def notebook_folder(tmp_path_factory):
    """A folder with `song.mp3`, `data/tfds/catalogue_split/mine`, `runs/catalogue_split/mine`.

    The run is as small as possible and knows the tags of `HERTZ`, of two systems.
    """
    import tagjax
    from tagjax.examples.workers import BuildConfig
    from tagjax.manifest.lists import Excerpts
    from tagjax.run.config import replaced

    folder = tmp_path_factory.mktemp("notebook")
    rng = np.random.default_rng(0)
    for tag, hertz in HERTZ.items():
        tone = np.sin(2 * np.pi * hertz * np.arange(3 * RATE) / RATE)
        samples = 0.3 * tone + rng.normal(0, 0.01, 3 * RATE)
        soundfile.write(folder / f"{tag.removeprefix('x:')}.wav", samples, RATE)
    soundfile.write(folder / "song.mp3", samples, RATE)
    tags = 2 * tuple(HERTZ)
    parts = {}
    for part in ("train", "validation", "test"):
        ids = tuple(f"{part}{k}" for k in range(len(tags)))
        parts[part] = Excerpts(
            ids,
            tags,
            np.zeros(len(tags)),
            np.full(len(tags), 3.0),
            artist_id=tuple(f"artist_{name}" for name in ids),
            album_id=tuple(f"album_{name}" for name in ids),
            tags=tuple((tag,) for tag in tags),
            path=tuple(f"{tag.removeprefix('x:')}.wav" for tag in tags),
        )
    vocabulary = tagjax.Vocabulary.of(sorted(HERTZ), ["", "x:"])
    manifest = tagjax.Manifest(parts, vocabulary, "translation", config={"seg_duration": 3.0})
    data_dir, build = folder / "data" / "tfds", BuildConfig(workers=0)
    dataset = tagjax.build(manifest, folder, data_dir, "catalogue_split/mine", build)
    tiny = {"filters": (2, 2, 2, 2), "gru_units": 2, "batch_size": 4, "max_epochs": 1}
    config = replaced(tagjax.PRESETS["small"], tiny)
    tagjax.train(config, dataset, folder / "runs" / "catalogue_split" / "mine")
    return folder
