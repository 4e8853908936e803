"""What one task makes of several embeddings, and what is refused."""

import numpy as np
import pytest

from tagjax import tasks
from tagjax.base.errors import InputError
from tagjax.similarity.matrix import Similarity
from tagjax.vocabulary.taxonomy import Taxonomy
from tagjax.vocabulary.translation import Relation
from tagjax.vocabulary.truth import Truth
from tagjax.vocabulary.vocabulary import Vocabulary

TAGS = ("punk", "emo", "genre:rock", "mumu:punk", "mumu:edm")


@pytest.mark.parametrize(
    ("task", "truth"),
    [
        ("taxonomy", Truth(Taxonomy.of([("foo", "bar")]))),
        ("translation", Truth(translation=(Relation("mumu:a", "b"),))),
        ("deduplication", Truth(duplicates=(("a", "b"),))),
    ],
)
def test_truth_in_vain_is_refused_with_its_file(task, truth):
    evaluation = tasks.evaluate(task, {"fc": Similarity(TAGS, np.eye(5))}, truth)
    with pytest.raises(InputError, match=r"^t\.csv: says nothing of the 5 tags here, such as 'pu"):
        tasks.check_answered(evaluation, "t.csv")


def test_truth_that_says_something_is_fine():
    similarity = {"fc": Similarity(TAGS, np.eye(5))}
    truth = Truth(
        Taxonomy.of([("punk", "rock")]),
        (Relation("mumu:punk", "punk"),),
        (("punk", "emo"),),
    )
    for task in tasks.TASKS:
        tasks.check_answered(tasks.evaluate(task, similarity, truth), "t.csv")


def test_a_taxonomy_of_nothing_advises():
    evaluation = tasks.evaluate("taxonomy", {"fc": Similarity(("a", "b"), np.eye(2))})
    with pytest.raises(InputError, match="--taxonomy=FILE"):
        tasks.check_answered(evaluation)


def test_a_single_tag_has_no_other_to_rank():
    evaluation = tasks.evaluate("deduplication", {"fc": Similarity(("a",), np.eye(1))})
    with pytest.raises(InputError, match="1 tags, but not one with another to rank"):
        tasks.check_answered(evaluation)


def test_the_taxonomy_travels_beside_the_results():
    tags = Vocabulary.of(("ska_1", "ska_2", "reggae_1", "reggae_2"), halves=True)
    truth = Truth(Taxonomy.of([("Ska", "Reggae")]))
    similarities = {"fw": Similarity(tags, np.eye(4)), "fc": Similarity(tags, np.eye(4))}
    evaluation = tasks.evaluate("deduplication", similarities, truth)
    assert evaluation.parents == {"ska_1": ("reggae_1",), "ska_2": ("reggae_2",)}
    assert evaluation.placement.genres == ("reggae_1", "reggae_2")
    assert evaluation.vocabulary is tags
    assert evaluation.best == "fc"


def test_progress_gets_the_embeddings():
    seen = []

    def progress(items, what, total):
        seen.append((what, total, list(items)))
        return items

    similarities = {name: Similarity(("a", "b"), np.eye(2)) for name in ("fw", "fc")}
    tasks.evaluate("deduplication", similarities, progress=progress)
    assert seen == [("rank", 2, ["fw", "fc"])]
