"""Every transplant of one part that is tried in a network, and the rule that chooses among them.

The rule, for a network and for each of its nulls alike: for the pairs of one fold, the site and form that did best on the
pairs of the other folds. No pair is scored where it helped to choose.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor

from assay.instrument import report
from assay.instruments.former.forms import Basis, Form, exchanged
from assay.instruments.former.metric import Metric, unit_weights
from assay.instruments.former.states import Design
from assay.observed import Exchange, Observed
from assay.probe import Design as ProbeDesign
from assay.stats import keyed_generator
from assay.subject import Subject

NATURAL = 0.99  # quantile of the natural states' distances beyond which a patched state is off the manifold
LEAST_NATURAL = 0.5  # share of the pairs that must stay on the manifold for a place to be eligible
GRADIENT_EXAMPLES = 96
PROBED = 256  # units that a probe reads; a wider site is sketched


@dataclass(frozen=True)
class Inside:
    """A network's states on the observed examples, ready for transplants.

    **Attributes:**

    - `states`: for every site `(n, d)`, flattened, and the `shapes` that they had.
    - `weights`: for every site the factor of each unit in its metric.
    - `reach`: for every site how far a natural state is from the nearest one of another combination, at the quantile `NATURAL`.
    """

    subject: Subject
    observed: Observed
    states: Mapping[str, Float[Tensor, "n d"]]
    shapes: Mapping[str, tuple[int, ...]]
    weights: Mapping[str, Float[Tensor, " d"]]
    reach: Mapping[str, float]
    _designs: dict[str, ProbeDesign] = field(default_factory=dict, repr=False)

    @classmethod
    def of(
        cls, subject: Subject, observed: Observed, sites: Sequence[str], *, metric: Metric = "balanced", generator: Generator
    ) -> "Inside":
        """Read the sites once."""
        inputs = observed.examples.inputs
        read = subject.read(inputs, sites)
        states = {site: values.flatten(1).float() for site, values in read.items()}
        rows = torch.randperm(len(observed.examples), generator=generator)[:GRADIENT_EXAMPLES]
        some = {name: values[rows] for name, values in inputs.items()}
        weights = unit_weights(subject, some, sites, metric=metric, generator=generator)
        combination = observed.examples.combination
        other = combination[:, None] != combination
        reach = {}
        for site, values in states.items():
            nearest = _distances(values, values, weights[site]).where(other, torch.inf).amin(1)
            reach[site] = float(nearest.quantile(NATURAL)) if bool(nearest.isfinite().all()) else torch.inf
        return cls(subject, observed, states, {site: tuple(v.shape[1:]) for site, v in read.items()}, weights, reach)

    def probe_design(self, site: str, rows: Int[Tensor, "f w"], used: Bool[Tensor, "f w"]) -> ProbeDesign:
        """The factorised states of a site, by fold; one serves the probes of all parts. Of a wide site they are random sums."""
        if site not in self._designs:
            states = self.states[site]
            if states.shape[1] > PROBED:
                seeded = keyed_generator(0, f"sketch {tuple(states.shape[1:])}")
                states = states @ torch.randn(states.shape[1], PROBED, generator=seeded) / PROBED**0.5
            self._designs[site] = ProbeDesign.of(states[rows][None], used[None])
        return self._designs[site]

    def natural(self, site: str, patched: Float[Tensor, "p d"]) -> Bool[Tensor, " p"]:
        """Whether patched states are as near to a natural one as natural ones of different combinations are."""
        nearest = _distances(patched, self.states[site], self.weights[site]).amin(1)
        return nearest <= self.reach[site] * (1 + 1e-4) + 1e-9

    def outputs(self, site: str, patched: Float[Tensor, "p d"], rows: Int[Tensor, " p"]) -> Tensor:
        """What the network says of the examples `rows` with these states at the site."""
        inputs = {name: values[rows] for name, values in self.observed.examples.inputs.items()}
        return self.subject(inputs, replace={site: patched.unflatten(1, self.shapes[site])})


def _distances(a: Float[Tensor, "p d"], b: Float[Tensor, "n d"], weights: Float[Tensor, " d"]) -> Float[Tensor, "p n"]:
    return torch.cdist(a * weights, b * weights)


@dataclass(frozen=True)
class Tried:
    """Scores of every pair at every candidate `(site, form)`.

    **Attributes:**

    - `scores`: against the declared targets.
    - `counted`: the pair can be asked and its patched state is on the manifold.
    - `others`: the scores of the same outputs against other targets, for each of those that were given.
    """

    candidates: tuple[tuple[str, Form], ...]
    scores: Float[Tensor, "c p"]
    counted: Bool[Tensor, "c p"]
    others: Float[Tensor, "o c p"]

    def rescored(self, number: int) -> "Tried":
        """The same against one of the other targets."""
        return Tried(self.candidates, self.others[number], self.counted, self.others[:0])

    def only(self, sites: Collection[str], forms: Collection[Form]) -> "Tried":
        """The candidates of these sites and forms."""
        kept = [k for k, (site, form) in enumerate(self.candidates) if site in sites and form in forms]
        return Tried(tuple(self.candidates[k] for k in kept), self.scores[kept], self.counted[kept], self.others[:, kept])


def transplants(
    inside: Inside,
    design: Design,
    exchange: Exchange,
    *,
    random: Generator | None = None,
    others: Sequence[Tensor] = (),
) -> Tried:
    """Try every form at every site; with `random` in random subspaces instead of the part's own, drawn from this generator.

    `others`: further targets to score the outputs against. These are not kept: of an image network they take more memory than
    all states.
    """
    observed = inside.observed
    fold = observed.fold[exchange.base]
    moved = design.moved(exchange.base, exchange.source)
    askable = design.determined(moved, fold)
    whole = askable & design.determined(design.table[exchange.base] + moved, fold)
    candidates: list[tuple[str, Form]] = []
    scores, counted = [], []
    for number, (site, states) in enumerate(inside.states.items()):
        report(f"at {site}", number / len(inside.states))
        weights, effects = inside.weights[site], design.effects(states)
        basis = Basis.of(effects[:, : design.num_own], weights)
        if random is not None:
            basis = basis.random(states, weights, generator=random)
        for form, patched in exchanged(states, effects, basis, design, exchange.base, exchange.source, fold).items():
            candidates.append((site, form))
            output = inside.outputs(site, patched, exchange.base)
            scores.append(torch.stack([observed.objective.score(output, targets) for targets in (exchange.targets, *others)]))
            counted.append((whole if form == "prototypes" else askable) & inside.natural(site, patched))
    against = torch.stack(scores, 1)
    return Tried(tuple(candidates), against[0], torch.stack(counted), against[1:])


@dataclass(frozen=True)
class Chosen:
    """What the rule chose: for every fold the number of a candidate, -1 where none was eligible; and for every pair its score
    there and whether it counts."""

    candidates: tuple[int, ...]
    scores: Float[Tensor, " p"]
    counted: Bool[Tensor, " p"]


def choose(tried: Tried, fold: Int[Tensor, " p"], wanted: Bool[Tensor, " p"], *, num_folds: int) -> Chosen:
    """Apply the rule to the wanted pairs (those that lead to novel combinations, or the others)."""
    of_fold = (fold == torch.arange(num_folds)[:, None]) & wanted
    valid = (tried.counted & wanted).float()
    number = valid.sum(1, keepdim=True) - valid @ of_fold.T.float()  # of the pairs of all other folds
    total = (tried.scores * valid).sum(1, keepdim=True) - (tried.scores * valid) @ of_fold.T.float()
    eligible = (number > 0) & (number >= LEAST_NATURAL * (wanted.sum() - of_fold.sum(1)))
    means = (total / number.clamp(min=1)).where(eligible, -torch.inf)
    # Rounded, so that equal scores summed in another order stay equal and the first candidate wins.
    best = means.round(decimals=5).max(0) if len(means) else None
    if best is None:
        return Chosen((-1,) * num_folds, torch.zeros(len(fold)), torch.zeros(len(fold), dtype=torch.bool))
    picked = best.indices.where(best.values > -torch.inf, -1)
    own = picked[fold]
    pairs = torch.arange(len(fold))
    return Chosen(
        tuple(picked.tolist()),
        tried.scores[own, pairs],
        tried.counted[own, pairs] & (own >= 0) & wanted,
    )
