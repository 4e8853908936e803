"""The three tasks at the paper's size, beside plain pandas and scikit-learn.

    python -m benchmarks.tasks [--tracks=N] [--turns=N]

Predictions and annotations are generated, in the files that `launch.train` leaves. Both sides
compute from them the similarities of fw, fc, fm and fdist, and the metrics and lists of a task. The
sizes are 83,625 tracks with 250 tags (taxonomy) and 500 tags (deduplication), and 120,000 tracks
with 461 tags (translation). Each side has its own process. Both sum in float64 and must get the
same figures.
"""

import argparse
import dataclasses
import pathlib
import tempfile

import numpy as np

from benchmarks import sides

PAPERS = ("fw", "fc", "fm", "fdist")
"""The paper's embeddings; fr has no twin."""
LISTED = 50
_HIDDEN = 512


@dataclasses.dataclass(frozen=True)
class Case:
    """A task and its size.

    Attributes:
      task: its name.
      tracks: number of rows of the predictions.
      queries: tags whose match is sought.
      candidates: tags among which the match is sought.
      truth: {query: its match}.
    """

    task: str
    tracks: int
    queries: tuple[str, ...]
    candidates: tuple[str, ...]
    truth: dict[str, str]

    @property
    def tags(self) -> tuple[str, ...]:
        """All tags, sorted by name."""
        return tuple(sorted({*self.queries, *self.candidates}))


def cases(tracks: int | None) -> list[Case]:
    """The cases of the paper, or the same tags with another number of tracks."""
    genres = tuple(f"genre:{k:02}" for k in range(15))
    styles = {f"style {k:03}": genres[k % 15] for k in range(235)}
    halves = tuple(f"tag {k // 2:03}_{k % 2 + 1}" for k in range(500))
    partners = {tag: f"{tag[:-1]}{3 - int(tag[-1])}" for tag in halves}
    target = tuple(f"a:tag {k:03}" for k in range(250))
    source = {f"b:tag {k:03}": f"a:tag {k:03}" for k in range(211)}
    return [
        Case("taxonomy", tracks or 83_625, tuple(styles), genres, styles),
        Case("deduplication", tracks or 83_625, halves, halves, partners),
        Case("translation", tracks or 120_000, tuple(source), target, source),
    ]


def write(folder: pathlib.Path, case: Case) -> None:
    """Writes predictions in which a tag is sometimes taken for its match."""
    from tagjax.run import predictions

    rng, tags = np.random.default_rng(0), case.tags
    place = {tag: i for i, tag in enumerate(tags)}
    match = np.arange(len(tags))
    for tag, other in case.truth.items():
        match[place[tag]] = place[other]
    np.save(folder / "fw_kernel.npy", rng.standard_normal((_HIDDEN, len(tags)), dtype=np.float32))
    with predictions.writing(folder / "predictions", tags, case.tracks) as writer:
        for track in range(case.tracks):
            label, second = track % len(tags), rng.integers(len(tags))
            scores = rng.standard_normal(len(tags), dtype=np.float32)
            scores[[label, match[label], second]] += rng.uniform(0, (3, 0.6, 3))
            likely = np.exp(scores - scores.max())
            track_tags = "|".join(sorted({tags[label], tags[second]}))
            row = (str(track), tags[label], "test", str(track), str(track), track_tags)
            writer.add(likely / likely.sum(), row)


