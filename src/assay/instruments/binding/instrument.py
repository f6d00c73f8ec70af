"""The instrument `binding`: are entities segregated, kept apart, and reused in pairs never bound in training?"""

from collections.abc import Mapping, Sequence

from assay.entities import BindsEntities
from assay.errors import AssayError
from assay.evidence import Effort, Measure
from assay.instrument import Instrument, Notes, Random, Reading, Readings
from assay.instruments.binding import metrics
from assay.instruments.binding.lists import ListsDraw
from assay.instruments.binding.metrics import BUDGETS, BindingBudget
from assay.instruments.binding.scenes import ScenesDraw
from assay.instruments.binding.words import explain_lists, explain_scenes
from assay.subject import Subject
from assay.task import Task


class Binding(Instrument[ListsDraw | ScenesDraw]):
    """Segregation, separation and reuse of entities, each `(observed - best null) / (ceiling - best null)`, and their minimum.

    Greff, van Steenkiste and Schmidhuber 2020 pose the three questions without defining a number. The numbers here are
    Assay's, and mean no more than their nulls allow. In lists of entities (`assay.entities.ListsEntities`) separation is the
    paired contrast, reuse is the accuracy on pairs never bound in training, and interchange of states names the mechanism. In
    scenes of objects (`assay.entities.ShowsObjects`) segregation is the FG-ARI of masks or of clustered states; separation is
    how well the binding of attributes is decoded from the states of segments; reuse is the accuracy of the read-outs in scenes
    that hold an untrained pair.
    """

    name = "binding"
    question = "Are entities segregated, kept apart, and bound to their attributes, also in pairs never bound in training?"
    cites = ("greff2020", "feng2023")
    needs = (BindsEntities,)
    metrics = (
        metrics.SEGREGATION,
        metrics.FG_ARI,
        metrics.IOU,
        metrics.SEPARATION,
        metrics.REUSE,
        metrics.COMPOSITE,
        metrics.ACCURACY,
        metrics.NOVEL,
        metrics.ISOLATION,
        metrics.FORMAT,
        metrics.ILLUSORY,
        metrics.TRANSPLANT,
        metrics.SAME_OBJECT,
        metrics.ABLATION,
    )

    def __init__(self, *, budgets: Mapping[Effort, BindingBudget] = BUDGETS):
        self.budgets = budgets

    def data(self, subject: Subject, task: Task, budget: BindingBudget, rng: Random) -> ListsDraw | ScenesDraw:
        assert isinstance(task, BindsEntities)
        kinds = {"lists": ListsDraw, "scenes": ScenesDraw}
        if task.entities_in not in kinds:
            raise AssayError("a task must bind its entities in lists or in scenes", given=task.entities_in, choices=kinds)
        return kinds[task.entities_in].draw(task, budget, rng)

    def read(self, network: Subject, data: ListsDraw | ScenesDraw, rng: Random) -> Reading:
        return data.read(network, rng, None)

    def read_copy(self, network: Subject, data: ListsDraw | ScenesDraw, own: Reading, rng: Random) -> Reading:
        # At the list length, and against the ceiling, that were found for the network under test.
        return data.read(network, rng, own.kept)

    def explain(self, data: ListsDraw | ScenesDraw, readings: Readings, measures: Sequence[Measure]) -> Notes:
        if isinstance(data, ScenesDraw):
            return explain_scenes(data, readings, measures)
        return explain_lists(data, readings, measures)
