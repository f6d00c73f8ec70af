"""Checks of a network and of its task's declaration before responses are computed."""

from torch import Generator

from assay.errors import AssayError
from assay.instrument import NotEnough
from assay.regularity import DeclaresRegularities, Regular
from assay.responses import ReadNetwork


def declared_by(task: DeclaresRegularities, n: int, generator: Generator) -> Regular:
    """The declaration of a task. **Raises:** `AssayError` if `regular` of the task returns another type."""
    found: object = task.regular(n, generator=generator)
    if not isinstance(found, Regular):
        raise AssayError(
            "`regular` of a task must give an assay.regularity.Regular",
            given=type(found).__name__,
            next_step="return Regular(examples, regularities, parts), without regularities where there are none",
        )
    return found


def finite(read: ReadNetwork) -> ReadNetwork:
    """Check outputs and responses. **Raises:** `NotEnough` if some are infinite or NaN."""
    if not bool(read.outputs.isfinite().all()):
        raise NotEnough("some outputs are infinite or NaN, so that there are no responses")
    for layer in read.layers:
        if not all(bool(one.isfinite().all()) for one in (layer.weight, layer.inputs, layer.gradients)):
            raise NotEnough(f"responses to weights of {layer.name} are infinite or NaN")
    return read


def check_outputs(read: ReadNetwork, regular: Regular) -> None:
    """Check the declaration. **Raises:** `AssayError` for a regularity or a part with another number of outputs than the
    network has."""
    num = read.outputs.shape[1]
    said = {
        f"the regularity {one.name!r} must say where each output goes": one.outputs.shape[1] for one in regular.regularities
    }
    for name, mask in regular.parts.items():
        if mask.shape[1] != 1:
            said[f"the part {name!r} must say of each output where it lies"] = mask.shape[1]
    for rule, width in said.items():
        if width != num:
            raise AssayError(
                rule,
                given=f"{width} outputs, and the network has {num}",
                next_step="correct `outputs` of the regularity, or the part, that the task declares",
            )
