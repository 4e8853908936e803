"""Prints how many decisions are right where the truth is known, and which are wrong.

    python -m benchmarks.decisions runs/catalogue_split/mine=music ... [--tables=folder ...]

A row each run, and one for all together. A pair is right if the run's table of translations has it
as exact or close, or if that of duplicates has it. `music` is a folder with `oddities.csv`, which
names the tags of two senses; it may be left out. `--tables` are catalogues without sound,
`annotations_X.csv` with `translation.csv`; that table names the counterpart of some tags only, so
no other tag is looked at.
"""

import argparse
import csv
import dataclasses
import math
import pathlib
import time

from tagjax.catalogue.annotations import read_catalogues
from tagjax.evidence import inputs
from tagjax.evidence.config import EvidenceConfig
from tagjax.evidence.weigh import weigh
from tagjax.reconcile.decide import decide
from tagjax.reconcile.facts import gather_facts
from tagjax.reconcile.listen import catalogues_of
from tagjax.similarity.run import load_run
from tagjax.vocabulary.translation import read_translation
from tagjax.vocabulary.truth import Truth

HEADER = (
    f"{'':12} {'accepted':>8} {'right, 95 % interval':>22} {'true':>5} {'found':>11} "
    f"{'duplicates':>22} {'two senses, merged':>18} {'told':>7} {'told of others':>14} {'s':>6}"
)


@dataclasses.dataclass
class Score:
    """What was decided on one or more data sets; a pair is a frozenset.

    Attributes:
      accepted: {pair that is said to be the same: confidence}.
      review: pairs that a person is asked about.
      true: pairs that are the same.
      duplicates: those of them that are of one tag system.
      divided: planted tags of two senses.
      told: tags that are said to be of two senses.
      seconds: that the decisions took.
    """

    accepted: dict = dataclasses.field(default_factory=dict)
    review: set = dataclasses.field(default_factory=set)
    true: set = dataclasses.field(default_factory=set)
    duplicates: set = dataclasses.field(default_factory=set)
    divided: set = dataclasses.field(default_factory=set)
    told: set = dataclasses.field(default_factory=set)
    seconds: float = 0.0

    def wrong(self):
        """[(pair, confidence)], the surest first."""
        found = [(p, c) for p, c in self.accepted.items() if p not in self.true]
        return sorted(found, key=lambda item: -item[1])

    def add(self, name, other):
        """Counts another data set too."""
        self.accepted |= {
            frozenset(f"{name} {tag}" for tag in pair): confidence
            for pair, confidence in other.accepted.items()
        }
        for field in ("review", "true", "duplicates"):
            pairs = getattr(other, field)
            getattr(self, field).update(frozenset(f"{name} {tag}" for tag in p) for p in pairs)
        for field in ("divided", "told"):
            getattr(self, field).update(f"{name} {tag}" for tag in getattr(other, field))
        self.seconds += other.seconds

    def row(self, name):
        """A line of the table."""
        accepted, right = len(self.accepted), len(self.accepted) - len(self.wrong())
        found, merged = (len(some & self.accepted.keys()) for some in (self.true, self.duplicates))
        asked = f"{merged}, {len(self.duplicates & self.review)} asked, of {len(self.duplicates)}"
        mixed = sum(any(tag in pair for pair in self.accepted) for tag in self.divided)
        low, high = wilson(right, accepted)
        share = f"{right} = {100 * right / max(accepted, 1):.0f} % ({low:.0f} to {high:.0f})"
        recall = f"{found} = {100 * found / max(len(self.true), 1):.0f} %"
        return (
            f"{name:12} {accepted:8} {share:>22} {len(self.true):5} {recall:>11} "
            f"{asked:>22} {mixed:18} "
            f"{f'{len(self.divided & self.told)} of {len(self.divided)}':>7} "
            f"{len(self.told - self.divided):14} {self.seconds:6.1f}"
        )


def wilson(right, count, z=1.96):
    """95 % interval of a share, in per cent (Wilson 1927)."""
    if not count:
        return 0.0, 100.0
    share, weight = right / count, 1 + z**2 / count
    middle = (share + z**2 / (2 * count)) / weight
    half = z * math.sqrt(share * (1 - share) / count + (z / (2 * count)) ** 2) / weight
    return 100 * (middle - half), 100 * (middle + half)


def two_senses(folder):
    """The tags of two senses that a table names."""
    with open(pathlib.Path(folder, "oddities.csv"), encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["what"] == "polysemous"]
    return {f"{row['system']}:{row['tag']}" for row in rows}


def score(facts, truth, divided=frozenset(), some=False):
    """Decides, and counts; `some`: the table of translations names some sources only."""
    start = time.monotonic()
    found = decide(facts)
    seconds = time.monotonic() - start
    same = [row for row in truth.translation or () if row.relation in ("exact", "close")]
    duplicates = {frozenset(pair) for pair in truth.duplicates}
    accepted, review = (
        {
            frozenset((match.source, match.target)): match.confidence
            for match in found.matches
            if match.state == state and match.relation == "exact"
        }
        for state in ("accepted", "review")
    )
    if some:
        named = {row.source for row in same}
        accepted = {pair: value for pair, value in accepted.items() if pair & named}
    true = {frozenset((row.source, row.target)) for row in same} | duplicates
    told = {sense.tag for sense in found.senses}
    return Score(accepted, {*review} - accepted.keys(), true, duplicates, {*divided}, told, seconds)


def of_run(place):
    """The score of RUN or RUN=FOLDER."""
    path, _, folder = place.partition("=")
    run = load_run(path)
    evidence = weigh(*inputs.of_run(run), EvidenceConfig())
    facts = gather_facts(catalogues_of(run), evidence, taxonomy=run.truth.taxonomy)
    return score(facts, run.truth, two_senses(folder) if folder else frozenset())


def of_tables(folder):
    """The score of catalogues without sound."""
    paths = sorted(pathlib.Path(folder).glob("annotations_*.csv"))
    prefixes = [f"{path.stem.split('_', 1)[1]}:" for path in paths]
    catalogues = read_catalogues(paths, prefixes)
    evidence = weigh(*inputs.of_catalogues(catalogues), EvidenceConfig())
    truth = Truth(translation=read_translation(pathlib.Path(folder, "translation.csv"), prefixes))
    return score(gather_facts(catalogues, evidence), truth, some=True)


def table(runs, tables):
    """Lines: the table, and the pairs that are accepted and wrong."""
    pooled, wrong = Score(), []
    yield HEADER
    for places, look in ((runs, of_run), (tables, of_tables)):
        for place in places:
            found = look(place)
            name = pathlib.Path(place.partition("=")[0]).name
            wrong += [(name, sorted(pair), value) for pair, value in found.wrong()]
            yield found.row(name)
            if look is of_run:
                pooled.add(name, found)
    yield pooled.row("all runs")
    for name, pair, value in wrong:
        yield f"wrong in {name}: {' = '.join(pair)}, {value:.2f}"


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="*", metavar="RUN[=FOLDER]")
    parser.add_argument("--tables", nargs="*", default=[], metavar="FOLDER")
    flags = parser.parse_args(argv)
    for line in table(flags.runs, flags.tables):
        print(line, flush=True)


if __name__ == "__main__":
    main()
