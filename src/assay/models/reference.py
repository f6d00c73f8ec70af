"""Reference networks: built to fit a task, and rebuilt from their configuration."""

import dataclasses
import inspect
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Generator, nn

from assay.bounds import check_real, check_whole
from assay.errors import AssayError
from assay.isolation import seeded
from assay.models import NAMES
from assay.models.active import keep_active
from assay.models.causal import CausalTransformer
from assay.models.cnn import ConvNet
from assay.models.cppn import ACTIVATIONS, Cppn
from assay.models.encoder_decoder import EncoderDecoder
from assay.models.gru import TokenGRU
from assay.models.language_model import LanguageModel
from assay.models.meta import only_shapes
from assay.models.mlp import TokenMLP, VectorMLP
from assay.models.odd_one_out import EncodedImages, EncodedTokens, EncodedVectors
from assay.models.set_transformer import SetTransformer
from assay.models.slot_attention import ConvAutoencoder, SlotAutoencoder
from assay.models.transformer import Transformer
from assay.models.variants import VARIANTS, vary
from assay.models.vision_transformer import VisionTransformer
from assay.objective import Stepwise
from assay.task import Image, InputSpec, Items, Pixels, SourceToTarget, Task, Tokens, TokenSequence, Vector, VectorSequence

Option = int | float
_Kind = tuple[type, ...]
"""Kind of an input: its type, and after `Items` that of one item."""
_FITTING: dict[str, dict[_Kind, type[nn.Module]]] = {
    "mlp": {(Tokens,): TokenMLP, (Vector,): VectorMLP, (VectorSequence,): VectorMLP, (Items, Vector): EncodedVectors},
    "transformer": {(Tokens,): Transformer, (TokenSequence,): LanguageModel, (Items, Tokens): EncodedTokens},
    "gru": {(Tokens,): TokenGRU},
    "encoder-decoder": {(SourceToTarget,): EncoderDecoder},
    "causal": {(SourceToTarget,): CausalTransformer},
    "cnn": {(Image,): ConvNet, (Items, Image): EncodedImages},
    "cppn": {(Pixels,): Cppn},
    "slot-attention": {(Image,): SlotAutoencoder},
    "conv-autoencoder": {(Image,): ConvAutoencoder},
    "vit": {(Image,): VisionTransformer},
    "set-transformer": {(Image,): SetTransformer},
}
_INPUTS: dict[_Kind, str] = {
    (Tokens,): "tokens",
    (TokenSequence,): "tokens that are answered one by one",
    (Vector,): "a vector",
    (VectorSequence,): "a sequence of vectors",
    (SourceToTarget,): "a source and a target sequence",
    (Image,): "an image",
    (Pixels,): "coordinates of pixels",
    (Items, Tokens): "four items of tokens",
    (Items, Vector): "four vectors",
    (Items, Image): "four images",
}
_OF_ANY = ("init_scale", "active", *VARIANTS)
"""Options of every model."""
assert tuple(_FITTING) == NAMES
assert all(  # a recorded model is identified by the names of its options
    len({frozenset(inspect.signature(model).parameters) for model in fitting.values()}) == len({*fitting.values()})
    for fitting in _FITTING.values()
)
MOST_WEIGHTS = 100_000_000
"""The most weights of a reference model: with its gradient and the optimiser's state 1.6 GB. The largest that we train has a
million."""
MOST_LAYERS = 256
"""Modules are made one by one, so the depth bounds the time to build."""
_MOST_SIZE = 2**31  # bound of any other option, so that no product overflows 64 bits; weights are bounded too


@dataclass(frozen=True)
class ModelConfig:
    """Configuration that rebuilds a model without its task.

    **Attributes:**

    - `name`: one of `assay.models.NAMES`.
    - `options`: every size, including those fixed by the task, `init_scale`, and, where given, `active` and the variants.
    """

    name: str
    options: Mapping[str, Option]


def default_name(task: Task) -> str:
    """The model that suits the task's input. **Raises:** `AssayError` where none does."""
    names = [name for name, fitting in _FITTING.items() if _kind(task.input_spec) in fitting]
    if not names:
        raise AssayError(
            f"{task.address} takes inputs that no reference model accepts",
            next_step="train a module of your own and give it as package.module:factory@weights.safetensors",
        )
    return names[0]


def size_names() -> tuple[str, ...]:
    """All size options of reference models."""
    factories = [factory for fitting in _FITTING.values() for factory in fitting.values()]
    return tuple(dict.fromkeys([*(size for factory in factories for size in _sizes(factory)), *_OF_ANY]))


def build(name: str, task: Task, *, generator: Generator, **sizes: Option) -> nn.Module:
    """A freshly initialised model for the task, in training mode: `rebuild(configure(name, task, **sizes))`.

    Example::

        >>> from assay.models import build
        >>> task = assay.load_task("modular-addition:p=7")
        >>> network = build("transformer", task, generator=torch.Generator().manual_seed(0), depth=1, width=32)
        >>> network(tokens=torch.tensor([[3, 9]])).shape  # logits of the seven sums
        torch.Size([1, 7])
    """
    return rebuild(configure(name, task, **sizes), generator=generator)


