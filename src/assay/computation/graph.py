"""Computation graphs of many examples at once: the inputs and the value of each step of an algorithm.

A deterministic algorithm on an input is a directed acyclic graph: sources are the symbols of the input, and every other node is
one operation on the values of its parents, in order (Dziri et al. 2023, section 2). It is neither a graph over words
(`assay.graph`) nor one of the calls of a network (`assay.cuts`).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int

from assay.computation.domain import INTEGERS, MISSING, Domain, whole_numbers
from assay.display import brief
from assay.errors import AssayError

SOURCE = -1
NO_PARENT = -1


@dataclass(frozen=True)
class Operation:
    """A primitive. `apply` takes one int64 array per argument and returns the values, `MISSING` where it is not defined.

    `kind`: shared by operations that differ only in their position; by default the name.
    """

    __repr__ = brief

    name: str
    apply: Callable[..., Int[np.ndarray, " n"]]
    kind: str = ""

    @property
    def family(self) -> str:
        return self.kind or self.name

    def __call__(self, *arguments: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
        """The values; `MISSING` wherever an argument is missing."""
        known = np.logical_and.reduce([argument != MISSING for argument in arguments])
        if known.all():
            return np.asarray(self.apply(*arguments), np.int64)
        values = np.full(len(known), MISSING)
        if known.any():
            values[known] = self.apply(*(argument[known] for argument in arguments))
        return values


class GraphSizes(NamedTuple):
    """Sizes of the graph of every example.

    `depth`: the largest layer. `width`: the mode of the layers of its nodes, as the paper defines it (the smallest of several).
    `widest`: the number of nodes in the most populated layer. `parallelism`: nodes per unit of depth, NaN without depth.
    """

    nodes: Int[np.ndarray, " n"]
    depth: Int[np.ndarray, " n"]
    width: Int[np.ndarray, " n"]
    widest: Int[np.ndarray, " n"]
    parallelism: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Computations:
    """The computation graphs of `len(examples)` examples, as one table of nodes; those of one example need not lie together.

    **Attributes:**

    - `operations`: the primitives; `operation`: for every node the index of its own, `SOURCE` (-1) for an input symbol.
    - `parents`: `(v, arguments)`, rows of the table in the order of the arguments, then `NO_PARENT` (-1).
    - `values`: the right value of every node, as a number of the `domain`.
    - `example`: of every node the example that it belongs to, in `range(num_examples)`.
    - `names`, `name`: the name of the node in scratchpads, unique within its example.
    - `known_layers`: the layers, if already known; otherwise they are computed.

    **Raises:** `AssayError` for a cyclic graph, a node without value, a parent in another example, and an unknown operation,
    example or name.

    Example::

        add = Operation("add", lambda a, b: a + b)
        both = Computations(
            operations=(add,), operation=np.array([-1, -1, 0]), parents=np.array([[-1, -1], [-1, -1], [0, 1]]),
            values=np.array([2, 3, 5]), example=np.zeros(3, int), num_examples=1, names=("x", "y", "sum"), name=np.arange(3),
        )
        assert both.layers.tolist() == [0, 0, 1]
    """

    __repr__ = brief

    operations: tuple[Operation, ...]
    operation: Int[np.ndarray, " v"]
    parents: Int[np.ndarray, "v arguments"]
    values: Int[np.ndarray, " v"]
    example: Int[np.ndarray, " v"]
    num_examples: int
    names: tuple[str, ...]
    name: Int[np.ndarray, " v"]
    domain: Domain = INTEGERS
    known_layers: Int[np.ndarray, " v"] | None = None

    def __post_init__(self):
        num = len(self.values)
        columns = (self.operation, self.parents, self.example, self.name)
        assert all(len(column) == num for column in columns), "columns differ in length"
        if self.known_layers is None:
            self._check()
        if num and (self.values == MISSING).any():
            at = int(np.flatnonzero(self.values == MISSING)[0])
            raise AssayError(
                "every node of a computation graph must have a value",
                given=f"none for {self.called(at)}",
                next_step="give the value that the algorithm computes there",
            )

    def __len__(self) -> int:
        return len(self.values)

    def called(self, node: int) -> str:
        """Name and example of a node, for messages."""
        return f"{self.names[self.name[node]]} of example {self.example[node]}"

    def _check(self) -> None:
        numbers = {
            "an operation": (self.operation, SOURCE, len(self.operations)),
            "an example": (self.example, 0, self.num_examples),
            "a name": (self.name, 0, len(self.names)),
        }
        for what, (column, low, high) in numbers.items():
            if (wrong := column[(column < low) | (column >= high)]).size:
                raise AssayError(f"{what} of a node must be a number from {low} to {high - 1}", given=int(wrong[0]))
        if len(self) and (self.parents.min(initial=0) < NO_PARENT or self.parents.max(initial=-1) >= len(self)):
            raise AssayError("a parent must be a node of the table", given=f"{self.parents.max()} of {len(self)} nodes")
        sources = self.operation == SOURCE
        if (wrong := np.flatnonzero(sources != (self.parents < 0).all(1))).size:
            raise AssayError("a node must have an operation and parents, or neither", given=self.called(int(wrong[0])))
        child, place = np.nonzero(self.parents >= 0)
        if (apart := child[self.example[child] != self.example[self.parents[child, place]]]).size:
            raise AssayError("a node and its parents must be of one example", given=self.called(int(apart[0])))
        keys = self.example.astype(np.int64) * max(1, len(self.names)) + self.name
        if len(np.unique(keys)) < len(keys):
            order = np.argsort(keys, kind="stable")
            twice = order[1:][keys[order][1:] == keys[order][:-1]]
            raise AssayError("a name must stand for one node of an example", given=f"two called {self.called(int(twice[0]))}")
        _ = self.layers

    # Order

    @cached_property
    def layers(self) -> Int[np.ndarray, " v"]:
        """For every node the length of the longest path to it from a source, which has layer 0."""
        if self.known_layers is not None:
            return self.known_layers
        layers = np.where(self.operation == SOURCE, 0, -1)
        left = np.flatnonzero(layers < 0)
        while len(left):
            parents = self.parents[left]
            of_parents = np.where(parents >= 0, layers[parents], 0)
            ready = ((of_parents >= 0) | (parents < 0)).all(1)
            if not ready.any():
                raise AssayError(
                    "a computation graph must have no cycle", given=f"one through {self.called(self._on_cycle(left))}"
                )
            layers[left[ready]] = 1 + of_parents[ready].max(1)
            left = left[~ready]
        return layers

    def _on_cycle(self, left: Int[np.ndarray, " some"]) -> int:
        """A node of a cycle, found by following parents that have no layer."""
        waiting, node, met = set(left.tolist()), int(left[0]), set()
        while node not in met:
            met.add(node)
            node = next(parent for parent in self.parents[node].tolist() if parent in waiting)
        return node

    def by_layer(self, start: int = 0, end: int | None = None) -> Iterator[Int[np.ndarray, " some"]]:
        """The nodes of layer 1, of layer 2, and so on; with `start` and `end` only those of these rows."""
        layers = self.layers[start:end]
        order = start + np.argsort(layers, kind="stable")
        ends = np.cumsum(np.bincount(layers))
        yield from np.split(order, ends[:-1])[1:] if len(order) else ()

    @cached_property
    def shapes(self) -> GraphSizes:
        """Depth, width and parallelism of every example."""
        num, span = self.num_examples, int(self.layers.max(initial=0)) + 1
        counts = np.bincount(self.example * span + self.layers, minlength=num * span).reshape(num, span)
        nodes = counts.sum(1)
        depth = (span - 1 - (counts[:, ::-1] > 0).argmax(1)) * (nodes > 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            parallelism = np.where(depth > 0, nodes / depth, np.nan)
        return GraphSizes(nodes, depth, counts.argmax(1), counts.max(1), parallelism)

    # Values

    def follow(self, values: Int[np.ndarray, " v"], nodes: Int[np.ndarray, " some"] | None = None) -> Int[np.ndarray, " some"]:
        """Values of `nodes` by their operations (all but sources by default, which keep their value) on the values of their
        parents in `values`; `MISSING` where one of these is missing or the operation is not defined."""
        if nodes is None:
            found, nodes = values.copy(), np.flatnonzero(self.operation != SOURCE)
            found[nodes] = self.follow(values, nodes)
            return found
        found = np.full(len(nodes), MISSING)
        arity = (self.parents[nodes] >= 0).sum(1)
        kind = self.operation[nodes] * (self.parents.shape[1] + 1) + arity
        for one in np.unique(kind).tolist():
            rows = np.flatnonzero(kind == one)
            index, arguments = divmod(one, self.parents.shape[1] + 1)
            given = [values[self.parents[nodes[rows], k]] for k in range(arguments)]
            found[rows] = self.operations[index](*given)
        return found

    def executed(self, sources: Int[np.ndarray, " v"]) -> Int[np.ndarray, " v"]:
        """The values that the algorithm computes, layer by layer, from the values of the sources in `sources`."""
        values = np.where(self.operation == SOURCE, sources, MISSING)
        for nodes in self.by_layer():
            values[nodes] = self.follow(values, nodes)
        return values

    def find(self, example: int, name: str) -> int:
        """The node of that name in an example. **Raises:** `AssayError` listing the names."""
        rows = np.flatnonzero(self.example == example)
        for row in rows.tolist():
            if self.names[self.name[row]] == name:
                return row
        choices = [self.names[self.name[row]] for row in rows.tolist()]
        raise AssayError(f"example {example} must have a node of that name", given=name, choices=choices)

    def take(self, chosen: Int[np.ndarray, " m"]) -> "Computations":
        """The graphs of some examples, in that order, each at most once."""
        number = np.full(self.num_examples, -1)
        number[chosen] = np.arange(len(chosen))
        kept = np.flatnonzero(number[self.example] >= 0)
        row = np.full(len(self) + 1, NO_PARENT)
        row[kept] = np.arange(len(kept))
        return Computations(
            operations=self.operations,
            operation=self.operation[kept],
            parents=row[self.parents[kept]],  # the last row, at index -1, is that of NO_PARENT
            values=self.values[kept],
            example=number[self.example[kept]],
            num_examples=len(chosen),
            names=self.names,
            name=self.name[kept],
            domain=self.domain,
            known_layers=self.layers[kept],
        )

    @property
    def is_source(self) -> Bool[np.ndarray, " v"]:
        """Mask of the nodes that are symbols of the input."""
        return self.operation == SOURCE


class FixedAlgorithm:
    """An algorithm whose graph is the same for all inputs of one size: nodes are added one by one, then `computations` runs it.

    Example::

        >>> from assay.computation import FixedAlgorithm, Operation
        >>> recipe = FixedAlgorithm()
        >>> x, one = recipe.source("x"), recipe.constant("one", 1)
        >>> total = recipe.node("sum", Operation("add", lambda a, b: a + b), x, one)
        >>> recipe.computations([[2], [4]]).values.tolist()  # x, one and their sum, of both examples
        [2, 1, 3, 4, 1, 5]
    """

    def __init__(self) -> None:
        self.names: list[str] = []
        self.operations: list[Operation] = []
        self._operation: list[int] = []
        self._parents: list[tuple[int, ...]] = []
        self._layer: list[int] = []
        self._constants: dict[int, int] = {}

    def source(self, name: str) -> int:
        """A symbol of the input: one column of `inputs`, in the order in which sources are added."""
        return self._add(name, SOURCE, ())

    def constant(self, name: str, value: int) -> int:
        """A source with one value for all inputs."""
        node = self._add(name, SOURCE, ())
        self._constants[node] = value
        return node

    def node(self, name: str, operation: Operation, *parents: int) -> int:
        """One step. Parents are nodes that were added before, so that there is no cycle.

        **Raises:** `AssayError` without parents, for an unknown parent, for a name already in use, and for another operation
        with the name of this one: trained steps are matched by names.
        """
        if not parents:
            raise AssayError("a node must have parents", given=f"none for {name}", next_step="add inputs by source")
        if wrong := [parent for parent in parents if not 0 <= parent < len(self.names)]:
            rule = f"parents of {name} must be numbers of nodes that were added before, from 0 to {len(self.names) - 1}"
            raise AssayError(rule, given=wrong[0])
        known = {one.name: index for index, one in enumerate(self.operations)}
        index = known.get(operation.name, len(self.operations))
        if index < len(self.operations) and self.operations[index] != operation:
            raise AssayError(
                "operations of one algorithm must have different names",
                given=f"two called {operation.name}",
                next_step="make an operation once for all of its nodes, or give the other one a name of its own",
            )
        added = self._add(name, index, parents)
        if index == len(self.operations):
            self.operations.append(operation)
        return added

    def _add(self, name: str, operation: int, parents: tuple[int, ...]) -> int:
        if name in self.names:
            raise AssayError("nodes must have different names", given=f"two called {name}")
        self.names.append(name)
        self._operation.append(operation)
        self._parents.append(parents)
        self._layer.append(1 + max(self._layer[parent] for parent in parents) if parents else 0)
        return len(self.names) - 1

    def computations(self, inputs: np.ndarray | Sequence[Sequence[int]]) -> Computations:
        """The graphs of all inputs, executed: a row of whole numbers per input, one for every source. Nodes of an example are
        contiguous, in the order in which they were added.

        **Raises:** `AssayError` for rows of another length, and for anything but whole numbers.
        """
        sources = self._operation.count(SOURCE) - len(self._constants)
        rule = f"inputs must be rows of {sources} whole numbers, one for every source"
        table = whole_numbers(inputs, rule)
        if table.ndim != 2 or table.shape[1] != sources or not self.names:
            raise AssayError(rule if self.names else "an algorithm must have a node", given=f"shape {table.shape}")
        num, size = len(table), len(self.names)
        columns: list[Int[np.ndarray, " n"]] = []
        given = iter(np.ascontiguousarray(table.T))
        for node, (operation, parents) in enumerate(zip(self._operation, self._parents, strict=True)):
            if operation != SOURCE:
                columns.append(self.operations[operation](*(columns[parent] for parent in parents)))
            elif node in self._constants:
                columns.append(np.full(num, self._constants[node]))
            else:
                columns.append(next(given))
        arguments = max(map(len, self._parents), default=0) or 1
        padded = np.array([[*parents, *[NO_PARENT] * (arguments - len(parents))] for parents in self._parents])
        # Built in place and in few bits: first writes to memory take most of the time, and 16-bit keys sort in linear time.
        rows = padded.astype(np.int32) + (np.arange(num, dtype=np.int32) * size)[:, None, None]
        rows[:, padded < 0] = NO_PARENT
        values = np.empty((num, size), np.int64)
        for node, column in enumerate(columns):
            values[:, node] = column
        return Computations(
            operations=tuple(self.operations),
            operation=np.tile(np.array(self._operation, np.int16), num),
            parents=rows.reshape(-1, arguments),
            values=values.reshape(-1),
            example=np.repeat(np.arange(num, dtype=np.int32), size),
            num_examples=num,
            names=tuple(self.names),
            name=np.tile(np.arange(size, dtype=np.int32), num),
            known_layers=np.tile(np.array(self._layer, np.int16), num),
        )


def joined(several: Sequence[Computations]) -> Computations:
    """The graphs of several tables as one, with examples renumbered. All must share one domain and the same operations."""
    first = several[0]
    assert all(one.domain is first.domain for one in several), "one domain"
    operations = list({op.name: op for one in several for op in one.operations}.values())
    index = {op.name: k for k, op in enumerate(operations)}
    names = list(dict.fromkeys(name for one in several for name in one.names))
    name_of = {name: k for k, name in enumerate(names)}
    arguments = max(one.parents.shape[1] for one in several)
    columns: dict[str, list[np.ndarray]] = {key: [] for key in ("operation", "parents", "values", "example", "name", "layers")}
    nodes = examples = 0
    for one in several:
        own = np.array([*(index[op.name] for op in one.operations), SOURCE])
        padded = np.full((len(one), arguments), NO_PARENT)
        padded[:, : one.parents.shape[1]] = np.where(one.parents >= 0, one.parents + nodes, NO_PARENT)
        columns["operation"].append(own[one.operation])
        columns["parents"].append(padded)
        columns["values"].append(one.values)
        columns["example"].append(one.example + examples)
        columns["name"].append(np.array([name_of[name] for name in one.names], np.int64)[one.name])
        columns["layers"].append(one.layers)
        nodes, examples = nodes + len(one), examples + one.num_examples
    whole = {key: np.concatenate(parts) for key, parts in columns.items()}
    return Computations(
        operations=tuple(operations),
        operation=whole["operation"],
        parents=whole["parents"],
        values=whole["values"],
        example=whole["example"],
        num_examples=examples,
        names=tuple(names),
        name=whole["name"],
        domain=first.domain,
        known_layers=whole["layers"],
    )
