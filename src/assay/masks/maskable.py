"""Maskable weights of any module: matrices and kernels, but not biases or scales of norms."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from torch import Tensor, nn

from assay.errors import AssayError

KINDS = "Linear, Conv1d, Conv2d, Embedding, MultiheadAttention and the Conv1D of Hugging Face"


@dataclass(frozen=True)
class Maskable:
    """A parameter that can be masked.

    **Attributes:**

    - `layer`: dotted name of its module; `module` itself.
    - `parameter`: dotted name of the parameter.
    - `weight`: the parameter.
    - `outputs`, `inputs`: the dimensions of the module's outputs and inputs; an embedding has no inputs.
    """

    layer: str
    module: nn.Module
    parameter: str
    weight: Tensor
    outputs: int
    inputs: int | None


def maskable(
    module: nn.Module, *, layers: Sequence[str] = ("*",), start: int = 0, embeddings: bool = True
) -> tuple[Maskable, ...]:
    """The maskable parameters of a module, in order of definition; a shared one once.

    **Arguments:**

    - `layers`: glob patterns of the names of modules.
    - `start`: number of matching modules, from the first, that are not masked.
    - `embeddings`: whether `Embedding` modules are included.

    **Raises:** `AssayError` when a pattern matches no maskable module, or none is left.
    """
    every = [item for item in _all(module) if embeddings or not isinstance(item.module, nn.Embedding)]
    names = list(dict.fromkeys(item.layer for item in every))
    if not names:
        raise AssayError(
            f"a mask needs a module with maskable weights: {KINDS}",
            given=f"{type(module).__name__} with none of them{'' if embeddings else ', embeddings left whole'}",
            next_step="give the network itself, or wrap its weights in one of these modules",
        )
    fitting = [name for name in names if any(fnmatchcase(name, pattern) for pattern in layers)]
    for pattern in layers:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise AssayError("a pattern must match a module with maskable weights", given=pattern, choices=names)
    chosen = set(fitting[start:])
    if not chosen:
        raise AssayError(
            "`start` must be less than the number of maskable modules",
            given=f"start {start} of {len(fitting)} modules",
            choices=fitting,
        )
    return tuple(item for item in every if item.layer in chosen)


def _all(module: nn.Module) -> Iterator[Maskable]:
    seen: set[int] = set()
    for layer, part in module.named_modules():
        for own, outputs, inputs in _of(part):
            weight = part._parameters.get(own)
            if weight is not None and id(weight) not in seen:
                seen.add(id(weight))
                yield Maskable(layer, part, f"{layer}.{own}" if layer else own, weight, outputs, inputs)


def _of(part: nn.Module) -> tuple[tuple[str, int, int | None], ...]:
    """Names of a module's own maskable parameters, with the dimensions of its outputs and inputs."""
    if isinstance(part, (nn.Linear, nn.Conv1d, nn.Conv2d)):
        return (("weight", 0, 1),)
    if isinstance(part, nn.Embedding):
        return (("weight", 1, None),)
    if isinstance(part, nn.MultiheadAttention):
        return tuple((name, 0, 1) for name in ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight"))
    if is_transposed(part):
        return (("weight", 1, 0),)
    return ()


def is_transposed(part: nn.Module) -> bool:
    """Whether a module is Hugging Face's Conv1D, a Linear with weight `(inputs, outputs)`."""
    return type(part).__name__ == "Conv1D" and type(part).__module__.startswith("transformers.")
