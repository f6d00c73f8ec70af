"""What the rest of a network knows of its inputs at one cut, with the examples first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from assay.errors import AssayError

Number = int | float | complex | bool


@dataclass(frozen=True)
class State:
    """The tensors of one cut for `n` examples, on the CPU.

    **Attributes:**

    - `depth`: of the cut.
    - `values`: floating-point tensors `(n, ...)` by name, which may be patched with other numbers.
    - `carried`: what crosses the cut besides and is kept as it is: integers, truth values and masks `(n, ...)`.
    - `shared`: tensors that belong to no example, the same for all.
    - `numbers`: what the network has read from a tensor into Python before the cut.
    - `shapes`: of one example of each input.
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
        """The state of some of the examples."""
        values, carried = ({name: value[rows] for name, value in some.items()} for some in (self.values, self.carried))
        return replace(self, values=values, carried=carried)

    def flat(self) -> Float[Tensor, "n features"]:
        """All values of an example in one row, in the order of `values`."""
        if not self.values:
            raise AssayError("a state is one matrix where floating-point numbers cross the cut", given=list(self.carried))
        return torch.cat([value.flatten(1) for value in self.values.values()], 1)

    def unflat(self, matrix: Float[Tensor, "n features"]) -> "State":
        """The state whose `flat` is this matrix; what is carried stays.

        Where something is carried for each example, the matrix has a row for each of them; else any number of rows.

        **Raises:** `AssayError` for a matrix of another size.
        """
        sizes = [value[:1].numel() if len(value) else value.flatten(1).shape[1] for value in self.values.values()]
        rows = len(self) if self.carried else len(matrix)
        if matrix.shape != (rows, sum(sizes)):
            raise AssayError(
                "a matrix of states has a row for each example and a column for each value",
                given=f"{tuple(matrix.shape)}, where {(rows, sum(sizes))} is needed",
                next_step="take the rows of the state first, as in `state[:5].unflat(matrix)`" if self.carried else "",
            )
        parts = matrix.split(sizes, 1)
        shaped = zip(self.values.items(), parts, strict=True)
        return replace(self, values={name: part.reshape(len(part), *v.shape[1:]).to(v.dtype) for (name, v), part in shaped})


@dataclass(frozen=True)
class Rows:
    """Where the examples are among the dimensions of a tensor: within dimension `dim`, between `outer` and `inner` others."""

    dim: int
    outer: int
    inner: int

    def first(self, tensor: Tensor) -> Tensor:
        """With the examples as the first dimension, and the others in their order."""
        before, after = tensor.shape[: self.dim], tensor.shape[self.dim + 1 :]
        rows = tensor.shape[self.dim] // (self.outer * self.inner)
        folded = [size for size in (self.outer, self.inner) if size > 1]
        apart = tensor.reshape(*before, self.outer, rows, self.inner, *after).movedim(self.dim + 1, 0)
        return apart.reshape(rows, *before, *folded, *after)

    def back(self, value: Tensor, shape: torch.Size) -> Tensor:
        """The tensor of the given shape from one with the examples first."""
        before, after = shape[: self.dim], shape[self.dim + 1 :]
        apart = value.reshape(len(value), *before, self.outer, self.inner, *after).movedim(0, self.dim + 1)
        return apart.reshape(shape)


def find_rows(
    tensor: Tensor, rolled: Tensor, larger: torch.Size, *, rows: int, more: int, tolerance: float = 1e-4
) -> Rows | None:
    """Where the examples are, or `None` where no dimension grows with them and permutes with them.

    **Arguments:**

    - `tensor`, `rolled`: from the same pass on `rows` examples and on these moved on by one.
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
    for outer in (k for k in range(1, each + 1) if each % k == 0):  # examples outermost first
        found = Rows(dim, outer, each // outer)
        if close(found.first(tensor).roll(1, 0), found.first(rolled), tolerance=tolerance):
            return found
    return None


def close(a: Tensor, b: Tensor, *, tolerance: float) -> bool:
    """Whether two tensors agree, up to a share of the largest of their numbers below 1e30 or, if that is less than one, of one."""
    if a.shape != b.shape:
        return False
    if not (a.is_floating_point() or a.is_complex()):
        return torch.equal(a, b)
    usual = (a.abs() < 1e30) & (b.abs() < 1e30)
    if not torch.equal(a[~usual].nan_to_num(), b[~usual].nan_to_num()):
        return False
    a, b = a[usual], b[usual]
    return not a.numel() or bool((a - b).abs().max() <= tolerance * max(1.0, float(b.abs().max())))
