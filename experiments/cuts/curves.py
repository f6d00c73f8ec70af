"""What is measured on one network: additive states at every cut, what the rest of the network answers to them, and the rule
that chooses the headline cut. docs/experiments/cuts.md says what the letters mean."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from scipy.stats import beta
from torch import Generator, Tensor

from assay.instruments.recombination import rules
from assay.instruments.recombination.rules import ABOVE_CHANCE, WORKS, Between, Breaks
from assay.subject import Subject

FORMS = ("sum", "shift")


class Rows(NamedTuple):
    """Inputs, the parts that each shows, and the declared answer."""

    inputs: Tensor
    parts: Int[Tensor, "n k"]
    answers: Int[Tensor, " n"]

    def relabelled(self, labels: Int[Tensor, "n k"]) -> "Rows":
        """The same inputs and answers under other labels."""
        return self._replace(parts=labels)


class Data(NamedTuple):
    """Rows from which effects are estimated, and one row for each held-out trained and each novel combination."""

    fitted: Rows
    held: Rows
    novel: Rows
    sizes: tuple[int, ...]
    num_answers: int

    @property
    def chance(self) -> float:
        """The share of the commonest answer of held-out trained combinations."""
        return float(self.held.answers.bincount().max() / len(self.held.answers))


@dataclass(frozen=True)
class AtCut:
    """Whether each combination is answered as the letters say, by form; `explained` is A."""

    depth: int
    affine: bool
    last: bool
    leads: tuple[str, ...]
    explained: float
    cs: dict[str, Bool[Tensor, " h"]]
    es: dict[str, Bool[Tensor, " h"]]
    c: dict[str, Bool[Tensor, " m"]]
    e: dict[str, Bool[Tensor, " m"]]

    def rate(self, letter: str, form: str = "sum") -> float:
        """A share, `p` for C and E at once."""
        if letter == "p":
            return float((self.c[form] & self.e[form]).float().mean())
        return float(getattr(self, letter)[form].float().mean())


def curves(subject: Subject, data: Data, *, seed: int) -> list[AtCut]:
    """Every cut of a network, from the input to the last."""
    cuts = subject.cuts({"x": data.fitted.inputs[:8]})
    generator = Generator().manual_seed(seed)
    answered = [subject({"x": rows.inputs}).argmax(-1) for rows in (data.held, data.novel)]
    found = []
    for cut in cuts:
        state = cuts.read({"x": data.fitted.inputs}, cut.depth)
        matrix = state.flat()
        effects = Effects.of(matrix, data.fitted.parts, data.sizes)
        held_states = cuts.read({"x": data.held.inputs}, cut.depth).flat()

        def answers(rows: Rows, form: str, at=cut.depth, state=state, matrix=matrix, effects=effects) -> Tensor:
            like = state[torch.zeros(len(rows.parts), dtype=torch.int64)] if state.carried else state
            made = effects.state(rows.parts)
            if form == "shift":
                start = torch.randint(len(matrix), (len(rows.parts),), generator=generator)
                made = matrix[start] + made - effects.state(data.fitted.parts[start])
            return cuts.run({"x": data.fitted.inputs[:8]}, at, like.unflat(made)).argmax(-1)

        held, novel = ({form: answers(rows, form) for form in FORMS} for rows in (data.held, data.novel))
        found.append(
            AtCut(
                depth=cut.depth,
                affine=cut.affine,
                last=cut.last,
                leads=cut.leads,
                explained=effects.explained(held_states, data.held.parts),
                cs={form: held[form] == data.held.answers for form in FORMS},
                es={form: held[form] == answered[0] for form in FORMS},
                c={form: novel[form] == data.novel.answers for form in FORMS},
                e={form: novel[form] == answered[1] for form in FORMS},
            )
        )
    return found


class Effects(NamedTuple):
    """The mean state and the effect of every value of every part, from least squares of smallest norm."""

    coefficients: Float[Tensor, "v f"]
    sizes: tuple[int, ...]

    @classmethod
    def of(cls, states: Float[Tensor, "n f"], parts: Int[Tensor, "n k"], sizes: tuple[int, ...]) -> "Effects":
        """From rows of states. Every value must occur, and all must be connected, or sums of effects mean nothing."""
        design = _design(parts, sizes)
        gram = design.T @ design
        rank = int(torch.linalg.matrix_rank(gram))
        assert rank == sum(sizes) - len(sizes) + 1, "a value is never trained, or values are not connected"
        return cls((torch.linalg.pinv(gram, hermitian=True) @ (design.T @ states.double())).float(), sizes)

    def state(self, parts: Int[Tensor, "n k"]) -> Float[Tensor, "n f"]:
        """The additive state of each combination."""
        return _design(parts, self.sizes).float() @ self.coefficients

    def explained(self, states: Float[Tensor, "n f"], parts: Int[Tensor, "n k"]) -> float:
        """The share of the variance of other states that it explains."""
        left = (states - self.state(parts)).square().sum()
        return float(1 - left / (states - states.mean(0)).square().sum())


def _design(parts: Int[Tensor, "n k"], sizes: Sequence[int]) -> Float[Tensor, "n v"]:
    columns = [torch.nn.functional.one_hot(parts[:, k], size) for k, size in enumerate(sizes)]
    return torch.cat([torch.ones(len(parts), 1, dtype=torch.int64), *columns], 1).double()


def lower_bound(hits: Bool[Tensor, " n"]) -> float:
    """Clopper and Pearson's at 95 %."""
    right, total = int(hits.sum()), len(hits)
    return float(beta.ppf(0.025, right, total - right + 1)) if right else 0.0


