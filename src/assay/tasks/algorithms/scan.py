"""SCAN commands as computation graphs: every inner node is itself a command, and its value the meaning of that command."""

from collections.abc import Sequence

import numpy as np

from assay.computation import Computations, NumberedTexts, Operation
from assay.computation.graph import NO_PARENT, SOURCE
from assay.tasks.scan_grammar import NONE, Phrase, ScanCommand

NodeCommands = tuple[ScanCommand | None, ...]


def _turns(direction: str) -> str:
    return f"I_TURN_{direction.upper()}"


_OPERATIONS = {
    "act": lambda verb: f"I_{verb.upper()}",
    "turn": _turns,
    "turn opposite": lambda direction: " ".join([_turns(direction)] * 2),
    "turn around": lambda direction: " ".join([_turns(direction)] * 4),
    "towards": lambda act, direction: f"{_turns(direction)} {act}",
    "opposite": lambda act, direction: f"{_turns(direction)} {_turns(direction)} {act}",
    "around": lambda act, direction: " ".join([f"{_turns(direction)} {act}"] * 4),
    "twice": lambda once: f"{once} {once}",
    "thrice": lambda once: f"{once} {once} {once}",
    "and": lambda first, second: f"{first} {second}",
    "after": lambda first, second: f"{second} {first}",
}


def scan_computations(
    commands: Sequence[ScanCommand], domain: NumberedTexts | None = None
) -> tuple[Computations, NodeCommands]:
    """The graphs of commands, and the command of each node, None for a word, which is a source.

    `jump around left twice and walk` has the nodes `jump`, `jump around left`, `jump around left twice`, `walk` and the whole:
    the network's value at a node is its answer to that command.

    **Arguments:** `domain`: numbers of texts; share one between calls whose graphs are compared.

    Example::

        graph, nodes = scan_computations([Command("jump", "none", "left", "twice")])
        assert graph.domain.text(graph.values[-1]) == "I_TURN_LEFT I_JUMP I_TURN_LEFT I_JUMP"
    """
    domain = NumberedTexts() if domain is None else domain
    table = _ScanNodes(domain)
    for example, command in enumerate(commands):
        table.example, table.place = example, 0
        tops = [table.phrase(phrase) for phrase in command.phrases()]
        if len(tops) == 2:
            table.node(command.conjunction, tops, command)
    names = [f"n{k + 1}" for k in range(max(table.places, default=0))]
    return Computations(
        operations=tuple(Operation(name, domain.lifted(function)) for name, function in _OPERATIONS.items()),
        operation=np.array(table.operation, np.int64),
        parents=np.array(table.parents, np.int64).reshape(-1, 2),
        values=np.array(table.values, np.int64),
        example=np.array(table.examples, np.int64),
        num_examples=len(commands),
        names=tuple(names),
        name=np.array(table.places, np.int64) - 1,
        domain=domain,
    ), tuple(table.commands)


class _ScanNodes:
    """Builder of the table of nodes; the nodes of a repeated phrase are copied."""

    def __init__(self, domain: NumberedTexts) -> None:
        self.domain = domain
        self.index = {name: k for k, name in enumerate(_OPERATIONS)}
        self.operation: list[int] = []
        self.parents: list[tuple[int, int]] = []
        self.values: list[int] = []
        self.examples: list[int] = []
        self.places: list[int] = []
        self.commands: list[ScanCommand | None] = []
        self.example = self.place = 0
        self.made: dict[Phrase, range] = {}

    def phrase(self, phrase: Phrase) -> int:
        """The node of a phrase, the last of its nodes."""
        start = len(self.values)
        if (made := self.made.get(phrase)) is None:
            top = self._new(phrase)
            self.made[phrase] = range(start, len(self.values))
            return top
        rows, shift = slice(made.start, made.stop), start - made.start
        self.operation += self.operation[rows]
        self.parents += [(one + shift * (one >= 0), other + shift * (other >= 0)) for one, other in self.parents[rows]]
        self.values += self.values[rows]
        self.examples += [self.example] * len(made)
        self.places += range(self.place + 1, self.place + len(made) + 1)
        self.commands += self.commands[rows]
        self.place += len(made)
        return len(self.values) - 1

    def _new(self, phrase: Phrase) -> int:
        verb, manner, direction, times = phrase
        if verb == "turn":
            operation = "turn" if manner == NONE else f"turn {manner}"
            node = self.node(operation, [self.word(direction)], ScanCommand("turn", manner, direction, NONE))
        else:
            node = self.node("act", [self.word(verb)], ScanCommand(verb, NONE, NONE, NONE))
            if direction != NONE:
                operation = "towards" if manner == NONE else manner
                node = self.node(operation, [node, self.word(direction)], ScanCommand(verb, manner, direction, NONE))
        return node if times == NONE else self.node(times, [node], ScanCommand(verb, manner, direction, times))

    def word(self, word: str) -> int:
        return self._add(SOURCE, (NO_PARENT, NO_PARENT), word, None)

    def node(self, operation: str, parents: list[int], command: ScanCommand) -> int:
        text = _OPERATIONS[operation](*(self.domain.text(self.values[parent]) for parent in parents))
        return self._add(self.index[operation], (parents[0], parents[1] if len(parents) > 1 else NO_PARENT), text, command)

    def _add(self, operation: int, parents: tuple[int, int], text: str, command: ScanCommand | None) -> int:
        self.place += 1
        self.operation.append(operation)
        self.parents.append(parents)
        self.values.append(self.domain.parse(text))
        self.examples.append(self.example)
        self.places.append(self.place)
        self.commands.append(command)
        return len(self.values) - 1
