"""What each tag is to each other tag, and how sure that is, learnt without a labelled pair.

    observed, common = evidence.of_run(run)
    found = evidence.weigh(observed, common)
    evidence.write_evidence("results", found)

What is heard (`of_run`, or `of_catalogues` with any vectors by track) and what common tracks say
become one probability a pair: the same, broader, narrower, a sibling, or none of these.

>>> from tagjax import Catalogue, evidence
>>> tags = [("dub",) if k % 2 else ("ska", "pop") for k in range(40)]
>>> names = [f"t{k}" for k in range(40)]
>>> catalogues = [Catalogue(name, names, names, names, tags) for name in ("a:", "b:")]
>>> found = evidence.weigh(*evidence.of_catalogues(catalogues))
>>> first = {row[0]: row[1:4] for row in found.rows() if row[2] == 1}
>>> first["a:dub"]
('b:dub', 1, 'same')

Reference: McFadden 1974, https://eml.berkeley.edu/reprints/mcfadden/zarembka.pdf
"""

from tagjax.evidence.config import EvidenceConfig
from tagjax.evidence.inputs import of_catalogues, of_run
from tagjax.evidence.same import learn
from tagjax.evidence.summary import write_evidence
from tagjax.evidence.weigh import COLUMNS, Evidence, weigh

__all__ = [
    "COLUMNS",
    "Evidence",
    "EvidenceConfig",
    "learn",
    "of_catalogues",
    "of_run",
    "weigh",
    "write_evidence",
]
