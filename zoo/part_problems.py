"""Networks for odd-one-out problems on bits whose structure is known, to try out what looks for subnetworks.

All are `EncodedVectors` of one size, but for the rotated one, and all but the random one solve the task. Their names say what
they are; `NETWORKS` lists them.
"""

from collections.abc import Callable, Mapping
from functools import partial

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn

from assay.errors import AssayError
from assay.isolation import seeded
from assay.models import build
from assay.models.mlp import VectorMLP
from assay.models.odd_one_out import NUM_CODE, EncodedRows, EncodedVectors
from assay.stats import keyed_generator
from assay.subject import Subject
from assay.tasks.bit_parity import BitParity
from assay.training import TrainingConfig, TrainingData, fit, recommended

WIDTH = 128
_NUM_PROBLEMS = 20_000  # that each half of the block-diagonal network is trained on
_HALF = TrainingConfig(steps=500, batch_size=64, learning_rate=3e-3)


def part_problem_network(kind: str, seed: int) -> tuple[str, Subject]:
    """A network of that kind with its name; another one for every seed.

    **Raises:** `AssayError` listing the kinds on a miss.
    """
    if kind not in NETWORKS:
        raise AssayError("there is no such network for problems on bits", given=kind, choices=tuple(NETWORKS))
    task = BitParity()
    fresh = partial(fresh_rotated if kind == "rotated" else _fresh, task)
    name = f"{kind}, seed {seed}"
    return name, Subject(NETWORKS[kind](task, seed), name=name, fresh=fresh)


def trained(task: BitParity, seed: int) -> EncodedVectors:
    """Trained on problems that both parts decide."""
    model = _fresh(task, Generator().manual_seed(seed))
    fit(model, task, config=recommended("mlp", task, seed=seed))
    return model


def untrained(task: BitParity, seed: int) -> EncodedVectors:
    """Random weights: neither part is anywhere."""
    return _fresh(task, Generator().manual_seed(seed)).eval()


@torch.no_grad()
def block_diagonal(task: BitParity, seed: int) -> EncodedVectors:
    """Two networks side by side, each half as wide, that saw one half of the bits and one part's problems, joined: no weight
    leads from one to the other."""
    halves = [_half(task, k, seed) for k in (0, 1)]
    model = _fresh(task, Generator().manual_seed(seed))
    for layer, *given in zip(_linears(model.encoder), *map(_linears, halves), strict=True):
        layer.weight.copy_(torch.block_diag(*(half.weight for half in given)))
        layer.bias.copy_(torch.cat([half.bias for half in given]))
    return model.eval()


@torch.no_grad()
def lookup_table(task: BitParity, seed: int) -> EncodedVectors:
    """A unit for each of the 16 settings of the four bits that matter, and the code v for those that obey both parts, -v for
    the others.

    No weights can be removed so that one part alone is read: a unit that has lost one of its bits never fires, and of the
    settings that obey the part and break the other the code can be shortened to zero, but never turned round. The best that
    is left is right on .81 of such problems.
    """
    generator = keyed_generator(seed, "lookup table")
    model = _fresh(task, generator)
    first, second, third = _linears(model.encoder)
    for layer in (first, second, third):
        layer.weight.zero_()
        layer.bias.zero_()
    units, passed = (torch.randperm(WIDTH, generator=generator)[:16] for _ in range(2))
    settings = 2.0 * torch.cartesian_prod(*[torch.arange(2)] * 4) - 1
    obeyed = (settings[:, 0] == settings[:, 1]) & (settings[:, 2] == settings[:, 3])
    code = 2.0 * torch.randint(2, (NUM_CODE,), generator=generator) - 1
    first.weight[units[:, None], torch.tensor(task.pairs).flatten()] = settings
    first.bias[units] = -3.0  # only all four bits together reach 4
    second.weight[passed, units] = 1.0
    third.weight[:, passed] = code[:, None] * (2.0 * obeyed - 1)
    return model.eval()


def rotated_trained(task: BitParity, seed: int) -> EncodedRows:
    """The trained network of the same seed behind random rotations; see `rotated`."""
    return rotated(trained(task, seed), keyed_generator(seed, "rotation"))


@torch.no_grad()
def rotated(model: EncodedVectors, generator: Generator) -> EncodedRows:
    """The same function with every linear stream in another basis.

    Each layer W becomes two without a non-linearity between, W Q' after a random rotation Q, and the code is rotated, which
    no cosine sees. All weights become dense. The units behind each ReLU stay what they were, since no rotation passes it.
    """
    layers = list(_linears(model.encoder))
    made: list[nn.Module] = []
    for layer in layers:
        turn = _rotation(layer.in_features, generator)
        weight, bias = layer.weight.double() @ turn.T, layer.bias.double()
        if layer is layers[-1]:
            last = _rotation(layer.out_features, generator)
            weight, bias = last @ weight, last @ bias
        made += [_linear(turn, None), _linear(weight, bias), nn.ReLU()]
    return EncodedRows(nn.Sequential(*made[:-1])).eval()


NETWORKS: Mapping[str, Callable[[BitParity, int], EncodedRows]] = {
    "trained": trained,
    "block-diagonal": block_diagonal,
    "lookup table": lookup_table,
    "random": untrained,
    "rotated": rotated_trained,
}


def _fresh(task: BitParity, generator: Generator) -> EncodedVectors:
    model = build("mlp", task, generator=generator, width=WIDTH)
    assert isinstance(model, EncodedVectors)
    return model


def fresh_rotated(task: BitParity, generator: Generator) -> EncodedRows:
    """A random network behind random rotations: the untrained twin of a rotated one."""
    return rotated(_fresh(task, generator), generator)


def _half(task: BitParity, k: int, seed: int) -> VectorMLP:
    """Trained to read part k from its half of the bits, with codes of mean length 1, so that joined halves count alike."""
    columns = torch.arange(task.num_bits).tensor_split([task.num_bits // 2])[k]
    problems = task.reading(task.part_names[k], _NUM_PROBLEMS, pool="base", generator=keyed_generator(seed, f"half {k}"))
    items = problems.inputs["items"][..., columns]
    with seeded(keyed_generator(seed, f"weights of half {k}")):
        encoder = VectorMLP(num_features=len(columns), num_outputs=NUM_CODE // 2, width=WIDTH // 2)
    with torch.enable_grad():
        fit(EncodedRows(encoder), TrainingData({"items": items}, problems.targets, task.objective), config=_HALF)
    length = encoder(items[:1000, 0]).norm(dim=1).mean()
    last = _linears(encoder)[-1]
    last.weight /= length
    last.bias /= length
    return encoder


def _linears(encoder: nn.Module) -> list[nn.Linear]:
    return [layer for layer in encoder.modules() if isinstance(layer, nn.Linear)]


def _rotation(size: int, generator: Generator) -> Float[Tensor, "n n"]:
    """Uniform over the orthogonal group (Mezzadri 2007)."""
    basis, scale = torch.linalg.qr(torch.randn(size, size, generator=generator, dtype=torch.float64))
    return basis * scale.diagonal().sign()


@torch.no_grad()
def _linear(weight: Float[Tensor, "o i"], bias: Float[Tensor, " o"] | None) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
    layer.weight.copy_(weight)
    if bias is not None:
        layer.bias.copy_(bias)
    return layer
