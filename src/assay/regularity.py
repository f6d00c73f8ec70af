"""Regularities that a task declares: how a group moves its examples and its outputs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Int
from torch import Generator, Tensor

from assay.display import brief
from assay.errors import AssayError
from assay.task import Examples, Task

MOST_ELEMENTS = 64
"""Of a group: the cost grows with their number."""


@dataclass(frozen=True)
class Regularity:
    """A group that acts on examples and on outputs: a function has the regularity when moving the input moves the output.

    **Attributes:**

    - `name`: such as `flip of the columns`.
    - `rows`: `(k, n)`: element g takes example p to example `rows[g, p]`. The first element is the identity.
    - `outputs`: `(k, c)`: element g takes output c to output `outputs[g, c]`.

    **Raises:** `AssayError` for what is no permutation, for elements that do not form a group, and for more than 64 of them.

    Example::

        >>> from assay.regularity import Regularity
        >>> columns = torch.arange(64).reshape(8, 8).flip(1).flatten()  # of a picture of 8 x 8 pixels, one example each
        >>> flip = Regularity.generated("flip of the columns", [columns], num_outputs=3)
        >>> flip.rows.shape, flip.outputs.tolist()
        (torch.Size([2, 64]), [[0, 1, 2], [0, 1, 2]])
    """

    __repr__ = brief

    name: str
    rows: Int[Tensor, "k n"]
    outputs: Int[Tensor, "k c"]

    def __post_init__(self):
        if len(self.rows) != len(self.outputs) or not 0 < len(self.rows) <= MOST_ELEMENTS:
            raise AssayError(
                f"{self.name}: a regularity must have as many moves of examples as of outputs, 1 to {MOST_ELEMENTS}",
                given=f"{len(self.rows)} and {len(self.outputs)}",
            )
        for what, moves in (("examples", self.rows), ("outputs", self.outputs)):
            _check_permutations(self.name, what, moves)
        joint = torch.cat([self.rows, self.outputs + self.rows.shape[1]], 1)
        if not torch.equal(joint[0], torch.arange(joint.shape[1])):
            raise AssayError(f"{self.name}: the first element of a regularity must leave everything in its place")
        known = {tuple(element) for element in joint.tolist()}
        if len(known) != len(joint) or any(tuple(one[two].tolist()) not in known for one in joint for two in joint):
            raise AssayError(
                f"{self.name}: a regularity must be a group of different moves, with any two also what they make together",
                given=f"{len(joint)} moves",
                next_step="give its generators to Regularity.generated",
            )

    @classmethod
    def generated(
        cls,
        name: str,
        rows: Sequence[Int[Tensor, " n"]],
        outputs: Sequence[Int[Tensor, " c"]] = (),
        *,
        num_outputs: int | None = None,
    ) -> "Regularity":
        """The group that some moves of examples generate, such as one flip.

        **Arguments:** `outputs`: the move of the outputs with each; by default outputs stay, and `num_outputs` says how many.

        **Raises:** `AssayError` for no moves, for what is no permutation, for unequal numbers of moves of examples and outputs,
        for no outputs, and when the moves generate more than 64 elements.
        """
        _check_moves(name, rows, outputs, num_outputs)
        stay = torch.arange(num_outputs if num_outputs is not None else len(outputs[0]) if len(outputs) else 1)
        moves = list(zip(rows, outputs if len(outputs) else [stay] * len(rows), strict=True))
        for row, output in moves:
            _check_permutations(name, "examples", row[None])
            _check_permutations(name, "outputs", output[None])
        num = len(rows[0])
        generators = [torch.cat([row, output + num]) for row, output in moves]
        found = {tuple(range(num + len(stay))): torch.arange(num + len(stay))}
        new = list(found.values())
        while new:
            made = [generator[element] for element in new for generator in generators]
            new = []
            for element in made:
                if (key := tuple(element.tolist())) not in found:
                    found[key] = element
                    new.append(element)
            if len(found) > MOST_ELEMENTS:
                raise AssayError(
                    f"{name}: a regularity must have at most {MOST_ELEMENTS} elements",
                    given="moves that generate more",
                    next_step="declare a smaller group, such as an involution that is its own inverse",
                )
        joint = torch.stack(list(found.values()))
        return cls(name, joint[:, :num], joint[:, num:] - num)

    def orbits(self) -> Int[Tensor, " n"]:
        """Of every example the smallest of those that the group takes it to."""
        return self.rows.amin(0)


def _check_moves(name: str, rows: Sequence[object], outputs: Sequence[object], num_outputs: int | None) -> None:
    """What has to hold before moves can be multiplied."""
    for what, moves in (("examples", rows), ("outputs", outputs)):
        if any(not isinstance(move, Tensor) or move.ndim != 1 for move in moves):
            raise AssayError(
                f"{name}: each move of {what} must be a tensor of whole numbers of one dimension",
                given=[tuple(move.shape) if isinstance(move, Tensor) else type(move).__name__ for move in moves],
                next_step="give a list of tensors, such as [torch.tensor([1, 0])]",
            )
        if len({len(move) for move in moves if isinstance(move, Tensor)}) > 1:
            raise AssayError(f"{name}: all moves of {what} must be of as many {what}", given=[str(move) for move in moves])
    if not len(rows):
        raise AssayError(
            f"{name}: a regularity must be generated by at least one move of examples",
            given="none",
            next_step="declare where an element takes each example, or leave the regularity out",
        )
    if len(outputs) and len(outputs) != len(rows):
        raise AssayError(
            f"{name}: moves of outputs must be as many as moves of examples", given=f"{len(outputs)} and {len(rows)}"
        )
    if num_outputs is not None and num_outputs < 1:
        raise AssayError(f"{name}: a regularity must have at least one output", given=f"num_outputs={num_outputs}")
    if (
        len(outputs)
        and num_outputs is not None
        and any(len(move) != num_outputs for move in outputs if isinstance(move, Tensor))
    ):
        raise AssayError(f"{name}: moves of outputs must be of num_outputs outputs", given=f"num_outputs={num_outputs}")


def _check_permutations(name: str, what: str, moves: Tensor) -> None:
    num = moves.shape[1]
    if moves.dtype != torch.int64 or not torch.equal(moves.sort(1).values, torch.arange(num).expand_as(moves)):
        raise AssayError(
            f"{name}: a move of {num} {what} must be a permutation of 0 to {num - 1}",
            given=moves[0],
            next_step="declare where each goes, so that no two go to one place",
        )


@dataclass(frozen=True)
class Regular:
    """Examples that a group takes to each other, and what is declared of them.

    **Attributes:**

    - `examples`: trained ones.
    - `regularities`: of the function on them.
    - `parts`: for every declared part of the outputs `(n, c)` where it lies: pixels of a mask, examples of a context, classes.

    **Raises:** `AssayError` for a regularity or a part of another number of examples, and for two regularities of one name.

    Example::

        >>> from assay.regularity import Regular, Regularity
        >>> inputs, targets = torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1]]), torch.tensor([0, 1, 1, 2])
        >>> sums = assay.Table(inputs=inputs, targets=targets, parts={"a": inputs[:, 0], "b": inputs[:, 1]})
        >>> examples = sums.examples("seen", 4, generator=torch.Generator()).in_canonical_order()  # 00, 01, 10, 11
        >>> exchange = Regularity.generated("a and b", [torch.tensor([0, 2, 1, 3])], num_outputs=3)
        >>> regular = Regular(examples, (exchange,))
        >>> [examples.inputs["tokens"][row].tolist() for row in regular.regularities[0].rows[1]]  # where each row is taken
        [[0, 0], [1, 0], [0, 1], [1, 1]]
    """

    __repr__ = brief

    examples: Examples
    regularities: tuple[Regularity, ...]
    parts: Mapping[str, Bool[Tensor, "n c"]] = field(default_factory=dict)

    def __post_init__(self):
        num, names = len(self.examples), [one.name for one in self.regularities]
        lengths = {one.name: one.rows.shape[1] for one in self.regularities}
        lengths |= {f"part {name}": len(mask) for name, mask in self.parts.items()}
        if wrong := {name: length for name, length in lengths.items() if length != num}:
            name, length = next(iter(wrong.items()))
            raise AssayError(
                "what a task declares of its examples must be about as many as it gives",
                given=f"{name} of {length} examples, and there are {num}",
            )
        if len(set(names)) < len(names):
            raise AssayError("regularities of a task must have different names", given=", ".join(names))

    def take(self, rows: Int[Tensor, " r"]) -> "Regular":
        """Some of the examples, closed under every regularity."""
        place = torch.full((len(self.examples),), -1)
        place[rows] = torch.arange(len(rows))
        moved = []
        for one in self.regularities:
            joint = torch.cat([place[one.rows[:, rows]], one.outputs + len(rows)], 1).tolist()
            kept = [k for k, element in enumerate(joint) if element not in joint[:k]]  # what moves nothing that is left is one
            moved.append(Regularity(one.name, place[one.rows[kept][:, rows]], one.outputs[kept]))
        return Regular(self.examples.take(rows), tuple(moved), {name: mask[rows] for name, mask in self.parts.items()})

    def without_repeats(self) -> "Regular":
        """Examples whose inputs are those of others left out, together with all that the regularities take them to, so that
        what is left is independent. Of what holds equal examples the first is kept."""
        num = len(self.examples)
        number = torch.zeros(num, dtype=torch.long)
        for values in self.examples.inputs.values() if num else ():
            of_values = values.reshape(num, -1).unique(dim=0, return_inverse=True)[1]
            number = torch.stack([number, of_values.cpu()], 1).unique(dim=0, return_inverse=True)[1]
        if not num or int(number.max()) == num - 1:
            return self
        together = torch.arange(num)  # the smallest example that any regularities lead to
        while True:
            smallest = torch.stack([together[rows] for one in self.regularities for rows in one.rows]).amin(0)
            if torch.equal(smallest, together):
                break
            together = smallest
        seen: set[int] = set()
        kept = []
        for group in together.unique().tolist():
            rows = (together == group).nonzero()[:, 0]
            numbers = set(number[rows].tolist())
            if not numbers & seen:
                kept.append(rows)
            seen |= numbers
        return self.take(torch.cat(kept).sort().values)

    def in_canonical_order(self) -> "Regular":
        """The same in the order of `Examples.in_canonical_order`: whatever order the examples came in, the result is one."""
        num = len(self.examples)
        numbered = Examples(
            self.examples.inputs, self.examples.targets, {"number": torch.arange(num)}, self.examples.combination
        )
        order = numbered.in_canonical_order().parts["number"]
        place = torch.empty_like(order)
        place[order] = torch.arange(num)
        moved = tuple(Regularity(one.name, place[one.rows[:, order]], one.outputs) for one in self.regularities)
        return Regular(self.examples.take(order), moved, {name: mask[order] for name, mask in self.parts.items()})


@runtime_checkable
class DeclaresRegularities(Protocol):
    """Ability: trained examples that a declared group takes to each other.

    Example::

        >>> from assay.regularity import DeclaresRegularities
        >>> task = assay.load_task("digits")
        >>> regular = task.regular(20, generator=torch.Generator().manual_seed(0))
        >>> isinstance(task, DeclaresRegularities), [one.name for one in regular.regularities]
        (True, ['exchange of a and b'])
    """

    def regular(self, n: int, *, generator: Generator) -> Regular:
        """At most about `n` examples, closed under the group."""
        ...


@runtime_checkable
class GivesIrregular(Protocol):
    """Ability: tasks on the same inputs whose outputs are as smooth and have none of the declared regularities.

    Example::

        >>> from assay.regularity import GivesIrregular
        >>> task = assay.load_task("picture:skull")
        >>> isinstance(task, GivesIrregular), task.irregular(0).address
        (True, 'picture:skull,size=64,phases=random,seed=0')
    """

    def irregular(self, seed: int) -> Task:
        """One of them for each seed."""
        ...
