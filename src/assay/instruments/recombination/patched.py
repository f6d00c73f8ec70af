"""Outputs of a network patched with additive states at one cut, and the rates computed from them."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from assay.cuts import Cuts, State
from assay.errors import AssayError
from assay.instrument import Random
from assay.instruments.recombination.drawn import RecombinationDraw, StateRecipe
from assay.instruments.recombination.items import HELD, firsts
from assay.instruments.recombination.rates import ES, Rates, rates_of
from assay.instruments.recombination.rules import resolves
from assay.instruments.recombination.states import combined, summed

OWN, SCRAMBLED, RANDOM = "network", "scrambled declaration", "random subspace"
AT_ONCE = 2**23  # numbers in the states patched in one forward pass


class Variant(NamedTuple):
    """Origin of the effects: the network under test, or one repeat of a null."""

    name: str
    repeat: int = 0


NETWORK = Variant(OWN)


RateKey = tuple[Variant, int, int]
"""Key of a rate: the origin of the effects, and the indices of plan and recipe."""


class Outputs(NamedTuple):
    """Outputs on unpatched inputs: held-out and novel ones (`real`), and fitted ones that serve as base of an exchange."""

    real: Tensor
    fitted: Tensor


Effects = dict[tuple[Variant, int], Float[Tensor, "q f"]]
"""Estimated effects, by variant and plan."""
Wanted = Callable[[int], Collection[tuple[Variant, int]]]
"""The variants and plans whose effects are needed at a depth."""


@dataclass(eq=False)
class AtDepth:
    """Rates at one cut, computed on demand and cached.

    **Attributes:** `first`: the states of two fitted examples; `effects`: those estimated so far; `matrix`: the states of all
    fitted examples, None where they do not fit into memory; `kept`: the same with the tensors that they carry, None without
    any; `more`: estimates further effects.
    """

    cuts: Cuts
    data: RecombinationDraw
    outputs: Outputs
    first: State
    effects: Effects
    kept: State | None
    matrix: Tensor | None
    more: Callable[[Collection[tuple[Variant, int]], Effects], Effects]
    _answered: dict[RateKey, tuple[Tensor, Tensor]] = field(default_factory=dict)  # items that were run, and all outputs

    @cached_property
    def piece(self) -> int:
        """Number of items patched in one forward pass."""
        return max(16, AT_ONCE // max(1, self.first.flat().shape[1]))

    def searched(self, keys: Sequence[RateKey]) -> dict[RateKey, Rates]:
        """Rates on held-out combinations by which nulls and copies choose their cuts. An eighth of the combinations is run
        first. Where the lower bound of Es stays below .9 even if all others were right, the rest is not run: the choice would
        be the same."""
        found = self._rates(keys, {one: self._recipe(one).pilot for one in keys})
        left = {}
        for one in keys:
            rate, number = found[one].get((ES, HELD)), len(self._recipe(one).items.ids[self._upto(one, HELD)].unique())
            if rate is None or resolves(torch.cat([rate.units, torch.ones(number - len(rate.units))])):
                left[one] = HELD
        return found | self.rates(left)

    def rates(self, keys: Mapping[RateKey, int], *, few: Collection[RateKey] = ()) -> dict[RateKey, Rates]:
        """Rates of several recipes in one run, each with the last kind of combinations that it is read on. `few`: recipes, such
        as those of nulls, that are read on a subset of the combinations."""
        chosen = {one: self._upto(one, kind) for one, kind in keys.items()}
        return self._rates([*keys], chosen | {one: chosen[one] & self.data.few[one[1]][one[2]] for one in few})

    def _upto(self, one: RateKey, kind: int) -> Bool[Tensor, " m"]:
        return self._recipe(one).items.kinds <= kind

    def _rates(self, keys: Sequence[RateKey], chosen: Mapping[RateKey, Bool[Tensor, " m"]]) -> dict[RateKey, Rates]:
        self._answer(chosen)
        found: dict[RateKey, Rates] = {}
        for one in keys:
            rows = chosen[one].nonzero()[:, 0]
            some = self._answered[one][1][rows]
            variant, recipe, stand = one[0], self._recipe(one), self._stand(one, rows)
            before = self.outputs.fitted[self._bases(variant, recipe.items.base[rows])] if recipe.moves else None
            found[one] = rates_of(self.data, recipe.items, rows, stand, some, self.outputs.real, before)
        return found

    def _answer(self, chosen: Mapping[RateKey, Bool[Tensor, " m"]]) -> None:
        """Run the items that have no output yet."""
        if lacking := {one[:2] for one in chosen} - {*self.effects}:
            self.effects |= self.more(lacking, self.effects)
        left = {one: some & ~self._answered[one][0] if one in self._answered else some for one, some in chosen.items()}
        rows = {one: some.nonzero()[:, 0] for one, some in left.items()}
        outputs = self._run(piece for one, some in rows.items() for piece in self._states(one, some))
        for (one, some), new in zip(rows.items(), outputs.split([len(some) for some in rows.values()]), strict=True):
            if one not in self._answered:
                self._answered[one] = torch.zeros_like(left[one]), new.new_zeros(len(left[one]), *new.shape[1:])
            self._answered[one][0][some], self._answered[one][1][some] = True, new

    def _recipe(self, one: RateKey) -> StateRecipe:
        return self.data.plans[one[1]].recipes[one[2]]

    def _stand(self, one: RateKey, rows: Int[Tensor, " m"]) -> Int[Tensor, " m"]:
        """The items whose targets and inputs these are scored against: permuted under a scrambled declaration."""
        return self._recipe(one).scrambled[one[0].repeat][rows] if one[0].name == SCRAMBLED else rows

    def _states(self, one: RateKey, chosen: Int[Tensor, " m"]) -> Iterator[tuple[State, Tensor, dict[str, Tensor]]]:
        """Batches of template states, the values to patch into them, and the input that holds the answer so far."""
        recipe, effects = self._recipe(one), self.effects[one[:2]]
        for rows in chosen.split(self.piece):
            made = combined(recipe.rows[rows], effects)
            base = self._bases(one[0], recipe.items.base[rows])
            given = self.data.given(recipe.items.targets[self._stand(one, rows)])
            if self.matrix is not None:
                like = self.kept[base] if self.kept is not None else self.first
                yield like, (made + self.matrix[base] if recipe.on_base else made), given
            elif recipe.on_base or self.first.carried:
                state = self.cuts.read(_rows(self.data.fitted, base), self.first.depth)
                made = made + state.flat().float() if recipe.on_base else made
                yield (state if state.carried else self.first), made, given
            else:
                yield self.first, made, given

    def _bases(self, variant: Variant, rows: Int[Tensor, " m"]) -> Int[Tensor, " m"]:
        """The fitted examples whose states serve as bases: permuted under a scrambled declaration."""
        return self.data.deals[variant.repeat][rows] if variant.name == SCRAMBLED else rows

    def _run(self, pieces: Iterator[tuple[State, Tensor, dict[str, Tensor]]]) -> Tensor:
        """Outputs of all batches. Batches whose states carry no tensors of single examples are joined into larger ones."""
        inputs = _rows(self.data.fitted, torch.arange(min(8, len(self.data.targets))))
        found, waiting = [self.outputs.real[:0]], []

        def run() -> None:
            states, given = zip(*waiting, strict=True)
            together = {name: torch.cat([some[name] for some in given]) for name in given[0]}
            found.append(self.cuts.run(inputs | together, self.first.depth, self.first.unflat(torch.cat(states))))
            waiting.clear()

        for like, matrix, given in pieces:
            if like.carried and len(matrix):
                found.append(self.cuts.run(inputs | given, self.first.depth, like.unflat(matrix)))
                continue
            waiting.append((matrix, given))
            if sum(len(matrix) for matrix, _ in waiting) >= self.piece:
                run()
        if sum(len(matrix) for matrix, _ in waiting):
            run()
        return torch.cat(found)


@dataclass(eq=False)
class Reader:
    """Reader of a network at its cuts.

    **Attributes:** `variants`: nulls from the network itself; `plans`: indices of the plans that are read; `kept`: rates at the
    headline cut.
    """

    cuts: Cuts
    data: RecombinationDraw
    outputs: Outputs
    rng: Random
    variants: Sequence[Variant]
    plans: Sequence[int]
    kept: dict[int, AtDepth] = field(default_factory=dict)

    def each(
        self, depths: Sequence[int], wanted: Wanted, *, explained: bool = False
    ) -> Iterator[tuple[int, AtDepth | AssayError, float | None]]:
        """Rates at each depth, or the error that prevents them, and the variance explained.

        As many cuts as fit into memory are read in the same passes over the fitted examples; a cut that does not fit is read in
        batches.

        **Arguments:** `wanted`: the effects needed at a depth; `explained`: whether to compute the share of variance between
        held-out inputs that the additive model explains.
        """
        data, number = self.data, len(self.data.targets)
        recipe = data.plans[0].recipes[0]
        held = (recipe.items.kinds == HELD).nonzero()[:, 0] if explained else torch.zeros(0, dtype=torch.int64)
        first = _first_two(self.cuts, depths, data)

        def size(depth: int) -> int:
            """Numbers held in memory per number of a state."""
            return 2 * number + len(held) + sum(data.plans[k].design.rows.shape[1] for _, k in wanted(depth))

        sizes = {depth: size(depth) * _width(state) for depth, state in first.items()}
        for group in _groups(sizes, data.budget.held_numbers):
            good = [depth for depth in group if isinstance(first[depth], State)]
            widest = max((_width(first[depth]) for depth in good), default=1)
            whole = sizes[group[0]] <= data.budget.held_numbers
            some = held[: max(16, AT_ONCE // max(1, widest))]
            shown = _rows(data.real, recipe.items.shown[some])
            beside = self.cuts.read_several(shown, good) if len(some) and good else {}
            states = self.cuts.read_several(data.fitted, good) if whole and good else {}
            for depth in group:
                state, share = first[depth], None
                if isinstance(state, AssayError):
                    yield depth, state, None
                    continue
                kept, matrix = states.pop(depth, None), None
                try:
                    if kept is not None:
                        matrix = kept.flat().float()
                    more = partial(self._effects, state, matrix)
                    found = more([] if kept is not None else wanted(depth), {})
                    if depth in beside:
                        found |= more([(NETWORK, 0)], found)
                        share = _explained(beside.pop(depth).flat().float(), combined(recipe.rows[some], found[NETWORK, 0]))
                except AssayError as error:
                    yield depth, error, None
                    continue
                carried = kept if kept is not None and kept.carried else None
                read = AtDepth(self.cuts, data, self.outputs, state, found, carried, matrix, more)
                yield depth, read, share

    def _pieces(self, first: State, matrix: Tensor | None) -> Iterator[tuple[Tensor, Tensor]]:
        """Rows of the fitted examples and their states, in batches where they are not held in memory."""
        rows = torch.arange(len(self.data.targets))
        if matrix is not None:
            yield rows, matrix
            return
        for some in rows.split(max(16, self.data.budget.held_numbers // (2 * first.flat().shape[1]))):
            yield some, self.cuts.read(_rows(self.data.fitted, some), first.depth).flat().float()

    def _effects(self, first: State, matrix: Tensor | None, wanted: Collection[tuple[Variant, int]], known: Effects) -> Effects:
        """Effects by least squares, from sums of states over the examples with equal rows in all designs."""
        wanted = sorted({*wanted} - {*known})
        own = {(NETWORK, k) for variant, k in wanted if variant.name == RANDOM} - {*known}
        middle = first.flat()[0].float()  # subtracted to preserve single precision
        data, group = self.data, self.data.alike
        alike = firsts(group)
        by: dict[Variant, list[int]] = {}
        for variant, k in sorted({*wanted, *own}):
            by.setdefault(variant, []).append(k)
        used = sorted({k for plans in by.values() for k in plans})
        designs = {k: data.plans[k].design for k in used}
        weights = {k: design.weights(alike).float() for k, design in designs.items()}
        mixed = {variant: self._mixed(variant.repeat) for variant in by if variant.name == RANDOM}
        sums: dict[Variant, Tensor] = {}
        for rows, states in self._pieces(first, matrix) if by else ():
            low, high = int(rows[0]), int(rows[-1]) + 1
            for variant, plans in by.items():
                if variant.name == RANDOM:
                    columns = max(designs[k].rows.shape[1] for k in plans)
                    product = mixed[variant][rows, :columns].T @ states
                else:
                    source = data.deals[variant.repeat] if variant.name == SCRAMBLED else torch.arange(len(group))
                    inside = ((source >= low) & (source < high)).nonzero()[:, 0]
                    counts = group[inside].bincount(minlength=len(alike)).float()
                    total = summed(states, source[inside] - low, group[inside], len(alike)).addr_(counts, middle, alpha=-1)
                    product = torch.cat([weights[k] for k in plans]) @ total
                sums[variant] = sums[variant].add_(product) if variant in sums else product
        found, number = dict(known), group.bincount().float()
        for variant, plans in sorted(by.items(), key=lambda one: one[0].name == RANDOM):
            if variant.name == RANDOM:
                for k in plans:
                    directions, turn = sums[variant][: designs[k].rows.shape[1]], self.rng(RANDOM, k, variant.repeat, "turn")
                    found[variant, k] = designs[k].turned(found[NETWORK, k], directions, turn)
                continue
            for k, effects in zip(plans, sums[variant].split([len(weights[k]) for k in plans]), strict=True):
                found[variant, k] = effects.addr_(weights[k] @ number, middle)
        return found

    def _mixed(self, repeat: int) -> Float[Tensor, "n c"]:
        """Random weights of the fitted examples, centred, with as many columns as the widest design. The first columns do not
        depend on the other designs."""
        designs = [plan.design.rows for plan in self.data.plans]
        own, most = designs[0].shape[1], max(rows.shape[1] for rows in designs)
        columns = [
            torch.randn(len(designs[0]), count, generator=self.rng(*key), dtype=torch.float64)
            for count, key in ((own, (RANDOM, 0, repeat)), (most - own, (RANDOM, "more", repeat)))
        ]
        mixed = torch.cat(columns, 1)
        return (mixed - mixed.mean(0)).float()


def _explained(states: Float[Tensor, "m f"], sums: Float[Tensor, "m f"]) -> float | None:
    left, total = (float((states - other).square().sum()) for other in (sums, states.mean(0)))
    return 1 - left / total if total > 0 else None


def _first_two(cuts: Cuts, depths: Sequence[int], data: RecombinationDraw) -> dict[int, State | AssayError]:
    """The states of two fitted examples at each depth, or the error of a cut that cannot be read."""
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
        together = {}  # some cut cannot be read: try each alone
    return {depth: each(depth) for depth in depths}


def _width(state: State | AssayError) -> int:
    return state.flat().shape[1] if isinstance(state, State) else 0


def _groups(sizes: Mapping[int, int], most: int) -> Iterator[list[int]]:
    """Consecutive depths whose sizes sum to at most `most`; a larger one forms its own group."""
    group: list[int] = []
    for depth, size in sizes.items():
        if group and sum(sizes[other] for other in group) + size > most:
            yield group
            group = []
        group.append(depth)
    if group:
        yield group


def _rows(inputs: Mapping[str, Tensor], rows: Tensor) -> dict[str, Tensor]:
    return {name: value[rows] for name, value in inputs.items()}
