"""PCFG SET (Hupkes, Dankers, Mul and Bruni 2020, arXiv 1908.08351): trees of string functions, in prefix notation."""

from collections.abc import Callable, Sequence

import numpy as np

from assay.computation import Computations, NumberedTexts, Operation
from assay.computation.graph import NO_PARENT, SOURCE
from assay.errors import AssayError

Strings = list[str]
UNARY: dict[str, Callable[[Strings], Strings]] = {
    "copy": lambda x: x,
    "reverse": lambda x: x[::-1],
    "shift": lambda x: [*x[1:], *x[:1]],
    "swap_first_last": lambda x: [*x[-1:], *x[1:-1], *x[:1]] if len(x) > 1 else x,
    "repeat": lambda x: x + x,
    "echo": lambda x: x + x[-1:],
}
BINARY: dict[str, Callable[[Strings, Strings], Strings]] = {
    "append": lambda x, y: x + y,
    "prepend": lambda x, y: y + x,
    "remove_first": lambda x, y: y,
    "remove_second": lambda x, y: x,
}
FUNCTIONS = (*UNARY, *BINARY)


def pcfg_trees(sources: Sequence[str], domain: NumberedTexts | None = None) -> Computations:
    """The graphs of PCFG SET inputs such as `append reverse A1 B2 , echo C3`: leaves are sequences of symbols.

    Nodes are named `v1`, `v2`, ... in the order of evaluation, arguments first; leaves `x1`, `x2`, ... from the left.

    **Arguments:** `domain`: numbers of texts; share one between calls whose graphs are compared.

    **Raises:** `AssayError` naming an input that is no expression.

    Example::

        graph = pcfg_trees(["append reverse A1 B2 , echo C3"])
        assert graph.domain.text(graph.values[-1]) == "B2 A1 C3 C3"
    """
    domain = NumberedTexts() if domain is None else domain
    table = _ReadNodes(domain)
    for example, source in enumerate(sources):
        table.example = example
        table.inner = table.leaves = 0
        _, rest = table.expression(source.split(), source)
        if rest:
            raise AssayError("a PCFG SET input must be one expression", given=source, next_step="remove the text after it")
    names = sorted(set(table.names))
    number = {name: k for k, name in enumerate(names)}
    return Computations(
        operations=table.operations,
        operation=np.array(table.operation, np.int64),
        parents=np.array(table.parents, np.int64).reshape(-1, 2),
        values=np.array(table.values, np.int64),
        example=np.array(table.examples, np.int64),
        num_examples=len(sources),
        names=tuple(names),
        name=np.array([number[name] for name in table.names], np.int64),
        domain=domain,
    )


class _ReadNodes:
    """Builder of the table of nodes."""

    def __init__(self, domain: NumberedTexts) -> None:
        self.domain = domain
        self.operation: list[int] = []
        self.parents: list[tuple[int, int]] = []
        self.values: list[int] = []
        self.examples: list[int] = []
        self.names: list[str] = []
        self.example = self.inner = self.leaves = 0
        self.operations = tuple(
            Operation(name, domain.lifted(_text_of(UNARY[name] if name in UNARY else BINARY[name]))) for name in FUNCTIONS
        )

    def expression(self, words: Strings, whole: str) -> tuple[int, Strings]:
        """The node of the expression at the beginning of `words`, and the rest."""
        if not words or words[0] == ",":
            raise AssayError("a PCFG SET function must have its arguments", given=whole)
        name, rest = words[0], words[1:]
        if name in UNARY:
            node, rest = self.expression(rest, whole)
            return self._inner(name, (node, NO_PARENT)), rest
        if name in BINARY:
            left, rest = self.expression(rest, whole)
            if not rest or rest[0] != ",":
                raise AssayError(f"the arguments of {name} must be separated by a comma", given=whole)
            right, rest = self.expression(rest[1:], whole)
            return self._inner(name, (left, right)), rest
        end = next((k for k, word in enumerate(words) if word == "," or word in UNARY or word in BINARY), len(words))
        self.leaves += 1
        return self._add(SOURCE, (NO_PARENT, NO_PARENT), " ".join(words[:end]), f"x{self.leaves}"), words[end:]

    def _inner(self, name: str, parents: tuple[int, int]) -> int:
        self.inner += 1
        given = [self.domain.text(self.values[parent]).split() for parent in parents if parent != NO_PARENT]
        value = (UNARY[name] if len(given) == 1 else BINARY[name])(*given)
        return self._add(FUNCTIONS.index(name), parents, " ".join(value), f"v{self.inner}")

    def _add(self, operation: int, parents: tuple[int, int], text: str, name: str) -> int:
        self.operation.append(operation)
        self.parents.append(parents)
        self.values.append(self.domain.parse(text))
        self.examples.append(self.example)
        self.names.append(name)
        return len(self.names) - 1


def _text_of(function: Callable[..., Strings]) -> Callable[..., str]:
    return lambda *texts: " ".join(function(*(text.split() for text in texts)))
