"""Rates of one network at every cut, and the search for its headline cut."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, product

import torch
from torch import Tensor

from assay.cuts import Cut
from assay.errors import AssayError, shortened
from assay.instrument import NotEnough, Random
from assay.instruments.recombination.drawn import RecombinationDraw
from assay.instruments.recombination.items import HELD, KIND_OF, OUTSIDE
from assay.instruments.recombination.patched import NETWORK, Outputs, RateKey, Reader, Variant
from assay.instruments.recombination.rates import CS, ES, Rates
from assay.instruments.recombination.rules import Between, combined_between, may_be_headline, resolves
from assay.subject import Subject


@dataclass(frozen=True, eq=False)
class AtCut:
    """Rates at one cut: of the network by plan and recipe, of nulls those by which they choose their cut (`chosen_by`), and the
    share of the variance between held-out states that the additive model explains (A)."""

    cut: Cut
    rates: Mapping[tuple[int, int], Rates]
    chosen_by: Mapping[tuple[Variant, int], Rates]
    explained: float | None


@dataclass(eq=False)
class NetworkCurves:
    """Rates of one network at its cuts.

    **Attributes:** `every`: all cuts of the network; `cuts`: those that were read, from the input to the last; `headline`:
    depth of the headline cut by variant and plan, where there is one; `rates`: at the headline cut, or at that of the network
    under test, by recipe; `skipped`: cuts that could not be patched, and why."""

    every: Sequence[Cut]
    cuts: list[AtCut] = field(default_factory=list)
    headline: dict[tuple[Variant, int], int] = field(default_factory=dict)
    rates: dict[tuple[Variant, int], Sequence[Rates]] = field(default_factory=dict)
    skipped: dict[int, str] = field(default_factory=dict)
    integers: list[str] = field(default_factory=list)

    def at(self, depth: int) -> AtCut:
        """The cut of that depth."""
        return next(one for one in self.cuts if one.cut.depth == depth)


def curves(
    subject: Subject,
    data: RecombinationDraw,
    rng: Random,
    *,
    variants: Sequence[Variant],
    like: NetworkCurves | None = None,
    fitted: Tensor | None = None,
) -> NetworkCurves:
    """Rates of a network at its cuts; of a copy (`like`), those that are compared with the network under test.

    Cuts that the budget leaves out are read where they lie beside an end of the interval in which parts are combined.

    **Arguments:**

    - `variants`: nulls that come from the network itself; each makes the same search for a headline cut as the network.
    - `like`: the curves of the network under test: the same cuts are searched, and a copy without a headline cut of its own is
      read at that of the network.
    - `fitted`: outputs for the fitted examples, where they are known.

    **Raises:** `NotEnough` for a network that cannot be cut.
    """
    try:
        few = {name: value[:16] for name, value in data.fitted.items()}
        cuts = subject.cuts(few, fixed=[data.prefix] if data.prefix else ())
    except AssayError as error:
        raise NotEnough(f"the network cannot be cut: {str(error).rstrip('.')}") from error
    found = NetworkCurves([*cuts])
    if like is None:
        outputs = Outputs(subject(data.real), subject(data.fitted) if fitted is None else fitted)
    else:
        outputs = _of_copy(subject, data)
    plans = range(len(data.plans))
    searching = [k for k in plans if not data.plans[k].follows]
    if like is not None:
        searching = [k for k in searching if (NETWORK, k) in like.headline]
    reader = Reader(cuts, data, outputs, rng, variants, searching)
    if like is None:
        everything = [(NETWORK, k, r) for k in searching for r in range(len(data.plans[k].recipes))]
        _scan(found, reader, _thinned(len(cuts), data.budget.cuts), everything, {})
        while (middle := _unread(found, data)) is not None:
            _scan(found, reader, [middle], everything, {})
        fallback = {k: depth for (variant, k), depth in found.headline.items() if variant == NETWORK}
    else:
        fallback = {k: depth for (variant, k), depth in like.headline.items() if variant == NETWORK and depth < len(cuts)}
        _scan(found, reader, [one.cut.depth for one in like.cuts if one.cut.depth < len(cuts)], [], fallback)
    for one in product((NETWORK, *variants), plans):
        if data.plans[one[1]].follows and (depth := found.headline.get((one[0], 0))) is not None:
            found.headline[one] = depth
    if 0 in fallback:
        fallback |= {k: fallback[0] for k in plans if data.plans[k].follows}
    if fallback:
        _read_chosen(found, reader, fallback, own=like is None)
    if not found.cuts:
        raise NotEnough(f"no cut of the network can be patched ({'; '.join([*found.skipped.values()][:1]) or 'it has none'})")
    return found


def _of_copy(subject: Subject, data: RecombinationDraw) -> Outputs:
    """Outputs of a copy for the inputs that its rates are compared with; zeros for the others."""
    shown, moved = [], []
    for plan, some in zip(data.plans, data.few, strict=True):
        for r, (recipe, few) in enumerate(zip(plan.recipes, some, strict=True)):
            items = recipe.items
            shown.append(items.shown[few | (items.kinds == HELD) if r == 0 else few])
            moved += [items.base[few]] if recipe.moves else []

    def run(inputs: Mapping[str, Tensor], wanted: Sequence[Tensor]) -> Tensor:
        rows = torch.cat([torch.tensor([-1]), *wanted]).unique()
        rows = rows[rows >= 0]
        outputs = subject({name: value[rows] for name, value in inputs.items()})
        number = len(next(iter(inputs.values())))
        return outputs.new_zeros(number, *outputs.shape[1:]).index_copy(0, rows, outputs)

    return Outputs(run(data.real, shown), run(data.fitted, moved))


def _scan(
    found: NetworkCurves, reader: Reader, depths: Sequence[int], everything: Sequence[RateKey], fallback: Mapping[int, int]
) -> None:
    """Read further cuts, from the last to the first, for the curves and for the search of headline cuts. A network of which no
    curve is drawn is read until every search has found its cut."""
    data, searches = reader.data, [*product((NETWORK, *reader.variants), reader.plans)]
    chosen = [depth for depth in sorted(depths, reverse=True) if everything or may_be_headline(reader.cuts[depth])]

    def searching(depth: int) -> list[tuple[Variant, int]]:
        deepest = (found.headline.get(one, -1) for one in searches)
        return [one for one, at in zip(searches, deepest, strict=True) if may_be_headline(reader.cuts[depth]) and at < depth]

    def wanted(depth: int) -> list[tuple[Variant, int]]:
        return list(dict.fromkeys([*(one[:2] for one in everything), *searching(depth)]))

    for depth, read, explained in reader.each(chosen, wanted, explained=bool(everything)):
        cut, search = reader.cuts[depth], searching(depth)
        if not (everything or search):
            break
        others = [(*one, 0) for one in search if not (everything and one[0] == NETWORK)]
        kinds = {one: HELD if one[2] and not data.budget.novel_everywhere else OUTSIDE for one in everything}
        try:
            if isinstance(read, AssayError):
                raise read
            rates = read.rates(kinds) | read.searched(others)
        except AssayError as error:
            found.skipped[depth] = f"{label(cut)}: {_reason(error)}"
            continue
        for one in search:
            rate = rates[*one, 0].get((ES, HELD))
            if rate and resolves(rate.units):
                found.headline[one] = depth
        curve, chosen_by = {(k, r): rates[NETWORK, k, r] for _, k, r in everything}, {one: rates[*one, 0] for one in search}
        if read.matrix is not None and depth == found.headline.get((NETWORK, 0), fallback.get(0)):
            reader.kept = {depth: read}
        found.cuts = sorted([*found.cuts, AtCut(cut, curve, chosen_by, explained)], key=lambda one: one.cut.depth)
        found.integers += [name for name in cut.carried if name not in found.integers]


def _reason(error: AssayError) -> str:
    """The error of the network's own forward under patching, or else the broken rule."""
    cause = error.__cause__
    raised = f"{type(cause).__name__}: {cause}".partition("\n")[0]
    return error.rule if cause is None else f"with states put in, its forward ends in {shortened(raised, 200).rstrip('.')}"


