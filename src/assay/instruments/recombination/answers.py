"""What the rest of a network answers to states that are put together at one cut, and rates of that."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from assay.cuts import Cuts, State
from assay.errors import AssayError
from assay.instrument import Random
from assay.instruments.recombination.drawn import Drawn, Recipe
from assay.instruments.recombination.items import HELD, SAME, Items
from assay.instruments.recombination.rules import WORKS
from assay.objective import Objective
from assay.stats import cluster_means

OWN, SCRAMBLED, RANDOM = "network", "scrambled declaration", "random subspace"
CS, ES, C, E, P, BY_LABELS = "Cs", "Es", "C", "E", "P", "C by labels"
ROLLS = 8  # pairings of answers with those of other items, for the agreement by chance
AT_ONCE = 2**23  # numbers of the states that are put into one run


class Variant(NamedTuple):
    """Which effects: the network's own, or one repeat of a null."""

    name: str
    repeat: int = 0


NETWORK = Variant(OWN)


@dataclass(frozen=True, eq=False)
class Rate:
    """A share in the means of combinations. `chance`: the same where answers are paired with other items."""

    ids: Int[Tensor, " u"]
    units: Float[Tensor, " u"]
    chance: float

    @property
    def mean(self) -> float:
        return float(self.units.mean())


Rates = Mapping[tuple[str, int], Rate]
"""By the letter, and the kind of its combinations."""
Asked = tuple[Variant, int, int]
"""Whose effects, and the numbers of plan and recipe."""


@dataclass(frozen=True, eq=False)
class Outputs:
    """What a network answers to real inputs: `real`, to held-out and novel ones; `fitted`, to those from which effects are
    estimated, by their rows."""

    real: Tensor
    fitted: Callable[[Tensor], Tensor]


Effects = Mapping[tuple[Variant, int], Float[Tensor, "q f"]]
"""By variant and plan."""


