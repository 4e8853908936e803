"""Prints what 20 decisions of a person are worth in the order of the review, and in random order.

    python -m benchmarks.review --reconciliation=FOLDER [--decisions=20] [--seeds=5] [--weigh]

FOLDER is of `launch.reconcile --run_dir`, and the run knows the truth: a person who is simulated
always tells it. After the decisions, an error
is a pair of tags of two systems that is accepted as the same and is not, or that is the same and
is not accepted. Beside their number stands that of the tracks of the rarer tag of each. In random
order, pairs are drawn from all that are offered; the mean over seeds is printed last, with the
half of its 95 % interval (Student's t).
--weigh lets the evidence learn from the decisions before it is counted.
"""

import argparse
import dataclasses

import numpy as np
import scipy.stats

from benchmarks.relations import closed
from tagjax.evidence.weigh import weigh
from tagjax.reconcile.decide import decide
from tagjax.reconcile.facts import gather_facts
from tagjax.reconcile.loading import load_reconciliation, observations_of, weighing_of
from tagjax.reconcile.people import People, Said
from tagjax.reconcile.reconciling import decided_by
from tagjax.review.views import View
from tagjax.similarity.run import load_run
from tagjax.vocabulary.taxonomy import place

RELATION = {"same": "exact"}


class Truth:
    """What the tags of a run are to each other."""

    def __init__(self, run, vocabulary):
        tags = vocabulary.tags
        self.relation = {}
        for (target, source), kind in closed(run, vocabulary).items():
            self.relation[tags[source], tags[target]] = RELATION.get(kind, kind)
        for style, genres in place(run.truth.taxonomy, vocabulary).parents.items():
            self.relation |= {(style, genre): "broad" for genre in genres}
        for pair in run.truth.duplicates or ():
            self.relation[tuple(pair)] = "exact"
        turned = {"broad": "narrow", "narrow": "broad"}
        for (source, target), kind in list(self.relation.items()):
            self.relation.setdefault((target, source), turned.get(kind, kind))
        self.same = {frozenset(pair) for pair, kind in self.relation.items() if kind == "exact"}

    def say(self, match):
        """What a person says who knows."""
        relation = self.relation.get((match.source, match.target))
        if relation is None:
            return Said(match.source, match.target, match.relation, "negative", "truth", "")
        return Said(match.source, match.target, relation, "positive", "truth", "")


def errors(decisions, truth):
    """(pairs that are accepted wrongly or not accepted wrongly, their tracks)."""
    accepted = {
        frozenset((match.source, match.target))
        for match in decisions.matches
        if match.state == "accepted" and match.relation == "exact" and match.target
    }
    system_of = decisions.vocabulary.system_of
    wrong = [pair for pair in accepted ^ truth.same if len({system_of(tag) for tag in pair}) > 1]
    return len(wrong), sum(min(decisions.tracks[tag] for tag in pair) for pair in wrong)


def simulated(found, truth, number, rng=None):
    """What a person said in the order offered, or in random order."""
    said = []
    for _ in range(number):
        facts = dataclasses.replace(found.facts, people=People(tuple(said)))
        view = View(decide(facts, found.config))
        if not view.order:
            break
        key = view.order[0 if rng is None else rng.integers(len(view.order))]
        said.append(truth.say(view.pairs[key]))
    return said


def after(found, said, learnt):
    """The decisions after what a person said."""
    people = People(tuple(said))
    facts = dataclasses.replace(found.facts, people=people)
    if learnt is not None:
        observed, common = learnt
        decided = decided_by(people, (observed or common).vocabulary)
        evidence = weigh(observed, common, weighing_of(found), decisions=decided)
        facts = gather_facts(found.catalogues, evidence, people, found.facts.taxonomy)
    return decide(facts, found.config)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--reconciliation", required=True)
    parser.add_argument("--decisions", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--weigh", action="store_true")
    flags = parser.parse_args(argv)
    found = load_reconciliation(flags.reconciliation)
    truth = Truth(load_run(found.origin["heard"]), found.facts.vocabulary)
    learnt = observations_of(found) if flags.weigh else None
    orders = {"nobody decides": [], "as offered": simulated(found, truth, flags.decisions)}
    for seed in range(flags.seeds):
        rng = np.random.default_rng(seed)
        orders[f"random {seed}"] = simulated(found, truth, flags.decisions, rng)
    print(f"{'order':16} decided errors tracks")
    found_errors = {}
    for name, said in orders.items():
        found_errors[name] = errors(after(found, said, learnt), truth)
        print("{:16} {:7} {:6} {:6}".format(name, len(said), *found_errors[name]))
    drawn = [counts for name, counts in found_errors.items() if name.startswith("random")]
    half = scipy.stats.t.ppf(0.975, len(drawn) - 1) * scipy.stats.sem(drawn, axis=0)
    for name, counts in (("random, mean", np.mean(drawn, axis=0)), ("+-", half)):
        print("{:16} {:7} {:6.1f} {:6.1f}".format(name, "", *counts))


if __name__ == "__main__":
    main()
