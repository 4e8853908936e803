"""Deduplication of a large tag system beside plain pandas and scikit-learn.

    python -m benchmarks.tasks_scale [--tags=10000] [--dimensions=512]

An embedding is generated (by default 10,000 tags in one system, 512 dimensions; the two halves of
each tag are near each other). Both sides compute its similarity, the ranks of all queries with
their 50 nearest, and the metrics. tagjax computes the suspected duplicates in addition. Each side
has its own process, one after the other, so that each has its own peak of memory.
"""

import argparse

import numpy as np

from benchmarks import sides

LISTED = 50


def generate(n_tags: int, dimensions: int) -> tuple[list[str], np.ndarray]:
    rng = np.random.default_rng(0)
    tags = [f"tag {i // 2:05}_{i % 2 + 1}" for i in range(n_tags)]
    concepts = rng.standard_normal((dimensions, (n_tags + 1) // 2), dtype=np.float32)
    noise = rng.standard_normal((dimensions, n_tags), dtype=np.float32)
    return tags, np.repeat(concepts, 2, axis=1)[:, :n_tags] + 1.6 * noise


def with_tagjax(tags, embedding, lap) -> dict[str, float]:
    from tagjax import tasks
    from tagjax.similarity import embeddings
    from tagjax.similarity.matrix import Similarity

    lap("imports")
    similarity = Similarity(tuple(tags), embeddings.cosine(embedding))
    lap("similarity")
    result = tasks.deduplicate(similarity, config=tasks.TaskConfig(listed=LISTED))
    lap("ranks and metrics")
    return {key: value["mean"] for key, value in result.metrics.items()}


def with_pandas(tags, embedding, lap) -> dict[str, float]:
    import pandas as pd
    from sklearn.metrics import label_ranking_average_precision_score
    from sklearn.metrics.pairwise import cosine_similarity

    lap("imports")
    matrix = cosine_similarity(embedding.T.astype(np.float64))
    np.fill_diagonal(matrix, -2)  # the tag itself comes last
    similarity = pd.DataFrame(matrix, index=tags, columns=tags)
    lap("similarity")
    other = [index ^ 1 for index in range(len(tags))]
    truth = np.zeros(similarity.shape, dtype=np.int8)
    truth[range(len(tags)), other] = 1
    precision = label_ranking_average_precision_score(truth, matrix)
    ranks = similarity.rank(axis=1, ascending=False, method="max").to_numpy()
    ranks = ranks[range(len(tags)), other]
    lists = {tag: scores.nlargest(LISTED) for tag, scores in similarity.iterrows()}
    assert len(lists) == len(tags)
    means = {
        "hr@1": (ranks <= 1).mean(),
        "hr@2": (ranks <= 2).mean(),
        "map": precision,
        "mrr": (1 / ranks).mean(),
        "map_self_included": ((1 + 2 / (ranks + 1)) / 2).mean(),
    }
    lap("ranks and metrics")
    return means


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tags", type=int, default=10_000, help="number of tags")
    parser.add_argument("--dimensions", type=int, default=512, help="dimensions of the embedding")
    arguments = parser.parse_args()
    n_tags, dimensions = arguments.tags, arguments.dimensions
    if n_tags < 2 or dimensions < 1:
        parser.error("at least 2 tags and 1 dimension")
    print(f"{n_tags} tags, {dimensions} dimensions, {LISTED} nearest listed")
    ways = {"tagjax": with_tagjax, "pandas, sklearn": with_pandas}
    sides.compare(ways, generate(n_tags, dimensions), tolerance=1e-9)


if __name__ == "__main__":
    main()
