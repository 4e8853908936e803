"""Small catalogues whose sound is known: each tag adds a vector, each artist another."""

import numpy as np
import scipy.sparse

from tagjax.base import files
from tagjax.catalogue.annotations import Catalogue
from tagjax.evidence import of_catalogues
from tagjax.evidence.config import EvidenceConfig
from tagjax.run import predictions
from tagjax.similarity.observations import Observations
from tagjax.similarity.run import load_run
from tagjax.vocabulary.vocabulary import Vocabulary

NAMES = ("bop", "dub", "emo", "rai", "ska", "zouk")
QUICK = EvidenceConfig(splits=2, listed=3)


def catalogues(names=(NAMES, NAMES), tracks=150, artists=40, seed=0, noise=0.3, shared=0):
    """(catalogues a:, b:, ..., (ids, vectors)); a name sounds alike in each catalogue.

    The last `shared` tracks of each catalogue are those of the others too.
    """
    rng = np.random.default_rng(seed)
    every = sorted({name for some in names for name in some})
    sound = dict(zip(every, rng.normal(size=(len(every), 8)), strict=True))
    made, vectors = [], {}
    for system, some in zip("abcd", names, strict=False):
        own, rows = rng.normal(size=(artists, 8)), []
        for k in range(tracks):
            tags = rng.choice(some, min(len(some), rng.integers(1, 3)), replace=False).tolist()
            common = k >= tracks - shared
            if common and rows and system != "a":
                tags = [tag for tag in made[0].tags[k] if tag in some] or tags
            track = f"c{k}" if common else f"{system}{k}"
            rows.append((track, f"{system}r{k % artists}", "", tuple(tags)))
            heard = sum(sound[tag] for tag in tags) + noise * own[k % artists]
            vectors[track] = heard + noise * rng.normal(size=8)
        made.append(Catalogue(f"{system}:", *zip(*rows, strict=True)))
    return made, (tuple(vectors), np.array(list(vectors.values()), np.float32))


def observed(**how):
    """The observations of such catalogues."""
    return of_catalogues(*catalogues(**how))[0]


def write_run(folder, systems=("a:", "b:"), artists=True, seed=0, repeats=1, halves=False):
    """A run of three tags in each system, which hears names as `catalogues` sound."""
    rng = np.random.default_rng(seed)
    names = [f"{name}_{k}" for name in NAMES[:3] for k in (1, 2)] if halves else NAMES[:3]
    tags = [system + name for system in systems for name in names]
    step, rows = len(names) // 3, []
    for k in range(90 * len(systems)):
        system, name, overlap = k % len(systems), (k // len(systems)) % 3, k >= 80 * len(systems)
        artist, half = k // 8, (k // 8) % 2 if halves else 0
        chosen = [tags[len(names) * system + step * name + half]]
        if overlap and len(systems) > 1:
            chosen = [tags[len(names) * s + step * name] for s in range(len(systems))]
        answer = rng.dirichlet(
            np.tile([4.0 if k // step == name else 1.0 for k in range(len(names))], len(systems))
        )
        part = "overlap" if overlap else "test"
        known = f"{system}r{artist}" if artists else ""
        rows += [(answer, (f"t{k}", chosen[0], part, known, "", "|".join(chosen)))] * repeats
    folder.mkdir(parents=True)
    metadata = {"vocabulary": Vocabulary.of(tags, systems, halves).record()}
    metadata["experiment"] = "deduplication" if halves else "translation"
    files.write_json(folder / "config.json", {"dataset": "d/c", "metadata": metadata})
    np.save(folder / "fw_kernel.npy", rng.normal(size=(4, len(tags))).astype(np.float32))
    with predictions.writing(folder / "predictions", tags, len(rows), ()) as writer:
        for answer, excerpt in rows:
            writer.add(answer.astype(np.float32), excerpt)
    return load_run(folder)


def plain(features, artist):
    """Observations of tracks whose features are centred already, without tags."""
    features = np.asarray(features, np.float32)
    tracks, dimensions = features.shape
    return Observations(
        Vocabulary.of(()),
        features,
        np.zeros(dimensions, np.float32),
        False,
        scipy.sparse.csr_array((tracks, 0)),
        np.asarray(artist, np.int64),
        True,
        tuple(f"t{k}" for k in range(tracks)),
        np.full(dimensions, -1),
    )
