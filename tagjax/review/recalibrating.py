"""Weighs the evidence again with what people decided, in a process of its own.

    python -m tagjax.review.recalibrating FOLDER

Each line on its input asks for it; the answer is a line of JSON. The process ends with its input,
so that it does not outlive the review, however that ends.
"""

import contextlib
import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from tagjax.base.errors import InputError
from tagjax.base.files import PathLike
from tagjax.reconcile.decisions import TwoSenses
from tagjax.reconcile.facts import Facts, gather_facts
from tagjax.reconcile.loading import load_reconciliation, observations_of, weighing_of

MOST_TRACKS = 20_000
"""With more tracks the evidence stays as it is: it would take minutes, and gigabytes."""


class Recalibrator:
    """The process that weighs; it starts when it is first asked."""

    def __init__(self, folder: PathLike):
        self._folder = os.path.abspath(folder)
        self._process: subprocess.Popen[str] | None = None

    def weigh(self, facts: Facts) -> Facts:
        """The facts with evidence that has learnt from what people decided by now.

        Raises:
          InputError: it cannot be weighed; the message says why.
        """
        if self._process is None:
            environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tagjax.review.recalibrating", self._folder],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment,
                text=True,
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write("\n")
            self._process.stdin.flush()
            answer = json.loads(self._process.stdout.readline())
        except (OSError, ValueError):
            self.close()
            raise InputError("the evidence could not be weighed again") from None
        if "error" in answer:
            raise InputError(answer["error"])
        return with_answer(facts, answer)

    def close(self) -> None:
        """Ends the process."""
        if self._process is not None:
            self._process.kill()
            with contextlib.suppress(OSError):
                self._process.communicate()
            self._process = None


def with_answer(facts: Facts, answer: Mapping[str, Any]) -> Facts:
    """Facts with evidence in the form of `answer_of`."""
    return dataclasses.replace(
        facts,
        rows=answer["rows"],
        senses=[
            TwoSenses(tag, (tuple(first), tuple(second)), (near[0], near[1]))
            for tag, (first, second), near in answer["senses"]
        ],
        notes=tuple(answer["notes"]),
    )


def answer_of(facts: Facts) -> dict[str, Any]:
    """The evidence of facts, as JSON takes it."""
    return {
        "rows": [dict(row) for row in facts.rows],
        "senses": [(sense.tag, sense.artists, sense.nearest) for sense in facts.senses],
        "notes": facts.notes,
    }


def main(folder: str) -> None:
    """Answers each line of the input."""
    from tagjax.evidence.weigh import weigh
    from tagjax.reconcile.people import read_people
    from tagjax.reconcile.reconciling import decided_by

    os.nice(10)
    found = observed = common = None
    for _ in sys.stdin:
        try:
            if found is None:
                found = load_reconciliation(folder)
                observed, common = observations_of(found)
            heard = observed or common
            if heard is None:
                raise InputError("nothing was heard")
            people = read_people(folder, found.facts.vocabulary)
            evidence = weigh(
                observed,
                common,
                weighing_of(found),
                found.origin.get("share_without"),
                decisions=decided_by(people, heard.vocabulary),
            )
            facts = gather_facts(found.catalogues, evidence, people, found.facts.taxonomy)
            answer = answer_of(facts)
        except InputError as error:
            answer = {"error": str(error)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