def with_tagjax(folder: pathlib.Path, case: Case, lap: sides.Lap) -> dict[str, float]:
    """{"embedding metric": value}, computed as in `launch.evaluate`."""
    import scipy.stats  # noqa: F401 (scikit-learn imports it on the other side)

    from tagjax import tasks
    from tagjax.run import predictions
    from tagjax.similarity import run as runs
    from tagjax.vocabulary.taxonomy import Taxonomy
    from tagjax.vocabulary.translation import Relation
    from tagjax.vocabulary.truth import Truth
    from tagjax.vocabulary.vocabulary import Vocabulary

    lap("imports")
    kernel = np.load(folder / "fw_kernel.npy")
    predicted = predictions.read(folder / "predictions")
    run = runs.Run(folder, Vocabulary.guess(predicted.tags), (kernel,), predicted)
    similarities = {name: run.similarity(name) for name in PAPERS}
    lap("similarity")
    truth = Truth(
        Taxonomy.of(case.truth.items()), tuple(Relation(*pair) for pair in case.truth.items())
    )
    config = tasks.TaskConfig(listed=LISTED)
    results = tasks.evaluate(case.task, similarities, truth, config).results
    lap("ranks and metrics")
    return {
        f"{name} {metric}": value["mean"]
        for name, result in results.items()
        for metric, value in result.metrics.items()
        if metric in ("hr@1", "hr@2", "map", "mrr")
    }


def with_pandas(folder: pathlib.Path, case: Case, lap: sides.Lap) -> dict[str, float]:
    """The same figures, as one would first write it."""
    import pandas as pd
    from sklearn.metrics import label_ranking_average_precision_score
    from sklearn.metrics.pairwise import cosine_similarity

    lap("imports")
    files, tags = folder / "predictions", list(case.tags)
    pd.read_csv(files / "excerpts.csv")
    predicted = pd.DataFrame(np.load(files / "probabilities.npy"), columns=tags)
    annotated = pd.DataFrame(np.load(files / "occurrences.npy"), columns=tags)
    means = {tag: predicted[annotated[tag] == 1].mean() for tag in tags}
    embedded = {
        "fw": pd.DataFrame(np.load(folder / "fw_kernel.npy"), columns=tags),
        "fc": predicted,
        "fm": pd.DataFrame(means),
        "fdist": annotated,
    }
    similarities = {
        name: pd.DataFrame(cosine_similarity(frame.T.astype(np.float64)), index=tags, columns=tags)
        for name, frame in embedded.items()
    }
    lap("similarity")
    found, queries = {}, list(case.queries)
    for name, similarity in similarities.items():
        scores = similarity.loc[queries, list(case.candidates)]
        for tag in {*queries} & {*case.candidates}:
            scores.loc[tag, tag] = -2  # the tag itself comes last
        ranks = scores.rank(axis=1, ascending=False, method="max")
        first = pd.Series({tag: ranks.loc[tag, case.truth[tag]] for tag in queries})
        truth = pd.DataFrame(0, index=queries, columns=scores.columns)
        for tag in queries:
            truth.loc[tag, case.truth[tag]] = 1
        lists = {tag: row.nlargest(LISTED) for tag, row in scores.iterrows()}
        assert len(lists) == len(queries)
        found |= {
            f"{name} hr@1": (first <= 1).mean(),
            f"{name} hr@2": (first <= 2).mean(),
            f"{name} map": label_ranking_average_precision_score(truth, scores),
            f"{name} mrr": (1 / first).mean(),
        }
    lap("ranks and metrics")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tracks", type=int, help="tracks of each task; by default the paper's")
    parser.add_argument("--turns", type=int, default=3, help="turns of each side; medians count")
    arguments = parser.parse_args()
    if arguments.tracks is not None and arguments.tracks < 500:
        parser.error("at least 500 tracks, so that each tag has one")
    ways = {"tagjax": with_tagjax, "pandas, sklearn": with_pandas}
    ours, theirs = 0.0, 0.0
    for case in cases(arguments.tracks):
        with tempfile.TemporaryDirectory() as temporary:
            folder = pathlib.Path(temporary)
            write(folder, case)
            print(f"\n{case.task}: {case.tracks} tracks, {len(case.tags)} tags")
            seconds = sides.compare(ways, (folder, case), 1e-6, "fc", arguments.turns)
        ours, theirs = ours + seconds[0], theirs + seconds[1]
    print(f"\n{'all three, seconds':<20}{ours:>17.2f}{theirs:>17.2f}{theirs / ours:>8.1f}")


if __name__ == "__main__":
    main()
