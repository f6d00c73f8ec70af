"""Likeness of two contexts: the cosine of their responses in every layer."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from assay.instrument import Metric, Values
from assay.instruments.fracture.answer import CONTEXTS
from assay.instruments.fracture.carried import Carried
from assay.instruments.fracture.coherence import Coherence
from assay.instruments.fracture.estimates import values_around
from assay.regularity import MOST_ELEMENTS, Regular, Regularity
from assay.responses import Layer, ReadNetwork, balanced, by_unit, overlap_of_rows

BETWEEN = {
    how: Metric(
        key=f"contexts_{how}", title=f"likeness of two contexts where it is {how}", unit="cosine of responses",
        better="neither", level=0, of="group of orbits", bounds=(-1.0, 1.0),
    )
    for how in ("least", "most")
}  # fmt: skip
ENTERING = Metric(
    key="contexts_entering", title="likeness of two contexts, inputs not in the balanced gauge", unit="cosine of responses",
    better="neither", level=0, of="group of orbits", bounds=(-1.0, 1.0),
)  # fmt: skip
_LIKENESS = {**BETWEEN, "entering": ENTERING}

COUNTS = 1e-4
"""A layer counts for the largest likeness from this share of the response energy on. Where large weights silence a copy, other
layers have 1e-6 of the energy; a module that gives a tenth of the output has 1e-3 (experiments/fracture/third_question.py)."""


def context_of(regular: Regular, regularity: Regularity) -> tuple[str, int]:
    """The context of a regularity: the one declared part that it changes, and the smallest number of values of this part in an
    orbit; `("", 0)` if it changes several parts or none, or a part with more than 64 values.

    Example::

        name, values = context_of(regular, regular.regularities[0])  # such as ("speaker", 3)
    """
    changed = {
        name: values for name, values in regular.examples.parts.items() if bool((values[regularity.rows] != values).any())
    }
    orbits, number, sizes = regularity.orbits().unique(return_inverse=True, return_counts=True)
    if len(changed) != 1 or not bool((sizes > 1).any()):
        return "", 0
    ((name, values),) = changed.items()
    if len(values.unique()) > MOST_ELEMENTS:
        return "", 0
    pairs = torch.stack([number, values], 1).unique(dim=0)
    different = pairs[:, 0].bincount(minlength=len(orbits))
    return name, int(different[sizes > 1].min())


def between_contexts(
    layers: Sequence[Layer], regularity: Regularity, context: Int[Tensor, " n"], groups: Int[Tensor, " n"]
) -> tuple[Float[Tensor, "g l k k"], Float[Tensor, "g l k k"]]:
    """For every group of examples, layer and pair of contexts: the overlap of the responses of examples that the regularity
    maps to each other, and their mean energy, both summed over examples."""
    values, side = context.unique(return_inverse=True)
    num, own = len(values), torch.arange(len(side))
    shape = (int(groups.max()) + 1, len(layers), num, num)
    overlaps, energies = torch.zeros(shape, dtype=torch.float64), torch.zeros(shape, dtype=torch.float64)
    for depth, layer in enumerate(layers):
        energy = overlap_of_rows(layer)
        for rows, outputs in zip(regularity.rows, regularity.outputs, strict=True):
            moved = (rows != own).nonzero()[:, 0]
            place = groups[moved], torch.full_like(moved, depth), side[moved], side[rows[moved]]
            overlaps.index_put_(place, overlap_of_rows(layer, rows, outputs)[moved], accumulate=True)
            energies.index_put_(place, ((energy + energy[rows]) / 2)[moved], accumulate=True)
    return overlaps, energies


def counted(
    energies: Float[Tensor, "l k k"], carries: Bool[Tensor, " l"]
) -> tuple[Bool[Tensor, "l k k"], Bool[Tensor, "l k k"]]:
    """Which layers and contexts count, and in which of these the layer has a notable share of the total energy. Every layer
    that carries part of the outputs counts: a shared module in the layer that responds most need not be shared elsewhere.

    **Arguments:** `energies`: response energies in the gauge of `counting`.
    """
    total, of_layer = energies.sum(), energies.sum((1, 2), keepdim=True)
    responds, loud = energies > COUNTS**2 * of_layer, of_layer >= COUNTS * total
    return responds & (carries[:, None, None] | loud), responds & loud


def least_and_most(
    cosines: tuple[Float[Tensor, "l k k"], Float[Tensor, "l k k"], Float[Tensor, "l k k"]],
    counts: tuple[Bool[Tensor, "l k k"], Bool[Tensor, "l k k"]],
    reads: Bool[Tensor, " l"],
) -> Mapping[str, float]:
    """The smallest and the largest cosine of two contexts over all layers that count, and the smallest one with inputs as they
    are. Empty where nothing responds.

    Large weights that silence a copy dominate the response energy. Among the other, quiet layers, one that only reads the
    inputs for all copies is not a shared module, nor is one that adds up their outputs. Layers of the first kind are left out;
    for the others the mean of each context is subtracted from the inputs, after which a layer that adds up copies has nothing
    in common over contexts.

    **Arguments:** `cosines`: by layer, in the balanced gauge, with inputs as they are, and with the mean of each context
    subtracted from the inputs; `reads`: whether a layer only passes the inputs on.
    """
    (alike, given, within), (every, loud) = cosines, counts
    if not bool(every.any()):
        return {}
    shared = torch.cat([alike[loud], within[every & ~loud & ~reads[:, None, None]]])
    return {"least": float(alike[every].min()), "most": float(shared.max()), "entering": float(given[every].min())}


def counting(layer: Layer, outputs: Float[Tensor, "n c"] | None) -> Layer:
    """The layer in the gauge for comparing energies between layers: balanced, with centred inputs, and outputs in units of
    their standard deviation, so that neither a mean that a bias can absorb nor the unit of an output counts.

    **Arguments:** `outputs`: None for logits, which share one unit.
    """
    layer = entering(layer)
    if outputs is not None:
        size = outputs.double().std(0, correction=0)
        layer = replace(layer, gradients=layer.gradients.double() * torch.where(size > 0, 1 / size, 0.0)[:, None, None, None])
    return balanced(layer)


def entering(layer: Layer, context: Int[Tensor, " n"] | None = None) -> Layer:
    """The layer with centred inputs, by the mean over all examples, which a bias can absorb, or by the mean of each context.

    A table with an entry for every example has the same output for all contexts, but inputs that have nothing in common. The
    balanced gauge weights directions of the input by their effect, so that such inputs coincide there; here they do not.
    """
    inputs = layer.inputs.double()
    if context is None:
        return replace(layer, inputs=inputs - inputs.mean((0, 1)))
    means = torch.stack([inputs[context == one].mean(0) for one in context.unique()])
    return replace(layer, inputs=inputs - means[context.unique(return_inverse=True)[1]])


def cosine(sums: tuple[Float[Tensor, "l k k"], Float[Tensor, "l k k"]]) -> Float[Tensor, "l k k"]:
    """The cosine of two contexts by layer, from overlaps and energies; 0 where nothing responds."""
    overlaps, energies = sums
    return torch.where(energies > 0, overlaps / energies, 0.0).clamp(-1, 1)


def likeness(
    gauged: Sequence[Layer],
    read: ReadNetwork,
    regular: Regular,
    groups: Int[Tensor, " n"],
    hangs: Carried,
    *,
    logits: bool,
) -> list[Values]:
    """The smallest and the largest likeness of two contexts, for every regularity that exchanges at least three.

    **Arguments:** `gauged`: the layers of `read` in the balanced gauge; `hangs`: the dependence of the outputs on layers.
    """
    asked = [(regularity, *context_of(regular, regularity)) for regularity in regular.regularities]
    asked = [(regularity, name) for regularity, name, num in asked if num >= CONTEXTS]
    if not asked:
        return []
    gauges = [
        gauged,
        [entering(layer) for layer in read.layers],
        [entering(by_unit(layer)) for layer in read.layers],
        [counting(layer, None if logits else read.outputs) for layer in read.layers],
    ]
    found = []
    for regularity, name in asked:
        context = regular.examples.parts[name]
        within = [entering(layer, context) for layer in read.layers]
        every = [between_contexts(one, regularity, context, groups) for one in (*gauges, within)]
        held = [[(both[0].sum(0), both[1].sum(0)) for both in every]]
        held += [
            [(both[0].sum(0) - both[0][group], both[1].sum(0) - both[1][group]) for both in every]
            for group in range(len(every[0][0]))
        ]
        whole, *left = [
            # With inputs as they are, the first is unchanged by a rotation, and the second by rescaling.
            least_and_most(
                (cosine(balance), torch.maximum(cosine(plain), cosine(units)), cosine(own)),
                counted(sizes[1], hangs.of_layers()),
                hangs.reads,
            )
            for balance, plain, units, sizes, own in held
        ]
        about = {"regularity": regularity.name, "context": name}
        found += [
            values_around(metric, about, whole.get(how), [one.get(how) for one in left]) for how, metric in _LIKENESS.items()
        ]
    return [one for one in found if one is not None]


def settings_of(
    regular: Regular, found: Mapping[str, Coherence], declared: Mapping[str, int]
) -> Mapping[str, str | int | float | None]:
    """For every regularity its context, the number of its values in an orbit and in the task, and the share of the outputs'
    variance with the regularity (None if they do not vary).

    **Arguments:** `declared`: the number of values that the task declares for each part.
    """
    settings: dict[str, str | int | float | None] = {}
    for regularity in regular.regularities:
        name, num = context_of(regular, regularity)
        settings |= {f"context_{regularity.name}": name, f"contexts_{regularity.name}": num}
        given = len(regular.examples.parts[name].unique()) if name else 0
        settings[f"values_{regularity.name}"] = max(given, declared.get(name, 0))
        one = found[regularity.name]
        settings[f"outputs_{regularity.name}"] = one.of_outputs if one.varies else None
    return settings
