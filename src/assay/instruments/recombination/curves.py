"""The curves of one network: at every cut, what the rest of the network answers to states put together from trained ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from assay.cuts import Cut
from assay.errors import AssayError
from assay.instrument import NotEnough, Random
from assay.instruments.recombination.answers import ES, NETWORK, Outputs, Rates, Variant, at_depths
from assay.instruments.recombination.drawn import Drawn
from assay.instruments.recombination.items import HELD
from assay.instruments.recombination.rules import may_be_headline, resolves
from assay.subject import Subject


@dataclass(frozen=True, eq=False)
class AtCut:
    """What was read at one cut: rates of the network by plan and recipe; of nulls the rates by which they choose their cut; the
    share of variance that the additive model explains of held-out states (A)."""

    cut: Cut
    rates: Mapping[tuple[int, int], Rates]
    chosen_by: Mapping[tuple[Variant, int], Rates]
    explained: float | None


@dataclass(eq=False)
class Found:
    """Curves of one network.

    **Attributes:** `cuts`, from the input to the last; `headline`: by variant and plan the depth of the headline cut, if there
    is one; `rates`: there, or at that of the network under test, by recipe; `skipped`: cuts that could not be patched, and why.
    """

    cuts: list[AtCut] = field(default_factory=list)
    headline: dict[tuple[Variant, int], int] = field(default_factory=dict)
    rates: dict[tuple[Variant, int], Sequence[Rates]] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)
    thinned: int = 0
    integers: list[str] = field(default_factory=list)

    def at(self, depth: int) -> AtCut:
        """The cut of that depth."""
        return next(one for one in self.cuts if one.cut.depth == depth)


def curves(
    subject: Subject, data: Drawn, rng: Random, *, variants: Sequence[Variant], at: Mapping[int, int] | None = None
) -> Found:
    """Curves of a network, or with `at` what is needed of another one to stand beside it.

    **Arguments:**

    - `variants`: nulls that come from the network itself; each makes the same search for a headline cut as the network.
    - `at`: of a copy, by plan the depth of the headline cut of the network under test: there a network or null is read that has
      no such cut of its own. Without it all recipes are read at all cuts.

    **Raises:** `NotEnough` for a network that cannot be cut.
    """
    try:
        cuts = subject.cuts({name: value[:16] for name, value in data.fitted.items()})
    except AssayError as error:
        raise NotEnough(f"the network cannot be cut: {error.rule}") from error
    found, whole = Found(), at is None
    outputs = Outputs(subject(data.real), subject(data.fitted))
    depths = _thinned(len(cuts), data.budget.cuts)
    found.thinned = len(cuts) - len(depths)
    plans, fallback = range(len(data.plans)), dict(at or {})
    waiting = [(variant, k) for variant in (NETWORK, *variants) for k in plans if whole or k in fallback]
    everything = [(NETWORK, k, r) for k in plans for r in range(len(data.plans[k].recipes))] if whole else []
    asked = [depth for depth in reversed(depths) if whole or may_be_headline(cuts[depth]) or depth in fallback.values()]
    for depth, read in at_depths(cuts, asked, data, outputs, rng, variants=variants):
        cut = cuts[depth]
        search = [one for one in waiting if one not in found.headline] if may_be_headline(cut) else []
        here = {k for k in plans if fallback.get(k) == depth}
        if not (whole or search or here):
            continue
        if isinstance(read, AssayError):
            found.skipped.append(f"{label(cut)}: {read.rule}")
            continue
        first = [*everything, *((*one, 0) for one in search if not (whole and one[0] == NETWORK))]
        partly = {one for one in first if one[0] != NETWORK or not whole or (one[2] and not data.budget.novel_everywhere)}
        try:
            rates = read.rates(first, held_only=partly)
        except AssayError as error:
            found.skipped.append(f"{label(cut)}: {error.rule}")
            continue
        for variant, k in search:
            rate = rates[variant, k, 0].get((ES, HELD))
            if rate and resolves(rate.units):
                found.headline[variant, k] = depth
                if whole and variant == NETWORK:
                    fallback[k] = depth
                    here.add(k)
        full = [one for one in waiting if found.headline.get(one) == depth or (one[1] in here and one not in found.headline)]
        more = [(*one, r) for one in full for r in range(len(data.plans[one[1]].recipes))]
        rates |= read.rates([one for one in more if one in partly or one not in rates])
        for one in full:
            found.rates[one] = [rates[*one, r] for r in range(len(data.plans[one[1]].recipes))]
        found.cuts.insert(
            0,
            AtCut(
                cut=cut,
                rates={(k, r): rates[NETWORK, k, r] for _, k, r in everything},
                chosen_by={one: rates[*one, 0] for one in search},
                explained=read.explained() if whole else None,
            ),
        )
        found.integers += [name for name in cut.carried if name not in found.integers]
    if not found.cuts:
        raise NotEnough(f"no cut of the network can be patched ({'; '.join(found.skipped[:1]) or 'it has none'})")
    return found


def label(cut: Cut) -> str:
    """A cut by its depth and the modules that made its tensors."""
    modules = dict.fromkeys(name.partition("#")[0].rpartition(".")[0] or name.partition("#")[0] for name in cut.names)
    names = list(modules)
    return f"{cut.depth} {names[-1] if names else 'integers'}" + (f" and {len(names) - 1} more" if len(names) > 1 else "")


def _thinned(total: int, most: int) -> list[int]:
    """Depths, evenly spaced, the first and the last among them."""
    if total <= most:
        return list(range(total))
    return sorted({round(k * (total - 1) / (most - 1)) for k in range(most)})