class AtDepth:
    """Rates at one cut.

    **Arguments:** `first`: the states of two fitted examples; `effects`: of every variant there; `kept` and `matrix`: the
    states of all fitted examples, where they are few or narrow enough to be held at once.
    """

    def __init__(
        self,
        cuts: Cuts,
        data: Drawn,
        outputs: Outputs,
        first: State,
        effects: Effects,
        *,
        kept: State | None,
        matrix: Tensor | None,
    ):
        self.cuts, self.depth, self.data, self.outputs = cuts, first.depth, data, outputs
        self.first, self.effects, self.kept, self.matrix = first, effects, kept, matrix
        self.piece = max(16, AT_ONCE // max(1, first.flat().shape[1]))

    def searched(self, asked: Sequence[Asked]) -> dict[Asked, Rates]:
        """Rates of held-out combinations by which nulls and copies choose their cuts. Where a quarter of the combinations shows
        that Es cannot reach .9, whatever it is on the others, these are not run: the choice is the same."""
        found = self._rates(asked, {one: self._upto(one, HELD) & self._recipe(one).quarter for one in asked})
        left = []
        for one in asked:
            rate, number = found[one].get((ES, HELD)), len(self._recipe(one).items.ids[self._upto(one, HELD)].unique())
            if rate is None or float(rate.units.sum()) + number - len(rate.units) >= WORKS * number:
                left.append(one)
        return found | self.rates(dict.fromkeys(left, HELD))

    def rates(self, asked: Mapping[Asked, int]) -> dict[Asked, Rates]:
        """Rates of several in one run, each with the last of the kinds of combinations that it is asked of."""
        return self._rates([*asked], {one: self._upto(one, kind) for one, kind in asked.items()})

    def _upto(self, one: Asked, kind: int) -> Bool[Tensor, " m"]:
        return self._recipe(one).items.kinds <= kind

    def _rates(self, asked: Sequence[Asked], chosen: Mapping[Asked, Bool[Tensor, " m"]]) -> dict[Asked, Rates]:
        rows = {one: chosen[one].nonzero()[:, 0] for one in asked}
        outputs = self._run(piece for one in asked for piece in self._states(one, rows[one]))
        found: dict[Asked, Rates] = {}
        for one, some in zip(asked, outputs.split([len(rows[one]) for one in asked]), strict=True):
            variant, recipe, stand = one[0], self._recipe(one), self._stand(one, rows[one])
            before = self.outputs.fitted(self._bases(variant, recipe.items.base[rows[one]])) if recipe.moves else None
            found[one] = _rates(self.data, recipe.items, rows[one], stand, some, self.outputs.real, before)
        return found

    def _recipe(self, one: Asked) -> Recipe:
        return self.data.plans[one[1]].recipes[one[2]]

    def _stand(self, one: Asked, rows: Int[Tensor, " m"]) -> Int[Tensor, " m"]:
        """The items whose targets and inputs count for these."""
        return self._recipe(one).scrambled[one[0].repeat][rows] if one[0].name == SCRAMBLED else rows

    def _states(self, one: Asked, chosen: Int[Tensor, " m"]) -> Iterator[tuple[State, Tensor, dict[str, Tensor]]]:
        """Pieces: states of which what is carried stays, what is to be put into them, and the answer so far."""
        recipe, effects = self._recipe(one), self.effects[one[:2]]
        for rows in chosen.split(self.piece):
            made = recipe.rows[rows].float() @ effects
            base = self._bases(one[0], recipe.items.base[rows])
            given = self.data.given(recipe.items.targets[self._stand(one, rows)])
            if self.matrix is not None:
                like = self.kept[base] if self.kept is not None else self.first
                yield like, (made + self.matrix[base] if recipe.on_base else made), given
            elif recipe.on_base or self.first.carried:
                state = self.cuts.read(_rows(self.data.fitted, base), self.depth)
                made = made + state.flat().float() if recipe.on_base else made
                yield (state if state.carried else self.first), made, given
            else:
                yield self.first, made, given

    def _bases(self, variant: Variant, rows: Int[Tensor, " m"]) -> Int[Tensor, " m"]:
        """The fitted examples that stand for these."""
        return self.data.deals[variant.repeat][rows] if variant.name == SCRAMBLED else rows

    def _run(self, pieces: Iterator[tuple[State, Tensor, dict[str, Tensor]]]) -> Tensor:
        """Outputs of all of them; those that carry nothing of an example are joined into runs of a piece or two."""
        inputs = _rows(self.data.fitted, torch.arange(min(8, len(self.data.targets))))
        found, waiting = [self.outputs.real[:0]], []

        def run() -> None:
            states, given = zip(*waiting, strict=True)
            together = {name: torch.cat([some[name] for some in given]) for name in given[0]}
            found.append(self.cuts.run(inputs | together, self.depth, self.first.unflat(torch.cat(states))))
            waiting.clear()

        for like, matrix, given in pieces:
            if like.carried and len(matrix):
                found.append(self.cuts.run(inputs | given, self.depth, like.unflat(matrix)))
                continue
            waiting.append((matrix, given))
            if sum(len(matrix) for matrix, _ in waiting) >= self.piece:
                run()
        if sum(len(matrix) for matrix, _ in waiting):
            run()
        return torch.cat(found)


class Reader:
    """Reads a network at its cuts.

    **Arguments:** `variants`: nulls from the network itself; `plans`: numbers of those that are read.
    """

    def __init__(
        self,
        cuts: Cuts,
        data: Drawn,
        outputs: Outputs,
        rng: Random,
        *,
        variants: Sequence[Variant],
        plans: Sequence[int],
    ):
        self.cuts, self.data, self.outputs, self.rng, self.variants, self.plans = cuts, data, outputs, rng, variants, plans
        self._asked = [(variant, k) for variant in (NETWORK, *variants) for k in plans]
        self._columns = [_sums_for(*one, data, rng) for one in self._asked]
        self._stacked = torch.cat(self._columns, 1)
        recipe = data.plans[0].recipes[0]
        self._held = (recipe.items.kinds == HELD).nonzero()[:, 0]

    def at(self, depths: Sequence[int]) -> dict[int, AtDepth]:
        """**Raises:** `AssayError` for one that cannot be read."""
        found = {}
        for depth, read, _ in self.each(depths, explained=False):
            if isinstance(read, AssayError):
                raise read
            found[depth] = read
        return found

    def each(self, depths: Sequence[int], *, explained: bool) -> Iterator[tuple[int, AtDepth | AssayError, float | None]]:
        """Each depth in turn with what can be read there, or why nothing can, and, where it is wanted, the share of the
        variance between held-out inputs that the sum of effects explains. As many cuts as can be held at once are read in the
        same passes over the fitted examples; one that cannot is read in pieces."""
        data, stacked, single = self.data, self._stacked, self._stacked.float()
        held = self._held if explained else self._held[:0]
        first = _first_two(self.cuts, depths, data)
        each = len(stacked) + len(held) + 2 * stacked.shape[1]  # numbers of single precision for each number of a state
        for group in _groups({depth: each * _width(state) for depth, state in first.items()}, data.budget.held_numbers):
            good = {depth: state for depth in group if isinstance(state := first[depth], State)}
            widest = max(map(_width, good.values()), default=1)
            pieces = torch.arange(len(stacked)).split(
                len(stacked) if len(group) > 1 else max(16, data.budget.held_numbers // max(1, widest))
            )
            sums: dict[int, Tensor] = {}
            matrices: dict[int, Tensor] = {}
            kept: dict[int, State] = {}
            for rows in pieces if good else ():
                for depth, state in self.cuts.read_several(_rows(data.fitted, rows), [*good]).items():
                    try:
                        matrices[depth] = state.flat().float()
                    except AssayError as error:
                        first[depth] = error
                        continue
                    middle = good[depth].flat()[0].float()  # taken out, for the sake of single precision
                    product = (single[rows].T @ (matrices[depth] - middle)).double()
                    sums[depth] = sums.get(depth, 0) + product + stacked[rows].sum(0)[:, None] * middle
                    if state.carried:
                        kept[depth] = state
            some, recipe = held[: max(16, AT_ONCE // max(1, widest))], data.plans[0].recipes[0]
            shown = _rows(data.real, recipe.items.shown[some])
            beside = self.cuts.read_several(shown, [*good]) if len(some) and good else {}
            for depth in group:
                state = first[depth]
                if isinstance(state, AssayError):
                    yield depth, state, None
                    continue
                found = self._effects(sums.pop(depth))
                share = None
                if depth in beside:
                    share = _explained(beside.pop(depth).flat().float(), recipe.rows[some].float() @ found[NETWORK, 0])
                matrix, carried = matrices.pop(depth), kept.pop(depth, None)
                if len(pieces) > 1:
                    matrix, carried = None, None
                yield depth, AtDepth(self.cuts, data, self.outputs, state, found, kept=carried, matrix=matrix), share

    def _effects(self, sums: Float[Tensor, "s f"]) -> Effects:
        found: dict[tuple[Variant, int], Tensor] = {}
        for one, some in zip(self._asked, sums.split([columns.shape[1] for columns in self._columns]), strict=True):
            (name, repeat), k = one
            design = self.data.plans[k].design
            turn = self.rng(RANDOM, k, repeat, "turn")
            found[one] = design.turned(found[NETWORK, k], some, turn) if name == RANDOM else design.effects(some)
        return {one: matrix.float() for one, matrix in found.items()}


def _explained(states: Float[Tensor, "m f"], sums: Float[Tensor, "m f"]) -> float | None:
    left, total = (float((states - other).square().sum()) for other in (sums, states.mean(0)))
    return 1 - left / total if total > 0 else None


def _first_two(cuts: Cuts, depths: Sequence[int], data: Drawn) -> dict[int, State | AssayError]:
    """The states of two fitted examples, or why a cut cannot be read."""
    two = _rows(data.fitted, torch.arange(2))

    def each(depth: int) -> State | AssayError:
        try:
            state = together[depth] if together else cuts.read(two, depth)
            state.flat()
            return state
        except AssayError as error:
            return error

    try:
        together = cuts.read_several(two, depths)
    except AssayError:
        together = {}  # one of them cannot be read
    return {depth: each(depth) for depth in depths}


def _width(state: State | AssayError) -> int:
    return state.flat().shape[1] if isinstance(state, State) else 0


def _groups(sizes: Mapping[int, int], most: int) -> Iterator[list[int]]:
    """Neighbours whose sizes add up to no more, or one alone."""
    group: list[int] = []
    for depth, size in sizes.items():
        if group and sum(sizes[other] for other in group) + size > most:
            yield group
            group = []
        group.append(depth)
    if group:
        yield group


def _sums_for(variant: Variant, k: int, data: Drawn, rng: Random) -> Float[Tensor, "n c"]:
    """The columns whose products with the states of the fitted examples are needed."""
    design = data.plans[k].design
    if variant.name == SCRAMBLED:
        return design.dealt(data.deals[variant.repeat])
    if variant.name == OWN:
        return design.rows
    mixed = torch.randn(design.rows.shape, generator=rng(RANDOM, k, variant.repeat), dtype=torch.float64)
    return mixed - mixed.mean(0)


def _rates(
    data: Drawn,
    items: Items,
    rows: Tensor,
    stand: Tensor,
    outputs: Tensor,
    answers: Tensor,
    before: Tensor | None,
) -> Rates:
    """By letter and kind. `rows`: of the items that were answered; `stand`: those whose targets and inputs count for them;
    `before`: outputs for the examples that a part was put into, which must not have been as good already."""
    found: dict[tuple[str, int], Rate] = {}
    objective = data.objective
    ids, kinds, targets, shown = items.ids[rows], items.kinds[rows], items.targets[stand], items.shown[stand]
    declared, is_shown = items.declared[stand], shown >= 0
    right = objective.score(outputs, targets)
    if before is not None:
        right = torch.where(objective.score(before, targets) < right - SAME, right, 0.0)
    real = answers[shown.clamp(min=0)] if len(answers) else outputs
    asked = targets  # where an answer is asked for; without labels it is where the network gives one
    if not data.labelled and not targets.is_floating_point():
        known = declared.view(-1, *[1] * (targets.ndim - 1))
        asked = torch.where(known, targets, real.argmax(-1).to(targets.dtype))
    same = agreement(objective, outputs, real, asked)
    for kind in kinds.unique().tolist():
        of_kind = kinds == kind
        if kind == HELD:
            letters = {CS: (right, of_kind), ES: (same, of_kind & is_shown)}
        else:
            labelled = of_kind & is_shown & (declared | data.labelled)
            both = torch.minimum(right, same)
            letters = {C: (right, of_kind & declared), E: (same, of_kind & is_shown)}
            letters |= {P: (both, labelled), BY_LABELS: (right, labelled)}
        for letter, (values, which) in letters.items():
            if not bool(which.any()):
                continue
            where = which.nonzero()[:, 0]
            means = cluster_means(values[where], ids[where])
            others = [where.roll(step) for step in _steps(len(where))]
            if letter in (ES, E):
                chance = [agreement(objective, outputs[where], real[moved], asked[where]) for moved in others]
            else:
                chance = [objective.score(outputs[where], targets[moved]) for moved in others]
            found[letter, kind] = Rate(means.ids, means.means, float(torch.stack(chance).mean()))
    return found


def agreement(objective: Objective, outputs: Tensor, others: Tensor, targets: Tensor) -> Float[Tensor, " m"]:
    """Whether two outputs give one answer, wherever the targets ask for one; of real numbers the score of the one where the
    other is the target."""
    if targets.is_floating_point():
        return objective.score(outputs, others)
    ideal = objective.ideal(targets)
    same = outputs.argmax(-1) == others.argmax(-1)
    return objective.score(torch.where(same[..., None], ideal, ideal.roll(1, -1)), targets)


def _steps(number: int) -> list[int]:
    """Distances at which items are paired with others."""
    return sorted({max(1, number * k // (ROLLS + 1)) for k in range(1, ROLLS + 1)})


def _rows(inputs: Mapping[str, Tensor], rows: Tensor) -> dict[str, Tensor]:
    return {name: value[rows] for name, value in inputs.items()}
