"""Choices that make no sense are refused."""

import pytest

from tagjax.base.errors import InputError
from tagjax.evidence.config import EvidenceConfig
from tagjax.evidence.score import ScoreConfig


@pytest.mark.parametrize(
    ("config", "given"),
    [
        *((EvidenceConfig, {name: 0}) for name in ("splits", "least_artists", "listed", "clips")),
        *(
            (EvidenceConfig, {name: value})
            for name in ("merged", "accept_fdr")
            for value in (-1, 2)
        ),
        (EvidenceConfig, {"senses_artists": 5}),
        (EvidenceConfig, {"seed": -1}),
        (EvidenceConfig, {"decision_weight": 0}),
        (EvidenceConfig, {"duplicates": 1.0}),
        (EvidenceConfig, {"names": -1.0}),
        (EvidenceConfig, {"names": 101.0}),
        (EvidenceConfig, {"penalty": float("nan")}),
        (EvidenceConfig, {"ridges": ()}),
        (EvidenceConfig, {"score_ridges": (5.0, 0.0)}),
        (EvidenceConfig, {"without_partner": 0.5, "merged": 0.5}),
        (ScoreConfig, {"dimensions": 0}),
        (ScoreConfig, {"shrinkage": 0.0}),
        (ScoreConfig, {"shrinkage": float("nan")}),
    ],
)
def test_it_is_named(config, given):
    with pytest.raises(InputError, match=next(iter(given))):
        config(**given)