def _read_chosen(found: NetworkCurves, reader: Reader, fallback: Mapping[int, int], *, own: bool) -> None:
    """Read all rates at the headline cuts; a variant without one is read at that of the network under test. The network is read
    on all combinations, nulls and copies on a subset."""
    plans = reader.data.plans
    chosen = {one: found.headline.get(one, fallback[one[1]]) for one in product((NETWORK, *reader.variants), fallback)}

    def full(depth: int) -> list[tuple[Variant, int]]:
        return [one for one, where in chosen.items() if where == depth]

    depths = sorted({*chosen.values()} - {*reader.kept}, reverse=True)
    for depth, read in chain(reader.kept.items(), ((depth, read) for depth, read, _ in reader.each(depths, full))):
        try:
            if isinstance(read, AssayError):
                raise read
            every = [(*one, r) for one in full(depth) for r in range(len(plans[one[1]].recipes))]
            nulls = [one for one in every if not own or one[0] != NETWORK]
            rates = read.rates(dict.fromkeys(every, max(KIND_OF.values())), few=nulls)
        except AssayError as error:
            found.skipped[depth] = f"{label(reader.cuts[depth])}: {_reason(error)}"
            continue
        found.rates |= {one: [rates[*one, r] for r in range(len(plans[one[1]].recipes))] for one in full(depth)}
        if own:
            at, mine = found.at(depth), {(k, r): rate for (variant, k, r), rate in rates.items() if variant == NETWORK}
            found.cuts[found.cuts.index(at)] = replace(at, rates={**at.rates, **mine})


