"""Exact first-order responses (derivatives) of the outputs to every weight at once.

For a linear layer with inputs a and pre-activations z the derivative of output c by the weight from i to j is sum_t a_i(t) dy_c
/ dz_j(t), over the positions t at which an example uses the weight. Both factors come from one forward pass and one backward
pass for each output, so no weight is perturbed. Sums are in double precision.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn
from torch.nn import functional as F

from assay.attributes import kept_tensors
from assay.bounds import MOST_CELLS
from assay.display import brief
from assay.errors import AssayError
from assay.subject import Inputs, Subject

_CHUNK = 2**24  # numbers in one block of responses
_SMALL = 1e-12  # share of the largest eigenvalue below which a direction is unused


@dataclass(frozen=True)
class Layer:
    """One weight matrix and the two factors of its responses.

    **Attributes:**

    - `name`: of the module.
    - `weight`: `(j, i)`, with a bias as the last column. In a convolution i runs over channels and kernel positions.
    - `inputs`: `(n, t, i)`, with a 1 for the bias, at each of the t positions where an example uses the weights.
    - `gradients`: `(c, n, t, j)`, derivatives of each output by the layer's pre-activations.
    """

    __repr__ = brief

    name: str
    weight: Float[Tensor, "j i"]
    inputs: Float[Tensor, "n t i"]
    gradients: Float[Tensor, "c n t j"]

    def take(self, rows: Int[Tensor, " r"]) -> "Layer":
        """The layer with the chosen examples only."""
        return replace(self, inputs=self.inputs[rows], gradients=self.gradients[:, rows])


@dataclass(frozen=True)
class ReadNetwork:
    """Layers of a network, its outputs `(n, c)`, and names and sizes of the weights whose responses are not read: parameters
    outside these layers or without effect on any output, such as those run without gradients, and the tensors of
    `constants`."""

    __repr__ = brief

    layers: tuple[Layer, ...]
    outputs: Float[Tensor, "n c"]
    unread: Mapping[str, int]


def read_layers(subject: Subject, inputs: Inputs, *, centred: bool = False) -> ReadNetwork:
    """All linear layers and convolutions of a network with their responses on these inputs.

    **Arguments:** `centred`: whether to centre responses over outputs, since a common shift of logits means nothing.

    **Raises:** `AssayError` for a network without such layers, and for more gradients than fit into memory.

    Example::

        found = read_layers(subject, {"x": coordinates(64).float()})
        energy = overlap_of_weights(found.layers[0])  # (outputs of the layer, inputs of the layer)
    """
    modules = {name: module for name, module in subject.module.named_modules() if isinstance(module, nn.Linear | nn.Conv2d)}
    known = subject.places(inputs)
    modules = {name: module for name, module in modules.items() if {f"{name}:in", f"{name}:out"} <= known}
    outputs = subject(inputs)
    num = len(outputs)
    flat = outputs.flatten(1) if outputs.ndim > 1 else outputs[:, None]
    width = sum(_outgoing(module) for module in modules.values())
    if num * flat.shape[1] * width > MOST_CELLS:
        raise AssayError(
            f"responses must have at most {MOST_CELLS:,} gradients",
            given=f"{num:,} examples, {flat.shape[1]:,} outputs and {width:,} units",
            next_step="choose a lower effort or a network with fewer outputs",
        )
    if not modules:
        raise AssayError(
            "a network must have linear layers or convolutions inside it, as modules that its forward calls",
            given=type(subject.module).__name__,
            next_step="put a single layer into torch.nn.Sequential",
        )
    entering = subject.read(inputs, [f"{name}:in" for name in modules])
    own = [name for name, module in modules.items() if type(module) not in (nn.Linear, nn.Conv2d)]
    given = subject.read(inputs, [f"{name}:out" for name in own])
    for name in own:
        if not _is_its_map(modules[name], entering[f"{name}:in"], given[f"{name}:out"]):
            del modules[name]  # it has its own forward, such as an adapter: its weights are not read
    leaving: dict[str, Tensor] = {}
    for k, direction in enumerate(torch.eye(flat.shape[1], dtype=outputs.dtype)):
        weighted = (direction - direction.mean() if centred else direction).expand(num, -1).reshape(outputs.shape)
        found = subject.gradients(inputs, [f"{name}:out" for name in modules], weighted)
        for name in modules:
            of_output = found[f"{name}:out"]
            leaving.setdefault(name, of_output.new_empty(flat.shape[1], *of_output.shape))[k] = of_output
    every = [_layer(name, module, entering[f"{name}:in"], leaving[name]) for name, module in modules.items()]
    layers = tuple(_tied([layer for layer in every if layer.inputs.shape[1]], modules))
    live = [modules[layer.name] for layer in layers if bool((layer.gradients != 0).any())]
    apart = _biases_apart(modules.values())
    held = {id(weight) for module in live for weight in module.parameters(recurse=False)} - apart
    unread = {name: weight.numel() for name, weight in subject.module.named_parameters() if id(weight) not in held}
    unread |= {name: values.numel() for name, values in constants(subject.module).items()}
    return ReadNetwork(layers, flat - flat.mean(1, keepdim=True) if centred else flat, unread)


def _is_its_map(module: nn.Module, entering: Tensor, given: Tensor) -> bool:
    """Whether the output of a module of a subclass is the linear map of its weight and bias."""
    weight, bias = getattr(module, "weight").detach(), getattr(module, "bias", None)  # noqa: B009
    try:
        if isinstance(module, nn.Conv2d):
            expected = module._conv_forward(entering.flatten(0, -4), weight, bias).reshape(given.shape)
        else:
            expected = F.linear(entering, weight, bias)
    except RuntimeError:  # its weight does not fit its input
        return False
    return expected.shape == given.shape and bool(
        torch.allclose(expected, given, rtol=1e-3, atol=1e-4 * float(given.abs().max()))
    )


def _tied(layers: Sequence[Layer], modules: Mapping[str, nn.Module]) -> list[Layer]:
    """Layers with weight tying merged into one layer, with the positions of all of them. If their biases differ, biases are not
    read."""
    groups: dict[int | str, list[Layer]] = {}
    apart = _biases_apart(modules.values())
    for layer in layers:
        weight, bias = (getattr(modules[layer.name], name, None) for name in ("weight", "bias"))
        # A weight computed at each call has no lasting id.
        own = id(weight) if isinstance(weight, nn.Parameter) else layer.name
        if id(bias) in apart:
            layer = replace(layer, weight=layer.weight[:, :-1], inputs=layer.inputs[..., :-1])
        groups.setdefault(own, []).append(layer)
    return [
        one
        if not more
        else replace(
            one,
            inputs=torch.cat([layer.inputs for layer in (one, *more)], 1),
            gradients=torch.cat([layer.gradients for layer in (one, *more)], 2),
        )
        for one, *more in groups.values()
    ]


def _biases_apart(modules: Collection[nn.Module]) -> set[int]:
    """Ids of the biases of layers that share a weight but not the bias."""
    biases: dict[int, set[int]] = {}
    for module in modules:
        if isinstance(weight := getattr(module, "weight", None), nn.Parameter):
            biases.setdefault(id(weight), set()).add(id(getattr(module, "bias", None)))
    return {bias for those in biases.values() if len(those) > 1 for bias in those} - {id(None)}


def constants(module: nn.Module) -> Mapping[str, Tensor]:
    """Tensors by name that may act as weights without being parameters: buffers and plain attributes, also of modules in plain
    lists, with real or one-byte (quantised) values. Normalisation statistics, and tensors that a layer computes from its
    parameters, are left out."""
    weights = dict(module.named_parameters())
    statistics = (
        values
        for inside in module.modules()
        if isinstance(inside, nn.modules.batchnorm._NormBase)
        for values in inside.buffers(recurse=False)
    )
    own = {values.data_ptr() for values in (*weights.values(), *statistics)}
    return {
        name: values
        for name, values in kept_tensors(module, plain=True).items()
        if (values.is_floating_point() or values.is_complex() or values.dtype in (torch.int8, torch.uint8))
        and values.data_ptr() not in own
        and not {f"{name}_v", f"{name}_orig"} & weights.keys()
    }


def _outgoing(module: nn.Module) -> int:
    return module.out_features if isinstance(module, nn.Linear) else getattr(module, "out_channels")  # noqa: B009


def _layer(name: str, module: nn.Module, entering: Tensor, gradients: Tensor) -> Layer:
    if isinstance(module, nn.Conv2d):
        if module.groups != 1 or module.padding_mode != "zeros" or isinstance(module.padding, str):
            raise AssayError(
                "responses need convolutions with one group, zero padding, and padding given as a number",
                given=f"{name}: {module}",
            )
        images = entering.flatten(0, -4)
        unfolded = F.unfold(images, module.kernel_size, module.dilation, module.padding, module.stride).transpose(1, 2)
        inputs = unfolded.unflatten(0, entering.shape[:-3])
        gradients = gradients.movedim(-3, -1)
    else:
        inputs = entering
    inputs = (inputs if inputs.ndim > 2 else inputs[:, None]).flatten(1, -2)
    gradients = (gradients if gradients.ndim > 3 else gradients[:, :, None]).flatten(2, -2)
    weight = getattr(module, "weight").detach().flatten(1).cpu()  # noqa: B009
    bias = getattr(module, "bias", None)
    if bias is not None:
        weight = torch.cat([weight, bias.detach().cpu()[:, None]], 1)
        inputs = torch.cat([inputs, inputs.new_ones(*inputs.shape[:-1], 1)], -1)
    return Layer(name, weight.double(), inputs, gradients)


# Overlaps


def overlap_of_weights(
    layer: Layer,
    rows: Int[Tensor, " n"] | None = None,
    outputs: Int[Tensor, " c"] | None = None,
    *,
    within: Shaped[Tensor, "*k n c"] | None = None,
) -> Float[Tensor, "*k j i"]:
    """For every weight the sum over examples p and outputs c of its response times that for example `rows[p]` and output
    `outputs[c]`. The default is the sum of squares (the energy).

    **Arguments:** `within`: factors of the terms, such as a mask; leading dimensions give one sum each.
    """
    num_outputs, num, _, wide = layer.gradients.shape
    rows = torch.arange(num) if rows is None else rows
    outputs = torch.arange(num_outputs) if outputs is None else outputs
    factors = torch.ones(num, num_outputs, dtype=torch.float64) if within is None else within.double()
    used = positions_used(layer)
    a, g = layer.inputs[:, used].double(), layer.gradients[:, :, used].double()
    if len(used) == 1:
        pairs = a[:, 0] * a[rows, 0]
        return torch.einsum("...pc,cpj->...jp", factors, g[:, :, 0] * g[outputs][:, rows, 0]) @ pairs
    if len(used) < num_outputs:
        return _over_pairs_of_positions(a, g, rows, outputs, factors)
    found = []
    step = max(1, _CHUNK // max(1, num_outputs * num * a.shape[2]))
    for start in range(0, wide, step):
        own = torch.einsum("pti,cptj->cpji", a, g[..., start : start + step])
        found.append(torch.einsum("...pc,cpji->...ji", factors, own * own[outputs][:, rows]))
    return torch.cat(found, -2)


def positions_used(layer: Layer) -> Int[Tensor, " u"]:
    """Those at which some output responds to the layer for some example; a network that answers at its last position has
    layers that are used there alone."""
    responds = torch.zeros(layer.gradients.shape[2], dtype=torch.bool)
    for of_output in layer.gradients:
        responds |= of_output.abs().sum((0, 2)) != 0
    return responds.nonzero()[:, 0]


def _over_pairs_of_positions(
    a: Float[Tensor, "n t i"],
    g: Float[Tensor, "c n t j"],
    rows: Int[Tensor, " n"],
    outputs: Int[Tensor, " c"],
    factors: Float[Tensor, "*k n c"],
) -> Float[Tensor, "*k j i"]:
    """The same with the sum over outputs taken first: the product of two sums over positions is one over pairs of positions,
    of which there are fewer than outputs times positions where outputs are more than positions."""
    moved_a, moved_g = a[rows], g[outputs][:, rows]
    several = factors[None] if factors.ndim == 2 else factors.flatten(0, -3)
    found = a.new_zeros(len(several), g.shape[3], a.shape[2])
    step = max(1, _CHUNK // max(1, a.shape[1] ** 2 * (a.shape[2] + g.shape[3])))
    for k, weights in enumerate(several):
        for block in (weights != 0).any(1).nonzero()[:, 0].split(step):
            of_inputs = a[block, :, None] * moved_a[block, None]
            of_gradients = torch.einsum("pc,cptj,cpsj->ptsj", weights[block], g[:, block], moved_g[:, block])
            found[k] += of_gradients.flatten(0, 2).T @ of_inputs.flatten(0, 2)
    return found.reshape(*factors.shape[:-2], *found.shape[1:])


def overlap_of_rows(
    layer: Layer, rows: Int[Tensor, " n"] | None = None, outputs: Int[Tensor, " c"] | None = None
) -> Float[Tensor, " n"]:
    """The sum of these products over all weights, for each example. It is invariant under rotations of either side of the
    layer."""
    used = positions_used(layer)
    rows = torch.arange(len(layer.inputs)) if rows is None else rows
    a = layer.inputs[:, used].double()
    between, total = a @ a[rows].mT, a.new_zeros(len(a), len(used), len(used))
    for output, moved in enumerate(range(len(layer.gradients)) if outputs is None else outputs.tolist()):
        own, other = (layer.gradients[one][:, used].double() for one in (output, moved))
        total += own @ other[rows].mT
    return (between * total).sum((1, 2))


# Gauges


def by_unit(layer: Layer) -> Layer:
    """The layer with every unit, on either side, rescaled so that its activation and its gradient have equal mean squares.

    The result is invariant under rescaling of units between two layers, and an unused unit counts as 0 (the gauge of a balanced
    realisation, Moore 1981, unit by unit). It is not invariant under rotations.
    """
    scale_in, scale_out = _scales_of(layer)
    weight = layer.weight * scale_out[:, None] * _inverse(scale_in)
    return replace(layer, weight=weight, inputs=layer.inputs * scale_in, gradients=layer.gradients * _inverse(scale_out))


def energy_by_unit(layer: Layer) -> Float[Tensor, "j i"]:
    """What the energy of every weight is multiplied by in the gauge of `by_unit`."""
    scale_in, scale_out = _scales_of(layer)
    return _inverse(scale_out).square()[:, None] * scale_in.square()


def _scales_of(layer: Layer) -> tuple[Float[Tensor, " i"], Float[Tensor, " j"]]:
    """What `by_unit` multiplies activations by on either side."""
    return _unit_scales(layer.weight, _moment(layer.inputs), _moment_of_gradients(layer))


def _unit_scales(
    weight: Float[Tensor, "j i"], of_inputs: Float[Tensor, "i i"], of_gradients: Float[Tensor, "j j"]
) -> tuple[Float[Tensor, " i"], Float[Tensor, " j"]]:
    """From the second moments of inputs and gradients."""
    size_out = ((weight @ of_inputs) * weight).sum(1).clamp(min=0)
    pull_in = ((of_gradients @ weight) * weight).sum(0).clamp(min=0)
    return _ratio(pull_in, of_inputs.diagonal()), _ratio(of_gradients.diagonal(), size_out)


def _ratio(above: Tensor, below: Tensor) -> Tensor:
    """Fourth root of the ratio of two mean squares; 0 for units whose product is negligible beside that of the others."""
    product = above * below
    used = product > _SMALL**2 * product.max() if len(product) else product > 0
    return torch.where(used, above / torch.where(used, below, 1.0), 0.0).pow(0.25)


def _inverse(scale: Tensor) -> Tensor:
    return torch.where(scale > 0, 1 / torch.where(scale > 0, scale, 1.0), 0.0)


def balanced(layer: Layer) -> Layer:
    """The layer with both sides in the metric in which activations and gradients have equal second moments.

    Overlaps summed over weights are then invariant under any invertible linear map between two layers, such as a rotation of
    units with the identity or a rescaling of those with ReLU; unused directions count as 0. With A and G the second moments on
    one side, the metric is the geometric mean of A^-1 and G. Its weights are NaN, since no basis is chosen.
    """
    of_inputs, of_gradients = _moment(layer.inputs), _moment_of_gradients(layer)
    # By unit first, so that the threshold does not depend on the scales of units.
    scale_in, scale_out = _unit_scales(layer.weight, of_inputs, of_gradients)
    pull_out = _inverse(scale_out)
    weight = layer.weight * scale_out[:, None] * _inverse(scale_in)
    of_inputs, of_gradients = scale_in[:, None] * of_inputs * scale_in, pull_out[:, None] * of_gradients * pull_out
    into = scale_in[:, None] * _balancing(of_inputs, weight.T @ of_gradients @ weight)
    out = pull_out[:, None] * _balancing(of_gradients, weight @ of_inputs @ weight.T)
    gradients = torch.empty(layer.gradients.shape, dtype=torch.float64)
    for own, changed in zip(layer.gradients, gradients, strict=True):
        torch.matmul(own.double(), out, out=changed)
    return replace(layer, inputs=layer.inputs.double() @ into, gradients=gradients, weight=torch.full_like(weight, torch.nan))


def _moment(values: Tensor) -> Float[Tensor, "d d"]:
    flat = values.flatten(0, -2).double()
    return flat.T @ flat / max(1, len(flat))


def _moment_of_gradients(layer: Layer) -> Float[Tensor, "j j"]:
    """Over examples, positions and outputs, one output at a time, in memory for one."""
    found = torch.zeros(layer.gradients.shape[3], layer.gradients.shape[3], dtype=torch.float64)
    for of_output in layer.gradients:
        found += _moment(of_output)
    return found / max(1, len(layer.gradients))


def _balancing(own: Float[Tensor, "d d"], dual: Float[Tensor, "d d"]) -> Float[Tensor, "d d"]:
    """F with F F^T the geometric mean of the inverse of `own` and `dual`, on what `own` spans."""
    values, vectors = torch.linalg.eigh(own)
    used = values > _SMALL * values.sum()
    root = torch.where(used, values, 0.0).sqrt()
    white = vectors * _inverse(root)
    inside = (vectors * root).T @ dual @ (vectors * root)
    strengths, turn = torch.linalg.eigh((inside + inside.T) / 2)
    return white @ (turn * strengths.clamp(min=0).pow(0.25))
