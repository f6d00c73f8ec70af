"""The random draw from a task, shared by the network, its copies and all nulls."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations, product

import torch
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor

from assay.instrument import NotEnough, Random
from assay.instruments.recombination.budgets import CombiningBudget
from assay.instruments.recombination.contexts import CONTEXT, EFFECT, in_contexts, some_pairs
from assay.instruments.recombination.items import (
    HELD,
    KIND_OF,
    OUTSIDE,
    CombinationItems,
    ItemSampler,
    changing,
    combinations_of,
    dealt,
    firsts,
    held_out,
    numbered,
    spread,
)
from assay.instruments.recombination.states import PartDesign, design_rows
from assay.instruments.recombination.template import OneTemplate, given, one_template, prefix_of
from assay.novelty import novelty_of
from assay.objective import Objective
from assay.stats import MIN_UNITS, cluster_means
from assay.task import Examples, SwapsParts, Task
from assay.views import NoNovelInputs

ALL = "all parts"  # name of the design of all parts
SUM, SHIFT = "sum", "shift"
SHARE, ENOUGH_HELD = 0.2, 60  # share of trained combinations held out; at least so many, if that is no more than half
ROWS_PER_VALUE = 4  # fitted examples for each value of a part, at the least
MOST_EACH = 4  # items of one combination
MOST_UNLISTED = 2_000  # novel combinations drawn where a task lists none


@dataclass(frozen=True, eq=False)
class StateRecipe:
    """States to construct: `rows` times the effects of a design and, with `on_base`, plus the states of fitted examples.

    **Attributes:** `about`: what the values describe; `scrambled`: for each repeat, the items whose targets and inputs replace
    these.
    """

    about: Mapping[str, str]
    items: CombinationItems
    rows: Float[Tensor, "m q"]
    on_base: bool
    scrambled: Int[Tensor, "s m"]

    @cached_property
    def pilot(self) -> Bool[Tensor, " m"]:
        """A random eighth of the held-out combinations, as a mask over items."""
        held = self.items.kinds == HELD
        return held & _of_some(self.items.ids, held, -(-len(self.items.ids[held].unique()) // 8))

    @property
    def moves(self) -> bool:
        """Whether one part is exchanged: an answer then counts as right only if the answer to the base is not right already."""
        return self.on_base and "part" in self.about


@dataclass(frozen=True, eq=False)
class CurvePlan:
    """One additive model with its headline cut and the states constructed from it. The first recipe chooses the cut; with
    `follows` the cut is that of all parts."""

    name: str
    design: PartDesign
    recipes: tuple[StateRecipe, ...]
    follows: bool = False

    def showing(self, rows: Int[Tensor, " r"]) -> "CurvePlan":
        """The same with indices into the chosen real inputs, `rows` in ascending order."""

        def numbered(items: CombinationItems) -> CombinationItems:
            shown = torch.where(items.shown >= 0, torch.searchsorted(rows, items.shown.clamp(min=0)), -1)
            return replace(items, shown=shown)

        return replace(self, recipes=tuple(replace(one, items=numbered(one.items)) for one in self.recipes))


@dataclass(frozen=True, eq=False)
class RecombinationDraw:
    """The examples and items of one measurement.

    **Attributes:**

    - `fitted`, `real`: inputs of the examples that effects are estimated from, and of held-out and novel ones.
    - `targets`: of the fitted ones; `chance`: the score of the best constant answer to held-out combinations.
    - `plans`: of all parts, and of each derived part.
    - `deals`: for each scrambled declaration, the fitted example that replaces each.
    - `refused`: parts without enough data, with the reason; `apart`: the same of pairs of a part and its context.
    - `not_asked`: pairs of a part and its context left out by the budget.
    - `exchanges`: by id of a novel combination, the number of exchanges between trained ones that construct it.
    - `labelled`: whether novel inputs have labels.
    - `no_executor`, `no_inputs`, `kinds_unknown`: why answers to novel combinations, novel inputs, or kinds of novelty are not
      known; empty where they are.
    - `prefix`: the input that holds the answer so far, empty where there is none; `template`: the number of trained
      combinations in the template that is read, empty where all are.
    - `not_trained_alike`: why no network is trained alike on random labels; empty where some are.
    """

    objective: Objective
    budget: CombiningBudget
    fitted: Mapping[str, Tensor]
    targets: Tensor
    combination: Int[Tensor, " n"]
    real: Mapping[str, Tensor]
    plans: tuple[CurvePlan, ...]
    deals: Int[Tensor, "s n"]
    chance: float
    refused: Mapping[str, str]
    apart: Mapping[tuple[str, str], str]
    not_asked: int
    exchanges: Mapping[int, int]
    labelled: bool
    no_executor: str
    no_inputs: str
    kinds_unknown: str
    prefix: str = ""
    template: str = ""
    not_trained_alike: str = ""

    @cached_property
    def alike(self) -> Int[Tensor, " n"]:
        """Group of each fitted example: examples with equal rows in all designs share one."""
        numbers = [numbered(plan.design.rows, plan.design.rows[:0])[0] for plan in self.plans]
        return torch.stack(numbers, 1).unique(dim=0, return_inverse=True)[1]

    @cached_property
    def few(self) -> list[list[Bool[Tensor, " m"]]]:
        """By plan and recipe, the items on which nulls and copies are scored at a headline cut: random combinations of every
        group that has a rate of its own."""
        return [[self._few(recipe.items) for recipe in plan.recipes] for plan in self.plans]

    def _few(self, items: CombinationItems) -> Bool[Tensor, " m"]:
        made = torch.tensor([self.exchanges.get(one, 0) for one in items.ids.tolist()], dtype=torch.int64)
        shown, chosen = items.shown >= 0, torch.zeros(len(items), dtype=torch.bool)
        known = torch.stack([torch.ones_like(shown), items.declared, shown, shown & items.declared])
        for groups, which in ((items.kinds, known), (made, known[1:2])):
            for group, some in product(groups.unique().tolist(), which):
                chosen |= _of_some(items.ids, some & (groups == group), self.budget.null_combinations)
        return chosen

    def given(self, targets: Tensor) -> dict[str, Tensor]:
        """The input that holds the answer so far, for these targets; empty where there is none."""
        return {self.prefix: given(self.fitted[self.prefix][:1, :1], targets)} if self.prefix else {}


def draw(task: Task, budget: CombiningBudget, rng: Random) -> RecombinationDraw:
    """Draw all examples and items of a measurement. **Raises:** `NotEnough` where the parts of trained examples cannot be told
    apart."""
    number = max(budget.examples, ROWS_PER_VALUE * sum(len(part.values) for part in task.parts if not part.of))
    whole, seen = task, task.examples("seen", number, generator=rng("seen")).in_canonical_order()
    if prefix := prefix_of(seen):
        task = one_template(task, prefix, seen)
        seen = task.examples("seen", number, generator=rng("seen")).in_canonical_order()
    parts, combines, most = tuple(part for part in task.parts if not part.of), task.combines, budget.combinations
    _check(task, seen)
    values = combinations_of(combines, seen)
    ids, group = seen.combination.unique(return_inverse=True)
    want = min(most, max(round(SHARE * len(ids)), min(ENOUGH_HELD, len(ids) // 2)))
    out = held_out(values[firsts(group)], want, rng("held out"))[group]
    fitted, held = seen.take(~out), seen.take(out)
    held = held.take(spread(held.combination, most, rng("held")))
    design = PartDesign.of(parts, fitted)
    rows, kind_of, unknown = _novel_combinations(task, fitted, rng)
    novel, no_inputs = held.take(torch.zeros(0).long()), ""
    if kind_of and prefix and task.level < 2:
        no_inputs = f"{prefix}, the answer so far, is the label of a novel input"
    elif kind_of:
        novel, no_inputs = _novel_inputs(task, 4 * most, rng)
    real = Examples.joined(held, novel)
    drawing = ItemSampler(task, design, fitted, real, design_rows(parts, real), len(held), most)
    own = drawing.shown(torch.arange(len(held)), {})
    own = own.take(design.determined(own.rows).nonzero()[:, 0])
    if (num := len(own.ids.unique())) < MIN_UNITS:
        raise NotEnough(
            f"{num} trained combinations can be held out so that the others determine their effects; {MIN_UNITS} are needed"
        )
    if len(own.targets.unique(dim=0)) < 2:
        raise NotEnough("all held-out combinations are answered alike, so that any state would give the answer")
    listed = [_wanted(combinations_of(combines, held)[firsts(held.combination.unique(return_inverse=True)[1])], HELD, most)]
    for kind in sorted(set(kind_of.values())):
        of_kind = rows[[kind_of[one] == kind for one in _ids(task, rows).tolist()]]
        chosen = torch.randperm(len(of_kind), generator=rng("combinations", kind))[: most if kind == OUTSIDE else most // 2]
        listed.append(_wanted(of_kind[chosen.sort().values], kind, most))
    wanted, kinds = (torch.cat(some) for some in zip(*listed, strict=True))
    able = [part for part in task.parts if set(part.of or (part.name,)) & set(combines)]
    exchanges = {part.name: drawing.exchanged(part, wanted, kinds, rng.within("exchange", part.name)) for part in able}
    items, num_exchanges = _of_all(drawing, own, wanted, [exchanges[name] for name in combines], kind_of, rng)
    repeats = [rng.within("deal", k) for k in range(budget.scrambled)]
    states = items.rows - design.rows[items.base]
    recipes = [
        _recipe({"form": SUM}, items, items.rows, repeats, on_base=False),
        _recipe({"form": SHIFT}, items, states, repeats),
    ]
    plans, refused = [], {}
    for part in able:
        found, known = exchanges[part.name]
        others = tuple(one for one in parts if one.name not in part.of)
        inner = PartDesign.of((part, *others), fitted) if part.of else design
        difference = inner.rows[found.source] - inner.rows[found.base]
        moved = inner.with_columns(torch.zeros_like(difference), difference, (part.name,))
        usable = (known & inner.determined(moved)).nonzero()[:, 0]
        kept = changing(found.take(usable), fitted, task.objective, rng("balance", part.name))
        if (few := len(found.take(usable[kept]).ids[found.kinds[usable[kept]] == HELD].unique())) < MIN_UNITS:
            refused[part.name] = (
                f"{few} held-out combinations follow from an exchange with a known answer that differs and varies; "
                f"{MIN_UNITS} are needed"
            )
            continue
        recipe = _recipe({"part": part.name}, found.take(usable[kept]), moved[usable[kept]], repeats)
        if part.of:
            sums = design_rows((part, *others), drawing.real.take(own.shown))
            own_sum = _recipe({"part": part.name, "form": SUM}, own, sums, repeats, on_base=False)
            plans.append(CurvePlan(part.name, inner, (own_sum, recipe)))
        else:
            recipes.append(recipe)
    apart = {}
    pairs, not_asked = some_pairs([part for part in parts if part.name in combines], budget.contexts, rng("pairs"))
    for part, context in pairs:
        about, name = {"part": part.name, CONTEXT: context.name}, f"{part.name} in contexts of {context.name}"
        match in_contexts(part, context, drawing, *exchanges[part.name], rng.within("contexts", name)):
            case str(reason):
                apart[part.name, context.name] = reason
            case split, some, differences:
                each = [_recipe({**about, EFFECT: of}, some, rows, repeats) for of, rows in differences.items()]
                plans.append(CurvePlan(name, split, tuple(each), follows=True))
    plans = [CurvePlan(ALL, design, tuple(recipes)), *plans]
    used = torch.cat([recipe.items.shown for plan in plans for recipe in plan.recipes]).unique()
    used = used[used >= 0]
    return RecombinationDraw(
        objective=task.objective,
        budget=budget,
        fitted=fitted.inputs,
        targets=fitted.targets,
        combination=fitted.combination,
        real={name: value[used] for name, value in drawing.real.inputs.items()},
        plans=tuple(plan.showing(used) for plan in plans),
        deals=_stacked([dealt(fitted.combination, fitted.combination * 0, one("fitted")) for one in repeats], len(fitted)),
        chance=max(task.objective.chance, best_constant(task.objective, own)),
        refused=refused,
        apart=apart,
        not_asked=not_asked,
        exchanges=num_exchanges,
        labelled=task.level == 2,
        no_executor="" if isinstance(task, SwapsParts) else "the task does not say what follows when a part is exchanged",
        no_inputs=no_inputs,
        kinds_unknown=unknown,
        prefix=prefix,
        template="" if task is whole else f"{len(task.combinations('seen'))} of {len(whole.combinations('seen'))}",
    )


def _check(task: Task, seen: Examples) -> None:
    """Check that the effects of parts are identifiable. **Raises:** `NotEnough`."""
    if len(task.combines) < 2:
        raise NotEnough(f"{task.combines[0]} is the only part of a combination, so there is nothing to combine")
    if (num := len(seen.combination.unique())) < 2 * MIN_UNITS:
        raise NotEnough(f"{num} trained combinations, and effects estimated on some and tested on others need {2 * MIN_UNITS}")
    for name in task.combines:
        if len(seen.parts[name].unique()) < 2:
            raise NotEnough(f"part {name} takes one value in all trained examples, so there is nothing to combine")
    for name in task.combines:
        values = seen.parts[name]
        for other in task.combines:
            pairs = torch.stack([values, seen.parts[other]], 1).unique(dim=0)
            if other != name and len(pairs) == len(values.unique()):
                raise NotEnough(
                    f"part {name} determines part {other} in all trained examples, so neither has an effect of its own"
                )


def _ids(task: Task, rows: Int[Tensor, "m k"]) -> Int[Tensor, " m"]:
    return task.combination_id(dict(zip(task.combines, rows.unbind(1), strict=True)))


def _novel_combinations(task: Task, fitted: Examples, rng: Random) -> tuple[Int[Tensor, "m k"], dict[int, int], str]:
    """Novel combinations, the kind of each by its id, and why the kinds are not known. Where a task lists none and has an
    executor, they are drawn from all untrained combinations of trained values."""
    rows = task.combinations("novel")
    listed = len(rows) > 0
    if not listed and isinstance(task, SwapsParts):
        have = combinations_of(task.combines, fitted)
        drawn = torch.randint(len(have), (MOST_UNLISTED, len(task.combines)), generator=rng("unlisted"))
        rows = have.gather(0, drawn).unique(dim=0)
        rows = rows[~torch.isin(_ids(task, rows), _ids(task, task.combinations("seen")))]
    if not len(rows):
        return rows, {}, ""
    novelty = task.novelty(rows) if isinstance(task, OneTemplate) else novelty_of(task, None if listed else rows)
    if novelty.unknown:
        return rows, dict.fromkeys(_ids(task, rows).tolist(), OUTSIDE), novelty.unknown
    return rows, {one: KIND_OF[kind] for one, kind in zip(novelty.ids.tolist(), novelty.kinds, strict=True)}, ""


def _novel_inputs(task: Task, number: int, rng: Random) -> tuple[Examples, str]:
    """Novel inputs, and why there are none. There may be fewer than combinations."""
    try:
        found, reason = task.examples("novel", number, generator=rng("novel")).in_canonical_order(), ""
    except NoNovelInputs as error:
        found, reason = task.examples("seen", 0, generator=rng("none")), error.rule
    return found, reason or ("" if len(found) else "the task has no novel inputs")


def _wanted(rows: Int[Tensor, "c k"], kind: int, most: int) -> tuple[Int[Tensor, "m k"], Int[Tensor, " m"]]:
    """Each combination, repeated where there are few, and its kind."""
    repeated = rows.repeat(max(1, min(MOST_EACH, most // max(1, len(rows)))), 1)
    return repeated, torch.full((len(repeated),), kind)


def _of_all(
    drawing: ItemSampler,
    own: CombinationItems,
    wanted: Int[Tensor, "m k"],
    exchanges: Sequence[tuple[CombinationItems, Bool[Tensor, " m"]]],
    kind_of: Mapping[int, int],
    rng: Random,
) -> tuple[CombinationItems, dict[int, int]]:
    """Items of all parts, and by novel id the number of exchanges that construct it. They are held-out inputs, novel
    combinations constructed by one exchange or several, and novel inputs of the other combinations."""
    chosen = torch.zeros_like(exchanges[0][1])
    found = [own]
    for k in torch.randperm(len(exchanges), generator=rng("parts")).tolist():
        items, known = exchanges[k]
        new = known & ~chosen & (items.kinds != HELD)
        chosen |= new
        found.append(items.take(new.nonzero()[:, 0]))
    made = dict.fromkeys(CombinationItems.joined(found[1:]).ids.tolist(), 1)
    kinds, task = exchanges[0][0].kinds, drawing.task
    if isinstance(task, SwapsParts):
        all_parts = [task.part(name) for name in task.combines]
        for parts in [some for number in sorted({2, len(all_parts)}) for some in combinations(all_parts, number)]:
            known = torch.isin(_ids(task, wanted), torch.tensor([*made], dtype=torch.int64))
            left = ((kinds != HELD) & ~known).nonzero()[:, 0]
            further = drawing.further(parts, wanted[left], kinds[left], rng.within("several", *(part.name for part in parts)))
            made |= dict.fromkeys(further.ids.tolist(), len(parts))
            found.append(further)
    novel = CombinationItems.joined(found[1:])
    others = torch.arange(drawing.num_held, len(drawing.real))
    ids = drawing.real.combination[others]
    missing = ~torch.isin(ids, novel.ids[novel.shown >= 0]) & torch.isin(ids, torch.tensor([*kind_of], dtype=torch.int64))
    others = others[missing]
    kinds = torch.tensor([kind_of[one] for one in drawing.real.combination[others].tolist()], dtype=torch.int64)
    for kind in kinds.unique().tolist():
        some = others[kinds == kind]
        left = max(0, drawing.most - len(novel.ids[(novel.kinds == kind) & (novel.shown >= 0)]))
        rows = some[spread(drawing.real.combination[some], left, rng("shown", kind))][:left]
        found.append(drawing.shown(rows, kind_of))
    items = CombinationItems.joined(found)
    items = items.take(drawing.design.determined(items.rows).nonzero()[:, 0])
    return drawing.started(items, rng("starts")), made


def _recipe(
    about: Mapping[str, str], items: CombinationItems, rows: Tensor, repeats: Sequence[Random], *, on_base: bool = True
) -> StateRecipe:
    if about != {"form": SUM}:  # other kinds are reported for the sum alone
        counted = (items.kinds <= OUTSIDE).nonzero()[:, 0]
        items, rows = items.take(counted), rows[counted]
    known = 4 * items.kinds + 2 * items.declared + (items.shown >= 0)  # items are permuted within equal kind and knowledge
    deals = [dealt(items.ids, known, one(*about.values())) for one in repeats]
    return StateRecipe(about, items, rows, on_base, _stacked(deals, len(items)))


def _of_some(ids: Int[Tensor, " m"], which: Bool[Tensor, " m"], most: int) -> Bool[Tensor, " m"]:
    """All rows of at most `most` ids among `which`; the random order of ids is the same for all calls."""
    every = ids.unique()
    order = every[torch.randperm(len(every), generator=Generator().manual_seed(0))]
    return torch.isin(ids, order[torch.isin(order, ids[which])][:most])


def _stacked(rows: Sequence[Tensor], width: int) -> Int[Tensor, "s m"]:
    return torch.stack([*rows]) if rows else torch.zeros(0, width, dtype=torch.int64)


def best_constant(objective: Objective, items: CombinationItems) -> float:
    """The score of the commonest answer, or of the mean one."""
    targets = items.targets
    constant = targets.mean(0) if targets.is_floating_point() else targets.mode(0).values
    scores = objective.score(objective.ideal(constant.expand_as(targets)), targets)
    return float(cluster_means(scores, items.ids).means.mean())