def configure(name: str, task: Task, **sizes: Option) -> ModelConfig:
    """The configuration of a model that fits the task.

    **Arguments:**

    - `name`: `mlp`, `transformer`, `gru`, `encoder-decoder`, `causal`, `cnn`, `cppn`, `slot-attention`, `conv-autoencoder`,
      `vit` or `set-transformer`.
    - `sizes`: `width`, `depth`, for the transformers `heads`, and `init_scale` (default 1), which multiplies every initial
      weight matrix; `active`: the share of units that stay active (`assay.models.active`), all by default; `sinks`, `rms` and
      `bigram`: 1 for that change to the architecture (`assay.models.variants`).

    **Raises:** `AssayError` for an unknown name or size, and when the model does not take the task's input or give its
    output.
    """
    if name not in _FITTING:
        raise AssayError("there is no such reference model", given=name, choices=NAMES)
    fitting = _FITTING[name]
    spec, kind = task.input_spec, _kind(task.input_spec)
    if kind not in fitting:
        suited = [other for other in NAMES if kind in _FITTING[other]]
        takes = _INPUTS.get(kind, "inputs of its own")
        raise AssayError(f"{task.address} takes {takes}, which this model does not accept", given=name, choices=suited)
    if isinstance(task.objective, Stepwise) != isinstance(spec, SourceToTarget | TokenSequence | VectorSequence):
        raise AssayError(
            "a model that reads one input answers with one vector, one that reads a sequence of them or a source answers with "
            "a sequence",
            given=f"{name} for {task.address}",
            next_step="train a module of your own and give it as package.module:factory@weights.safetensors",
        )
    known = [*_sizes(fitting[kind]), *_OF_ANY]
    for size, value in sizes.items():
        if size not in known:
            raise AssayError(f"{name} has no such size", given=size, choices=known)
        _check_option(name, size, value)
    assert spec is not None
    sizes = {**_sizes(fitting[kind]), "init_scale": 1.0, **sizes}
    return ModelConfig(name, {**_fixed(fitting[kind], spec, task), **sizes})


def rebuild(config: ModelConfig, *, generator: Generator) -> nn.Module:
    """A configured model whose initial weights are a function of `generator` alone.

    **Raises:** `AssayError` when the options fit no model, and when it would have more than `MOST_WEIGHTS` weights, which are
    counted before any is allocated.
    """
    options = dict(config.options)
    for option, value in options.items():
        _check_option(config.name, option, value)
    scale, active = options.pop("init_scale", 1.0), options.pop("active", 1.0)
    variants = [name for name in VARIANTS if options.pop(name, 0)]
    for factory in _FITTING.get(config.name, {}).values():
        if set(options) == set(inspect.signature(factory).parameters):
            break
    else:
        raise AssayError(
            "a recorded model must be one that this version can build", given=f"{config.name} {options}", choices=NAMES
        )
    _check_weights(config.name, factory, options)
    with seeded(generator):
        module = factory(**options)
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.ndim >= 2:
                parameter.mul_(scale)
    for variant in variants:
        vary(module, variant)
    if active < 1:
        keep_active(module, active)
    return module


def _check_option(name: str, option: str, value: object) -> None:
    what = f"{name}: {option}"
    if option in VARIANTS:
        check_whole(what, value, least=0, most=1)
    elif option in _OF_ANY:
        check_real(what, value, above=0.0)
        if option == "active" and not value <= 1:  # pyrefly: ignore[unsupported-operation]
            raise AssayError(f"{what} is the share of units that stay active, at most 1", given=value)
    else:
        # Numbers of units per activation may be 0: a layer may lack an activation.
        least = 0 if option in ACTIVATIONS else 1
        check_whole(what, value, least=least, most=MOST_LAYERS if option == "depth" else _MOST_SIZE)


def _check_weights(name: str, factory: type[nn.Module], options: Mapping[str, Option]) -> None:
    """Count the weights on the meta device, where nothing is allocated."""
    try:
        with only_shapes():
            count = sum(parameter.numel() for parameter in factory(**options).parameters())
    except RuntimeError:  # torch overflows 64 bits
        count = 2**63
    if count > MOST_WEIGHTS:
        sizes = ", ".join(f"{option} {value:,}" for option, value in options.items())
        raise AssayError(
            f"{name}: a reference model has at most {MOST_WEIGHTS:,} weights",
            given=f"{count:,} or more, of {sizes}",
            next_step="choose a smaller width or depth, or a task with fewer values",
        )


def _kind(spec: InputSpec | None) -> _Kind:
    return (Items, type(spec.of)) if isinstance(spec, Items) else (type(spec),)


def _fixed(factory: type[nn.Module], spec: InputSpec, task: Task) -> dict[str, Option]:
    """The options that the task fixes, among those of the model."""
    decided = {**dataclasses.asdict(spec.of if isinstance(spec, Items) else spec), "num_outputs": task.objective.width()}
    return {name: value for name, value in decided.items() if name in inspect.signature(factory).parameters}


def _sizes(factory: type[nn.Module]) -> dict[str, Option]:
    """The options that the user sets, with their defaults."""
    parameters = inspect.signature(factory).parameters.values()
    return {parameter.name: parameter.default for parameter in parameters if parameter.default is not parameter.empty}
