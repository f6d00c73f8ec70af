"""A pattern-producing network, with the response of its picture to every weight and those of untrained copies."""

from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from assay.bounds import check_whole, is_file
from assay.data.genome_archive import genome_at
from assay.data.genomes import read_genome
from assay.display import brief
from assay.errors import AssayError
from assay.evidence import Interval
from assay.instruments.fracture.coherence import coherence
from assay.isolation import seeded
from assay.models.addresses import load_subject
from assay.models.cppn import Cppn, coordinates
from assay.models.evolved import dense, shape_of
from assay.progress import Progress, silent
from assay.regularity import Regularity
from assay.responses import overlap_of_weights, read_layers
from assay.stats import keyed_generator, mean_interval
from assay.subject import Subject

SIZE = 64
"""Pixels along a side on which responses are computed, as in docs/methods/fracture.md."""
COPIES = 5
MOST_WEIGHTS = 500_000
"""The most weights of a network on the page, ten times those of the largest published one."""


@dataclass(frozen=True)
class Responses:
    """Responses of the picture to every weight, one matrix `(j, i)` a layer.

    **Attributes:**

    - `size`: the root mean square change of a pixel (its length over three colours) for a change of 1 of the weight, to first
      order.
    - `kept`: the share of the squared change that flipping the columns keeps; NaN where nothing changes.
    - `whole`: that share over all weights; `interval`: its interval over pairs of pixels; None where nothing changes.
    - `of_picture`: the share of the picture's own variance that the flip keeps.
    """

    __repr__ = brief

    size: tuple[Float[Tensor, "_j _i"], ...]
    kept: tuple[Float[Tensor, "_j _i"], ...]
    whole: float | None
    interval: Interval | None
    of_picture: float


@dataclass(frozen=True)
class ExplorerDrawing:
    """A network, its responses, and those of untrained copies as their null.

    **Attributes:** `low`, `mean`, `high`: range and mean over copies of the share kept by the same weight; NaN where no copy
    has one.
    """

    __repr__ = brief

    name: str
    network: Cppn
    own: Responses
    copies: tuple[Responses, ...]
    low: tuple[Float[Tensor, "_j _i"], ...]
    mean: tuple[Float[Tensor, "_j _i"], ...]
    high: tuple[Float[Tensor, "_j _i"], ...]


def drawing_at(address: str, *, copies: int = COPIES, seed: int = 0, progress: Progress = silent) -> ExplorerDrawing:
    """The network at an address: the file of a genome (a zip, XML, or `FILE.json#NAME` of an archive), or an address that
    `load_subject` takes, such as the folder of a run that trained the model `cppn`, or `assay.models.evolved:skull`.

    **Raises:** `AssayError` as `read_genome` and `load_subject` do, and for another network than a `Cppn`.

    Example::

        drawing = drawing_at("assay.models.evolved:skull")
        print(drawing.own.whole)  # coherence over all weights
    """
    path, _, name = address.partition("#")
    archived = path.endswith((".json", ".json.gz"))
    if is_file(Path(address)) or (archived and name and is_file(Path(path))):
        genome = genome_at(address) if archived else read_genome(address)
        sizes = shape_of(genome)
        _check_size(sizes["depth"] * (sum(sizes.values()) - sizes["depth"]) ** 2, address)
        return drawing_of(dense(genome), name=Path(address).name, copies=copies, seed=seed, progress=progress)
    module = load_subject(address).module
    if not isinstance(module, Cppn):
        raise AssayError(
            "a network to explore must be a pattern-producing one, of the model cppn",
            given=f"{address}, a {type(module).__name__}",
            next_step="name a genome, assay.models.evolved:skull, or a run of `assay train picture:skull --model cppn`",
        )
    return drawing_of(module, name=Path(address).name, copies=copies, seed=seed, progress=progress)


def drawing_of(
    network: Cppn, *, name: str, copies: int = COPIES, seed: int = 0, progress: Progress = silent
) -> ExplorerDrawing:
    """The responses of a network and of `copies` untrained copies of it.

    **Raises:** `AssayError` for a network with too many weights for a page, and for one whose picture is not finite.
    """
    check_whole("copies of an explored network", copies, least=2, most=100)
    _check_size(sum(weight.numel() for weight in network.parameters()), name)
    own = _responses(network, name)
    found = []
    for copy in range(copies):
        progress(f"untrained copies of {name}", copy / copies)
        found.append(_responses(_fresh(network, seed, copy), name))
    stacks = [torch.stack([one.kept[depth] for one in found]) for depth in range(len(own.kept))]
    filled = [torch.where(stack.isnan(), torch.inf, stack) for stack in stacks]
    low = [torch.where(one.isinf(), torch.nan, one) for one in (stack.amin(0) for stack in filled)]
    high = [torch.where(one.isinf(), torch.nan, one) for one in (torch.where(s.isinf(), -torch.inf, s).amax(0) for s in filled)]
    return ExplorerDrawing(
        name, network, own, tuple(found), tuple(low), tuple(stack.nanmean(0) for stack in stacks), tuple(high)
    )


def _check_size(num: int, name: str) -> None:
    if num > MOST_WEIGHTS:
        raise AssayError(f"a network to explore must have at most {MOST_WEIGHTS:,} weights", given=f"{num:,} in {name}")


def _fresh(network: Cppn, seed: int, copy: int) -> Cppn:
    depth = sum(isinstance(layer, nn.Linear) for layer in network.layers) - 1
    with seeded(keyed_generator(seed, f"explore: copy {copy}")):
        return Cppn(depth=depth, **network.counts).eval()


def _responses(network: Cppn, name: str) -> Responses:
    subject, inputs = Subject(network), {"x": coordinates(SIZE).float()}
    if not bool(torch.isfinite(subject(inputs)).all()):
        raise AssayError("a network to explore must give finite colours", given=name, next_step="check its weights")
    read = read_layers(subject, inputs)
    flip = torch.arange(SIZE**2).reshape(SIZE, SIZE).flip(1).flatten()
    found = coherence(read.layers, read.outputs, Regularity.generated("flip of the columns", [flip], num_outputs=3))
    energies = [overlap_of_weights(layer) for layer in read.layers]
    # The mean over the identity and the flip.
    kept = [(own + overlap_of_weights(layer, flip)) / 2 for own, layer in zip(energies, read.layers, strict=True)]
    live = float(found.total.sum()) > 0
    return Responses(
        size=tuple((energy / SIZE**2).sqrt() for energy in energies),
        kept=tuple(torch.where(own > 0, part / own, torch.nan) for part, own in zip(kept, energies, strict=True)),
        whole=found.value if live else None,
        interval=mean_interval(found.units, bounds=(0.0, 1.0)) if live else None,
        of_picture=found.of_outputs,
    )