def upper_bound(hits: Bool[Tensor, " n"]) -> float:
    """The same from above."""
    return 1 - lower_bound(~hits)


def headline(found: Sequence[AtCut]) -> AtCut | None:
    """The last cut behind the first non-affine call and before the last one at which Es has a lower bound of at least .9."""
    inside = [cut for cut in found if not cut.affine and not cut.last]
    return next((cut for cut in reversed(inside) if lower_bound(cut.es["sum"]) >= WORKS), None)


def combined_between(found: Sequence[AtCut], *, chance: float) -> Between | None:
    """Depths of the last cut with Cs of at least .9 and of the first behind it with Cs at most chance + .1."""
    return rules.combined_between([cut.depth for cut in found], [cut.rate("cs") for cut in found], chance=chance)


def is_entangled(found: Sequence[AtCut], *, chance: float) -> bool:
    """Whether an additive input is answered at most at chance + .1 on held-out trained combinations."""
    return found[0].rate("cs") <= chance + ABOVE_CHANCE


def what_breaks(found: Sequence[AtCut]) -> Breaks:
    """From the headline cut."""
    at = headline(found)
    return rules.what_breaks(at.rate("c"), at.rate("e")) if at else "not resolved"


def call(found: Sequence[AtCut]) -> str:
    """What level 0 says: `composes`, `does not compose`, or `not resolved`."""
    at = headline(found)
    if at is None:
        return "not resolved"
    if lower_bound(at.c["sum"]) >= WORKS:
        return "composes"
    return "does not compose" if upper_bound(at.c["sum"]) < 0.5 else "not resolved"


def scrambled(data: Data, *, seed: int) -> Data:
    """The same inputs and answers under labels dealt anew to the combinations of each set."""
    generator = Generator().manual_seed(seed)

    def dealt(rows: Rows) -> Rows:
        combinations, of = rows.parts.unique(dim=0, return_inverse=True)
        return rows.relabelled(combinations[torch.randperm(len(combinations), generator=generator)][of])

    return data._replace(fitted=dealt(data.fitted), held=dealt(data.held), novel=dealt(data.novel))
