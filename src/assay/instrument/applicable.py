"""Which instruments apply to a network on a task, and why others do not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from assay.computation.ability import DeclaresComputation
from assay.display import brief
from assay.entities import BindsEntities
from assay.evidence import Level
from assay.graph import GivesGraphs
from assay.instrument.frame import Instrument
from assay.instrument.run import missing_abilities
from assay.objective import Unscored
from assay.predictions import Predictions
from assay.regularity import DeclaresRegularities
from assay.subject import Subject
from assay.task import PosesPartProblems, Task
from assay.text.corpus import GivesCorpus
from assay.views import TrainedOnly

DOES_NOT_GIVE = "the task does not give"
NOT_NAMED = "it takes longer than all others together, so it runs only if it is named or at full effort"
NEEDS_MORE = "it needs novel inputs or the task itself, which access level 0 does not allow"
GIVES: Mapping[type, str] = {
    DeclaresComputation: "a declared computation graph (docs/methods/subgraphs.md says which tasks have one, and how)",
    DeclaresRegularities: "a declared regularity, or symmetry (docs/methods/fracture.md says which tasks have one, and how)",
    BindsEntities: "entities with attributes, such as lists or scenes (docs/methods/binding.md)",
    PosesPartProblems: "problems that depend on a single part (docs/tasks/odd_one_out.md says which tasks do, and how)",
    GivesCorpus: "a training text and a held-out text (docs/methods/langue.md)",
    GivesGraphs: "texts with a graph over their words (docs/tasks/treebank.md and docs/tasks/graphs.md say which tasks do)",
}


@dataclass(frozen=True, kw_only=True)
class Skipped:
    """An instrument that was not run, and why."""

    __repr__ = brief

    instrument: str
    reason: str


def applicable(
    chosen: Sequence[Instrument], subject: Subject, task: Task, level: Level, unlearned: str, asked: bool
) -> tuple[list[Instrument], list[Skipped]]:
    """The instruments that apply, and those that do not with the reason."""
    applying, skipped = [], []
    for instrument in chosen:
        if isinstance(subject, Predictions) and not instrument.reads_predictions:
            reason = "it runs the network, but only a file of its answers was given"
        elif missing := missing_abilities(instrument, task):
            reason = f"{DOES_NOT_GIVE} {' and '.join(GIVES.get(ability, ability.__name__) for ability in missing)}"
        elif isinstance(task.objective, Unscored) and not {GivesCorpus, GivesGraphs}.intersection(instrument.needs):
            reason = "the task does not score the network's output, so there is no behaviour to judge"
        elif level == 0 and missing_abilities(instrument, TrainedOnly(task)):
            reason = NEEDS_MORE
        elif not asked and not getattr(instrument, "by_default", True):
            reason = NOT_NAMED
        elif unlearned and getattr(instrument, "searches", False):
            reason = f"its search is long, and the network has not learned its task: {unlearned}"
        else:
            applying.append(instrument)
            continue
        skipped.append(Skipped(instrument=instrument.name, reason=reason))
    return applying, skipped
