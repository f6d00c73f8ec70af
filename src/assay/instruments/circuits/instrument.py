"""The instrument `circuits`: is a small part of the network sufficient and necessary for the task?"""

from collections.abc import Mapping, Sequence

import torch

from assay.errors import AssayError
from assay.evidence import Effort, Measure
from assay.instrument import Instrument, NotEnough, Notes, Random, Reading, Readings
from assay.instruments.circuits.controls import Sets
from assay.instruments.circuits.metrics import BUDGETS, METRICS, CircuitBudget
from assay.instruments.circuits.network import TARGET, answered_units, constant_loss
from assay.instruments.circuits.nodes import wiring_of
from assay.instruments.circuits.reading import CircuitsDraw, enough, read_network, read_other
from assay.instruments.circuits.words import explained
from assay.objective import Unscored
from assay.subject import Subject
from assay.task import Task

TRIED = 3  # examples on which the wiring is traced
FEWEST = 24


class Circuits(Instrument[CircuitsDraw]):
    """The smallest circuit that does the task under mean ablation of all other nodes, and whether it is faithful.

    Nodes are the units at the inputs and outputs of the linear maps of any network, edges the nonzero weights between them. The
    search is that of Gao et al. 2025 (gates with a penalty, the price, for each node), along one path of rising prices; at
    `quick` nodes are ordered by first-order effects instead. The nulls are the same search on untrained copies and for nonsense
    labels, and random circuits of the same size.

    **Arguments:**

    - `pretraining`: inputs `(n, ...)` by name over which the means of nodes are taken; those of the task by default.
    - `elsewhere`: other tasks of the same network; the rise of their loss without the circuit is the off-target damage.
    - `budgets`: the budget at each effort.

    Example::

        >>> from assay.instruments.circuits import Circuits
        >>> circuits = Circuits(elsewhere=[assay.load_task("code:program")])
        >>> circuits.name, [task.address for task in circuits.elsewhere]
        ('circuits', ['code:program,length=32,coverage=0.8,seed=0'])
    """

    name = "circuits"
    question = "Is there a small circuit that is sufficient for the task, and necessary for it?"
    cites = ("gao2025",)
    metrics = METRICS
    long = True
    searches = True
    by_default = False

    def __init__(
        self,
        pretraining: Mapping[str, torch.Tensor] | None = None,
        elsewhere: Sequence[Task] = (),
        budgets: Mapping[Effort, CircuitBudget] = BUDGETS,
    ):
        self.pretraining, self.elsewhere, self.budgets = pretraining, elsewhere, budgets

    def data(self, subject: Subject, task: Task, budget: CircuitBudget, rng: Random) -> CircuitsDraw:
        if isinstance(task.objective, Unscored):
            raise NotEnough("the task defines no loss on the network's output, so a circuit cannot be scored")
        tried = task.examples("train", TRIED, generator=rng("tried"))
        if not len(tried):
            raise NotEnough("the task has no trained examples")
        try:
            wiring = wiring_of(subject, tried.inputs)
        except (AssayError, RuntimeError, NotImplementedError) as error:
            raise NotEnough(str(error)) from error
        num = min(budget.examples, int(budget.work // max(1, wiring.work)))
        if num < FEWEST:
            raise NotEnough(
                f"this effort allows {num} examples for a network of {wiring.work:,} multiplications per example, and the "
                f"search needs at least {FEWEST}: choose a higher effort"
            )
        searching = task.examples("train", num, generator=rng("searching")).in_canonical_order()
        held = task.examples("seen", 2 * num, generator=rng("held out")).in_canonical_order()
        rows = torch.randperm(len(held), generator=rng("halves"))
        choosing, judging = (held.take(rows[k::2].sort().values) for k in (0, 1))
        sets = Sets(searching, choosing, judging)
        if few := enough(sets):
            raise NotEnough(few)
        try:
            constant = constant_loss(task.objective, judging.targets)
            answered = answered_units(task.objective, judging.targets)
        except (AssayError, RuntimeError, NotImplementedError) as error:
            raise NotEnough(str(error)) from error
        if not wiring.maps:
            raise NotEnough("no linear map of the network is a module, so there are no edges to count")
        if constant <= 0:
            raise NotEnough("all examples have the same answer, which every circuit gives")
        parts = {part.name: part.values for part in task.parts if part.name in task.combines}
        elsewhere = {
            other.address: (other.objective, other.examples("seen", num, generator=rng("elsewhere", k)).in_canonical_order())
            for k, other in enumerate(self.elsewhere)
        }
        return CircuitsDraw(
            wiring,
            task.objective,
            sets,
            self.pretraining or searching.inputs,
            answered,
            parts,
            TARGET * constant,
            constant,
            budget,
            elsewhere,
        )

    def read(self, network: Subject, data: CircuitsDraw, rng: Random) -> Reading:
        return read_network(network, data, rng)

    def read_copy(self, network: Subject, data: CircuitsDraw, own: Reading, rng: Random) -> Reading:
        return read_other(network, data, own.kept, rng)

    def explain(self, data: CircuitsDraw, readings: Readings, measures: Sequence[Measure]) -> Notes:
        return explained(data, readings, measures)
