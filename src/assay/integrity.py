"""Integrity checks. Before an audit: outputs are repeatable, reading changes neither outputs nor weights, and the output for an
example does not depend on its batch. Afterwards: no instrument changed the weights."""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from tempfile import SpooledTemporaryFile
from typing import Any

import torch
from torch import Tensor, nn

from assay.attributes import changed_tensors, kept_tensors
from assay.errors import AssayError
from assay.isolation import seeded
from assay.site import Integrity, same_bits

ALONE = 3  # examples that are run without the others, in reverse order: at least two, so that batch statistics exist
ROUNDING, ROUNDING_HALF = 1e-3, 0.05  # relative to the largest output: another batch size is another order of sums
IN_MEMORY = 2**27  # bytes
_PLAIN = frozenset(vars(nn.Module()))
Attributes = Mapping[str, Mapping[str, Any]]
"""Attributes by module and name, other than weights, buffers, submodules and hooks."""


def attributes_of(module: nn.Module) -> Attributes:
    """Current attributes of every submodule. Collections are copied, their items are not."""

    def held(value: Any) -> Any:
        return copy.copy(value) if isinstance(value, (dict, list, set)) else value

    return {
        name: {key: held(value) for key, value in vars(part).items() if key not in _PLAIN}
        for name, part in module.named_modules()
    }


def integrity(
    module: nn.Module,
    run: Callable[[Mapping[str, Tensor]], Sequence[Tensor]],
    run_watched: Callable[[Mapping[str, Tensor]], Sequence[Tensor]],
    inputs: Mapping[str, Tensor],
    *,
    first: Attributes,
    num_sites: int,
) -> Integrity:
    """Run the examples plainly, again with other random draws, and while every site is read; run a few by themselves; compare
    outputs, weights and buffers.

    **Arguments:** `run`, `run_watched`: outputs of the examples, plainly and while every site is read; `first`: attributes of
    the module before its first run.
    """
    weights = _digests(module)
    with seeded(0):
        plain = run(inputs)
    kept = {name: value.clone() for name, value in kept_tensors(module).items()}
    with seeded(1):
        again = run(inputs)
    with seeded(0):
        watched = run_watched(inputs)
    repeatable = _same(plain, again)
    changed = changed_tensors(module, kept)
    alone, of_first = True, ()
    if repeatable and not changed:
        alone = _alike(plain, run, inputs)
        if alone:
            with _as_at_first(module, first) as since:
                of_first = () if _alike(plain, run, inputs) else since
    return Integrity(
        outputs_repeatable=repeatable,
        outputs_identical=_same(plain, watched),
        outputs_alone=alone and not of_first,
        weights_identical=weights == _digests(module),
        num_examples=len(next(iter(inputs.values()))),
        num_sites=num_sites,
        kept=changed or of_first,
    )


@contextmanager
def weights_kept(module: nn.Module, name: str) -> Iterator[None]:
    """Context after which parameters have their values of before. (`undisturbed` restores buffers, which a forward may change.)
    Copies of more than `IN_MEMORY` bytes are kept on disk.

    **Arguments:** `name`: of the instrument that runs in the context.

    **Raises:** `AssayError` naming the instrument and the parameters that it changed.
    """
    before = {key: value for key, value in module.named_parameters() if not value.is_meta}
    with SpooledTemporaryFile(max_size=IN_MEMORY) as file:
        digests = {}
        for key, value in before.items():
            digests[key] = sha256(raw := _bytes(value)).digest()
            file.write(raw)
        changed = []
        try:
            yield
        finally:
            place = 0
            for key, value in before.items():
                owner, _, leaf = key.rpartition(".")
                if sha256(raw := _bytes(value)).digest() != digests[key]:
                    file.seek(place)
                    with torch.no_grad():
                        old = torch.frombuffer(bytearray(file.read(len(raw))), dtype=torch.uint8)
                        value.copy_(old.view(value.dtype).view(value.shape))
                    changed.append(key)
                if (parameters := module.get_submodule(owner)._parameters).get(leaf) is not value:
                    parameters[leaf] = value
                    changed.append(key)
                place += len(raw)
        if changed:
            raise AssayError(
                f"{name} must leave the network's weights as they are",
                given=f"it changed {', '.join(dict.fromkeys(changed))}, which were restored",
                next_step="let the instrument work on a copy: `assay.attributes.copied(network.module)`",
            )


def _bytes(tensor: Tensor) -> Any:  # an array, which numpy's types do not declare a buffer
    return tensor.detach().cpu().flatten().contiguous().view(torch.uint8).numpy()


def _digests(module: nn.Module) -> dict[str, bytes]:
    """Digest of every weight and buffer, which takes less memory than a copy."""
    return {name: sha256(_bytes(value)).digest() for name, value in module.state_dict().items() if not value.is_meta}


def _same(some: Sequence[Tensor], others: Sequence[Tensor]) -> bool:
    return len(some) == len(others) and all(same_bits(*pair) for pair in zip(some, others, strict=True))


def _alike(
    plain: Sequence[Tensor], run: Callable[[Mapping[str, Tensor]], Sequence[Tensor]], inputs: Mapping[str, Tensor]
) -> bool:
    """Whether a few examples run by themselves have the outputs that they have among the others, up to rounding. Outputs
    without one row per example, or padded to another length, are not compared."""
    num = len(next(iter(inputs.values())))
    rows = torch.linspace(num - 1, 0, min(ALONE, num)).round().long()
    if num < 2:
        return True
    try:
        with seeded(0):
            found = run({name: value[rows] for name, value in inputs.items()})
    except AssayError:  # it cannot run on so few, or without its first attributes
        return True
    for own, few in zip(plain, found, strict=False):
        if len(own) != num or len(few) != len(rows) or own.shape[1:] != few.shape[1:]:
            continue
        if not own.is_floating_point() or not own.numel():
            continue
        wanted = own[rows].nan_to_num()
        most = ROUNDING_HALF if own.dtype.itemsize < 4 else ROUNDING
        if (few.nan_to_num() - wanted).abs().max() > most * wanted.abs().max():
            return False
    return True


@contextmanager
def _as_at_first(module: nn.Module, first: Attributes) -> Iterator[tuple[str, ...]]:
    """Context in which the module has its attributes of before its first run, such as no statistics of its first batch; the
    present ones are restored afterwards. Yields the names of those that differ."""
    now = attributes_of(module)
    since = []
    for name, part in module.named_modules():
        before = first.get(name, {})
        since += [f"{name}.{key}" if name else key for key, value in now[name].items() if before.get(key) is not value]
        _set(part, before)
    try:
        yield tuple(since)
    finally:
        for name, part in module.named_modules():
            _set(part, now[name])


def _set(part: nn.Module, attributes: Mapping[str, Any]) -> None:
    for key in [key for key in vars(part) if key not in _PLAIN and key not in attributes]:
        del vars(part)[key]
    vars(part).update(attributes)
