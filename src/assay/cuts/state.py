"""State of a network at one cut: all that its rest depends on, with examples as the first dimension."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from assay.cuts.affine import HUGE
from assay.errors import AssayError

Number = int | float | complex | bool


@dataclass(frozen=True)
class State:
    """The tensors of one cut for `n` examples, on the CPU.

    **Attributes:**

    - `depth`: of the cut.
    - `values`: floating-point tensors `(n, ...)` by name, which may be patched. Complex ones have a last dimension of two.
    - `carried`: further tensors of the cut that are not patched: integers, booleans and masks `(n, ...)`.
    - `shared`: tensors without an example dimension.
    - `numbers`: numbers that the network has read from tensors into Python before the cut.
    - `shapes`: shape of one example of each input.

    Example::

        >>> network = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
        >>> inputs = {"input": torch.randn(10, 4)}
        >>> state = assay.Subject(network).cuts(inputs).read(inputs, 0)
        >>> flat = state.flat()
        >>> flat.shape, torch.equal(state.unflat(flat).flat(), flat)
        (torch.Size([10, 8]), True)
    """

    depth: int
    values: Mapping[str, Tensor]
    carried: Mapping[str, Tensor]
    shared: Mapping[str, Tensor]
    numbers: Mapping[str, Number]
    shapes: Mapping[str, tuple[int, ...]]

    def __len__(self) -> int:
        return len(next(iter([*self.values.values(), *self.carried.values()]), ()))

    def __getitem__(self, rows: slice | Sequence[int] | Tensor) -> "State":
        """The state of the chosen examples."""
        values, carried = ({name: value[rows] for name, value in some.items()} for some in (self.values, self.carried))
        return replace(self, values=values, carried=carried)

    def flat(self) -> Float[Tensor, "n features"]:
        """All values of an example in one row, in the order of `values`.

        Infinite entries, such as masked attention scores, are left out.

        **Raises:** `AssayError` where these differ between examples, and where the cut has no floating-point tensor.
        """
        parts = [_matrix(value) if usual is None else _matrix(value)[:, usual] for value, usual in self._parts()]
        return parts[0] if len(parts) == 1 else torch.cat(parts, 1)

    def unflat(self, matrix: Float[Tensor, "n features"]) -> "State":
        """The state whose `flat` is this matrix; carried tensors and masked entries are kept.

        With carried tensors the matrix must have a row for each example; else any number of rows.

        **Raises:** `AssayError` for a matrix of another size.
        """
        parts = self._parts()
        sizes = [_matrix(value).shape[1] if usual is None else int(usual.sum()) for value, usual in parts]
        rows = len(self) if self.carried else len(matrix)
        if matrix.shape != (rows, sum(sizes)):
            raise AssayError(
                "a matrix of states must have a row for each example and a column for each value",
                given=f"{tuple(matrix.shape)}, where {(rows, sum(sizes))} is needed",
                next_step="select the same rows of the state first, such as `state[:5].unflat(matrix)`" if self.carried else "",
            )
        values = {}
        for name, (value, usual), columns in zip(self.values, parts, matrix.split(sizes, 1), strict=True):
            whole = columns.to(value.dtype)
            if usual is not None:
                whole = _matrix(value)[:1].expand(rows, -1).clone() if len(value) else value.new_zeros(rows, len(usual))
                whole[:, usual] = columns.to(value.dtype)
            values[name] = whole.reshape(rows, *value.shape[1:])
        return replace(self, values=values)

    def _parts(self) -> list[tuple[Tensor, Tensor | None]]:
        """Each tensor with the mask of its finite entries, `None` where all are finite."""
        if not self.values:
            raise AssayError("a state can be a matrix only if the cut has floating-point tensors", given=list(self.carried))
        parts: list[tuple[Tensor, Tensor | None]] = []
        for name, value in self.values.items():
            if not value.numel() or all(abs(float(end)) < HUGE for end in value.aminmax()):
                parts.append((value, None))
                continue
            usual = _matrix(value).abs() < HUGE
            if len(value) and not torch.equal(usual.any(0), usual.all(0)):
                raise AssayError(
                    "states can be a matrix only if the same entries are masked in all of them",
                    given=name,
                    next_step="choose examples with the same mask, such as those of one length",
                )
            parts.append((value, usual.all(0)))
        return parts


def _matrix(value: Tensor) -> Tensor:
    return value.reshape(len(value), math.prod(value.shape[1:]))


@dataclass(frozen=True)
class Rows:
    """Position of the examples in a tensor: within dimension `dim`, folded between `outer` and `inner` others."""

    dim: int
    outer: int
    inner: int

    def first(self, tensor: Tensor) -> Tensor:
        """The tensor with the examples as the first dimension, and the others in their order."""
        before, after = tensor.shape[: self.dim], tensor.shape[self.dim + 1 :]
        rows = tensor.shape[self.dim] // (self.outer * self.inner)
        folded = [size for size in (self.outer, self.inner) if size > 1]
        apart = tensor.reshape(*before, self.outer, rows, self.inner, *after).movedim(self.dim + 1, 0)
        return apart.reshape(rows, *before, *folded, *after)

    def back(self, value: Tensor, shape: torch.Size) -> Tensor:
        """The tensor in its original shape, from one with the examples first."""
        before, after = shape[: self.dim], shape[self.dim + 1 :]
        apart = value.reshape(len(value), *before, self.outer, self.inner, *after).movedim(0, self.dim + 1)
        return apart.reshape(shape)


def find_rows(tensor: Tensor, rolled: Tensor, larger: torch.Size, *, rows: int, more: int) -> Rows | None:
    """Position of the examples, or `None` where no dimension grows and permutes with them.

    They may be folded with others in one dimension, such as batch times positions. Among equally good foldings the one with the
    examples outermost is used.

    **Arguments:**

    - `tensor`, `rolled`: from passes on `rows` examples and on these rolled by one.
    - `larger`: the shape on `more` examples.
    """
    if len(larger) != tensor.ndim:
        return None
    growing = [k for k, (a, b) in enumerate(zip(tensor.shape, larger, strict=True)) if a != b]
    if len(growing) != 1:
        return None
    (dim,) = growing
    each, rest = divmod(tensor.shape[dim], rows)
    if rest or larger[dim] != each * more:
        return None
    errors: dict[Rows, float] = {}
    for outer in (k for k in range(1, each + 1) if each % k == 0):
        found = Rows(dim, outer, each // outer)
        errors[found] = disagreement(found.first(tensor).roll(1, 0), found.first(rolled))
        if errors[found] <= 1e-6:
            return found
    best = min(errors, key=lambda found: errors[found])
    return best if errors[best] <= 1e-3 else None


def disagreement(a: Tensor, b: Tensor, *, at_least: float = 0.0) -> float:
    """The largest difference, relative to the largest number below 1e30, or to `at_least` if that is larger."""
    if not (a.is_floating_point() or a.is_complex()):
        return float(not torch.equal(a, b))
    if not a.numel():
        return 0.0
    huge = ~((a.abs() < HUGE) & (b.abs() < HUGE))
    if bool(huge.any()):
        if not torch.equal(a[huge].nan_to_num(), b[huge].nan_to_num()):
            return math.inf
        a, b = a.masked_fill(huge, 0), b.masked_fill(huge, 0)
    difference = float((a - b).abs().max())
    return difference / max(at_least, float(b.abs().max())) if difference else 0.0


def close(a: Tensor, b: Tensor, *, tolerance: float, at_least: float = 0.0) -> bool:
    """Whether two tensors have the same shape and a `disagreement` up to the tolerance."""
    return a.shape == b.shape and disagreement(a, b, at_least=at_least) <= tolerance
