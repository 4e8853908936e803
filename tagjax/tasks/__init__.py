"""The paper's three tasks, which turn similarities and truth into metrics and lists.

    tasks.learn_taxonomy(similarity, truth)
    tasks.deduplicate(similarity, truth)
    tasks.translate(similarity, truth)

Each function ranks tags by one similarity. `tasks.evaluate` does so for all similarities of a run,
as `launch.evaluate` does. Another task, `tasks.halves`, needs a run and no truth.

>>> from tagjax import Similarity, tasks
>>> similarity = Similarity(["ska_1", "ska_2"], [[1, 0.9], [0.9, 1]])
>>> tasks.deduplicate(similarity).metrics["hr@1"]["mean"]
1.0

Reference: sections 3.1, 3.2 and 4 of the paper,
https://github.com/deezer/audio_based_disambiguation_of_music_genre_tags
"""

from tagjax.tasks.background import Background
from tagjax.tasks.deduplication import deduplicate
from tagjax.tasks.evaluation import HALVES, TASKS, Evaluation, check_answered, evaluate
from tagjax.tasks.results import TaskConfig, TaskResult, TaskTable
from tagjax.tasks.taxonomy import learn_taxonomy
from tagjax.tasks.translation import translate

__all__ = [
    "HALVES",
    "TASKS",
    "Background",
    "Evaluation",
    "TaskConfig",
    "TaskResult",
    "TaskTable",
    "check_answered",
    "deduplicate",
    "evaluate",
    "learn_taxonomy",
    "translate",
]