def _unread(found: NetworkCurves, data: RecombinationDraw) -> int | None:
    """The middle one of the unread cuts beside an end of the interval in which parts are combined."""
    between = interval(data, found)
    if between is None:
        return None
    known = {*(one.cut.depth for one in found.cuts), *found.skipped}
    inside = [depth for depth in range(between.last + 1, between.first) if depth in known]
    for low, high in ((between.last, [*inside, between.first][0]), ([between.last, *inside][-1], between.first)):
        if high - low > 1:
            return (low + high) // 2
    return None


def at_headline(at: AtCut | None, letter: str) -> float | None:
    """A rate of the form sum at the headline cut, None without one."""
    kind = HELD if letter in (CS, ES) else OUTSIDE
    rate = at.rates[0, 0].get((letter, kind)) if at else None
    return rate.mean if rate else None


def holding(found: NetworkCurves) -> list[AtCut]:
    """The cuts that satisfy the rule of the headline cut, in order of depth."""
    able = [one for one in found.cuts if may_be_headline(one.cut) and (ES, HELD) in one.rates[0, 0]]
    return [one for one in able if resolves(one.rates[0, 0][ES, HELD].units)]


def interval(data: RecombinationDraw, found: NetworkCurves) -> Between | None:
    """The interval of cuts in which the parts are combined."""
    cs = [at_headline(one, CS) for one in found.cuts]
    return combined_between([one.cut.depth for one in found.cuts], cs, chance=data.chance)


def label(cut: Cut) -> str:
    """Label of a cut: its depth and the modules that made its tensors."""
    modules = dict.fromkeys(name.partition("#")[0].rpartition(".")[0] or name.partition("#")[0] for name in cut.names)
    names = list(modules)
    return f"{cut.depth} {names[-1] if names else 'integers'}" + (f" and {len(names) - 1} more" if len(names) > 1 else "")


def _thinned(total: int, most: int) -> list[int]:
    """At most `most` depths: the last ones, and increasingly sparse ones before, since the headline cut is the last that
    satisfies the rule."""
    if total <= most:
        return list(range(total))
    ratio = (total - 1) ** (1 / max(1, most - 2))
    return sorted({total - 1, *(total - 1 - max(k + 1, round(ratio**k)) for k in range(most - 1))})
