"""Prints what one would get without us: names, cepstra and pretrained vectors, beside a run.

    python -m benchmarks.practitioner --run_dir=runs/catalogue_split/mine \\
        [--features=vectors.npz] [--tracks=tracks.csv --audio_dir=music]

The task is translation both ways: how many tags find a right one of the other system first, by the
run's table of truth. All rows have the same tracks; those of both catalogues are left out.

- names: string distance (RapidFuzz's ratio, else difflib's).
- cepstra, if the audio is given: 120 statistics; pretrained: `--features`, as `launch.embed` makes.
- centroids: cosine of the mean vectors of two tags' tracks, centred, or of unit variance too.
- regression, score: fr and the two-covariance score of the same vectors, by a ridge that halves
  choose.
- fc, fm, fr, score: of the run.
- probability: all evidence of the same vectors together, as `launch.evidence` has it.
"""

import argparse
import dataclasses
import difflib
import functools

import numpy as np
import scipy.fft

from tagjax.base.errors import InputError
from tagjax.catalogue.annotations import read_tracks
from tagjax.evidence.score import two_covariance
from tagjax.evidence.weigh import weigh
from tagjax.examples import audio, frontend, workers
from tagjax.similarity import embeddings, halves
from tagjax.similarity.embeddings import regress
from tagjax.similarity.features import read_features
from tagjax.similarity.matrix import Similarity
from tagjax.similarity.observations import observe
from tagjax.similarity.run import load_run
from tagjax.tasks.translation import translate
from tagjax.vocabulary import tags
from tagjax.vocabulary.translation import Relation
from tagjax.vocabulary.truth import Truth

SECONDS, CEPSTRA = 30.0, 40


def by_name(vocabulary):
    """Similarity of the tags' normalised names, in [0, 1]."""
    try:
        from rapidfuzz.fuzz import ratio
    except ImportError:

        def ratio(a, b):
            return 100 * difflib.SequenceMatcher(None, a, b, autojunk=False).ratio()

    names = [tags.normalise(name) for name in vocabulary.names]
    return Similarity(vocabulary, [[ratio(a, b) / 100 for b in names] for a in names])


def cepstra(tracks_path, audio_dir):
    """Mean, deviation and deviation of the steps of 40 cepstra: (ids, float32 [N, 120])."""
    tracks, front = read_tracks(tracks_path), frontend.FrontendConfig()
    read = functools.partial(
        workers.read_file, root=audio_dir, rate=front.sample_rate, config=audio.AudioConfig()
    )
    jobs = [(path, 0.0, SECONDS) for path in tracks.path]
    outcomes = workers.log_mels(jobs, read, workers.BuildConfig(front, mel_dtype="float32"))
    found = {}
    for track, outcome in zip(tracks.track_id, outcomes, strict=True):
        if outcome.mel is not None:
            c = scipy.fft.dct(outcome.mel, axis=1, norm="ortho")[:, :CEPSTRA]
            found[track] = np.concatenate([c.mean(0), c.std(0), np.diff(c, axis=0).std(0)])
    return tuple(found), np.array(list(found.values()), np.float32)


def from_features(run, ids, vectors):
    """Similarities of the run's tags by vectors of its tracks: theirs, and ours."""
    place = {track: row for row, track in enumerate(ids)}
    excerpts = run.predictions.excerpts
    rows = [row for row, track in enumerate(excerpts["sng_id"]) if track in place]
    if not rows:
        raise InputError(f"no track of the run has a vector; ids look like {ids[0]!r}")
    track, artist = ([excerpts[name][row] for row in rows] for name in ("sng_id", "artist_id"))
    occurrences = run.predictions.occurrences[rows]
    observed = observe(
        vectors[[place[name] for name in track]], occurrences, run.vocabulary, track, artist
    )
    centred = vectors[[place[name] for name in observed.track_id]]
    centred = dataclasses.replace(observed, features=centred - centred.mean(axis=0))
    ridge = halves.recover(observed).ridge
    matrices = {
        "centroids, centred": cosine(halves.mean_features(centred, observed.tags)),
        "centroids, scaled": cosine(halves.mean_features(observed, observed.tags)),
        f"regression, ridge {ridge:g}": cosine(regress(observed.features, observed.tags, ridge)),
        "score": two_covariance(observed, observed.tags, ridge),
        "probability": probability(observed),
    }
    return len(observed), {
        name: Similarity(observed.vocabulary, matrix) for name, matrix in matrices.items()
    }


def probability(observed):
    """P(same) of pairs of two systems, float64 [N, N]; 0 elsewhere and where none is known."""
    found = np.zeros((len(observed.vocabulary),) * 2)
    for (system, other), answers in weigh(observed).answers.items():
        if system != other:
            cells = np.ix_(answers.queries, answers.candidates)
            found[cells] = np.nan_to_num(answers.probability["same"])
    return found


def cosine(rows):
    return embeddings.cosine(rows.T)


def both_ways(similarity, relations):
    """(hits, queries) of translation as the table of truth has it, and the other way round."""
    turned = tuple(Relation(r.target, r.source, r.relation) for r in relations)
    for truth in (Truth(translation=relations), Truth(translation=turned)):
        rate = translate(similarity, truth).metrics["hr@1"]
        yield round(rate["mean"] * rate["n"]), rate["n"]


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run_dir", required=True)
    parser.add_argument("--features")
    parser.add_argument("--tracks")
    parser.add_argument("--audio_dir")
    flags = parser.parse_args(argv)
    run = load_run(flags.run_dir)
    if not run.truth.translation:
        parser.error(f"{flags.run_dir}: has no table of translations")
    tables, rows = {}, {"names": by_name(run.vocabulary)}
    if flags.tracks and flags.audio_dir:
        tables["cepstra"] = cepstra(flags.tracks, flags.audio_dir)
    if flags.features:
        tables["pretrained"] = read_features(flags.features)
    for name, (ids, vectors) in tables.items():
        count, found = from_features(run, ids, vectors)
        print(f"{name}: {count} tracks, {vectors.shape[1]} dimensions")
        rows |= {f"{name}, {kind}": similarity for kind, similarity in found.items()}
    rows |= {name: run.similarity(name) for name in ("fc", "fm", "fr")}
    observed, ridge = run.observed, run.recovery.ridge
    matrix = two_covariance(observed, observed.tags, ridge)
    rows["score"] = Similarity(observed.vocabulary, matrix)
    rows["probability"] = Similarity(observed.vocabulary, probability(observed))
    print(f"run: {len(observed)} tracks, ridge {ridge:g}")
    print(f"{'hits at 1':34}{'source to target':>18}{'target to source':>18}")
    for name, similarity in rows.items():
        cells = [f"{hits} of {n}" for hits, n in both_ways(similarity, run.truth.translation)]
        print(f"{name:34}{cells[0]:>18}{cells[1]:>18}")


if __name__ == "__main__":
    main()
