"""A transformer whose weights are written and not trained: it runs the rules of SCAN, on every command alike.

In the manner of ALTA (Shaw, Cohan, Eisenstein et al. 2024, arXiv 2410.18077): the residual stream holds categorical variables
as one-hot codes, an attention head copies a variable from the one position that fits, and a feed-forward layer is a list of
rules, one hidden unit for each: if these variables have these values, that variable gets that value. It is the genuine end of
what is said of networks on SCAN. The program has an encoder layer (which phrase a word belongs to), a layer of heads that read
the nine slots of the command, and seven layers of rules that find out what stands at a position of the answer.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import product

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from assay.objective import PAD
from assay.tasks.scan import END, SOURCE_WORDS, TARGET_WORDS
from assay.tasks.scan_grammar import CONJUNCTIONS, DIRECTIONS, MANNERS, NONE, TIMES, VERBS

LONGEST = 49
LENGTHS = (0, 1, 2, 3, 4, 6, 8, 9, 12, 16, 24)  # of a phrase, in actions; 0 of a phrase that is not there
ONCE = (1, 2, 3, 4, 8)
SLOTS = {"verb": (*VERBS, "turn"), "manner": MANNERS, "direction": DIRECTIONS, "times": TIMES}
SHARP = 40.0  # of a difference of 1 in what fits: the weight of all other positions is below 1e-17

Value = str | int
Condition = Mapping[str, Value | Collection[Value]]
Rule = tuple[Condition, str, Value]


class Stream:
    """Where each value of each variable stands in the residual stream."""

    def __init__(self, variables: Mapping[str, Iterable[Value]]):
        self.place: dict[tuple[str, Value], int] = {}
        for name, values in variables.items():
            for value in values:
                self.place[name, value] = len(self.place)
        self.width = len(self.place)

    def of(self, name: str, value: Value | Collection[Value]) -> list[int]:
        """The places of one value or of several."""
        values = [value] if isinstance(value, str | int) else list(value)
        return [self.place[name, one] for one in values]


def rules_layer(stream: Stream, rules: Iterable[Rule]) -> nn.Sequential:
    """A feed-forward layer of one hidden unit for each rule. With k conditions, each met by a one-hot code of 1, the unit is
    ReLU(sum - (k - 1)), which is 1 where all are met and else 0."""
    rules = list(rules)
    up, down = nn.Linear(stream.width, len(rules)), nn.Linear(len(rules), stream.width, bias=False)
    for weight in (up.weight, down.weight):
        weight.data.zero_()
    for unit, (conditions, name, value) in enumerate(rules):
        for variable, values in conditions.items():
            up.weight.data[unit, stream.of(variable, values)] = 1.0
        up.bias.data[unit] = 1.0 - len(conditions)
        down.weight.data[stream.place[name, value], unit] = 1.0
    return nn.Sequential(up, nn.ReLU(), down)


def default_layer(stream: Stream, variables: Mapping[str, Value]) -> nn.Sequential:
    """A layer that gives variables without a value that one."""
    up, down = nn.Linear(stream.width, len(variables)), nn.Linear(len(variables), stream.width, bias=False)
    for weight in (up.weight, down.weight):
        weight.data.zero_()
    for unit, (name, value) in enumerate(variables.items()):
        up.weight.data[unit, [place for (one, _), place in stream.place.items() if one == name]] = -1.0
        up.bias.data[unit] = 1.0
        down.weight.data[stream.place[name, value], unit] = 1.0
    return nn.Sequential(up, nn.ReLU(), down)


class Head(nn.Module):
    """One head: it attends to the position with the largest score, a linear function of the position's variables, and adds what
    `value` makes of them."""

    def __init__(self, source: Stream, target: Stream):
        super().__init__()
        self.score = nn.Linear(source.width, 1)
        self.value = nn.Linear(source.width, target.width, bias=False)
        for weight in (self.score.weight, self.score.bias, self.value.weight):
            weight.data.zero_()

    def forward(self, memory: Float[Tensor, "n s w"], mask: Tensor) -> Float[Tensor, "n q v"]:
        """`mask` `(n, q, s)`: where each query may look."""
        scores = SHARP * self.score(memory)[:, None, :, 0].masked_fill(~mask, -torch.inf)
        return scores.softmax(-1) @ self.value(memory)


SOURCE = Stream({"word": ("BOS", *SOURCE_WORDS), "before": CONJUNCTIONS[1:]})
TARGET = Stream(
    {
        "place": range(LONGEST),
        "conjunction": CONJUNCTIONS,
        **{f"{slot}{phrase}": values for slot, values in SLOTS.items() for phrase in "12ABC"},
        **{f"length{phrase}": LENGTHS for phrase in "AB"},
        "once": ONCE,
        "onceA": ONCE,
        "onceB": ONCE,
        "phrase": "AB",
        "offset": range(LONGEST),
        "within": range(max(ONCE)),
        "token": TARGET_WORDS,
        "end": ("yes",),
    }
)


def _heads() -> Iterator[Head]:
    """The conjunction, and each slot of each phrase; where there is none, what stands before all words, which says nothing."""
    for name, phrase, values in [
        ("conjunction", "", CONJUNCTIONS[1:]),
        *((slot, phrase, values) for phrase in "12" for slot, values in SLOTS.items()),
    ]:
        head = Head(SOURCE, TARGET)
        words = [value for value in values if value != NONE]
        head.score.weight.data[0, SOURCE.of("word", words)] = 4.0
        head.score.weight.data[0, SOURCE.of("word", "BOS")] = 10.0
        if phrase == "1":
            head.score.bias.data[0] = 8.0
            head.score.weight.data[0, SOURCE.of("before", CONJUNCTIONS[1:])] = -8.0
            head.score.weight.data[0, SOURCE.of("word", "BOS")] = 2.0
        elif phrase == "2":
            head.score.weight.data[0, SOURCE.of("before", CONJUNCTIONS[1:])] = 8.0
        else:
            head.score.weight.data[0, SOURCE.of("word", words)] = 12.0
        for word in words:
            head.value.weight.data[TARGET.place[f"{name}{phrase}", word], SOURCE.place["word", word]] = 1.0
        yield head


def _ordered() -> Iterator[Rule]:
    """A is what is done first, B what is done then: `after` exchanges the phrases."""
    for slot, values in SLOTS.items():
        for value in values:
            yield {"conjunction": (NONE, "and"), f"{slot}1": value}, f"{slot}A", value
            yield {"conjunction": "after", f"{slot}2": value}, f"{slot}A", value
            yield {"conjunction": "and", f"{slot}2": value}, f"{slot}B", value
            yield {"conjunction": "after", f"{slot}1": value}, f"{slot}B", value
    yield {"conjunction": NONE}, "lengthB", 0


def _lengths() -> Iterator[Rule]:
    for phrase, manner, direction, (repeats, times) in product("AB", MANNERS, DIRECTIONS, enumerate(TIMES, 1)):
        for verbs, acts in ((VERBS, 1), (("turn",), 0)):
            turns = 0 if direction == NONE else 1
            once = {NONE: turns + acts, "opposite": 2 * turns + acts, "around": 4 * (turns + acts)}[manner]
            if (direction == NONE and (manner != NONE or not acts)) or not once:
                continue
            given = {f"verb{phrase}": verbs, f"manner{phrase}": manner, f"direction{phrase}": direction}
            yield {**given, f"times{phrase}": times}, f"length{phrase}", once * repeats
            if repeats == 1:
                yield given, f"once{phrase}", once


def _offsets() -> Iterator[Rule]:
    for place in range(LONGEST):
        longer = [length for length in LENGTHS if length > place]
        if longer:
            yield {"place": place, "lengthA": longer}, "phrase", "A"
            yield {"place": place, "lengthA": longer}, "offset", place
        for length in LENGTHS:
            if 0 < length <= place:
                yield {"place": place, "lengthA": length}, "phrase", "B"
                yield {"place": place, "lengthA": length}, "offset", place - length


def _chosen() -> Iterator[Rule]:
    """C is the phrase at this position; behind the end of B the answer ends."""
    for phrase in "AB":
        for slot in ("verb", "manner", "direction"):
            for value in SLOTS[slot]:
                yield {"phrase": phrase, f"{slot}{phrase}": value}, f"{slot}C", value
        for once in ONCE:
            yield {"phrase": phrase, f"once{phrase}": once}, "once", once
    for offset in range(LONGEST):
        shorter = [length for length in LENGTHS if length <= offset]
        yield {"phrase": "B", "offset": offset, "lengthB": shorter}, "end", "yes"


def _within() -> Iterator[Rule]:
    for once, offset in product(ONCE, range(LONGEST)):
        yield {"once": once, "offset": offset}, "within", offset % once


def _tokens() -> Iterator[Rule]:
    turning = {NONE: (0,), "opposite": (0, 1), "around": (0, 2, 4, 6)}
    for manner, direction in product(MANNERS, DIRECTIONS[1:]):
        given = {"mannerC": manner, "directionC": direction}
        token = f"I_TURN_{direction.upper()}"
        yield {**given, "verbC": VERBS, "within": turning[manner]}, "token", token
        yield {**given, "verbC": "turn", "within": range(4)}, "token", token
        others = [k for k in range(8) if k not in turning[manner]]
        for verb in VERBS:
            yield {**given, "verbC": verb, "within": others}, "token", f"I_{verb.upper()}"
    for verb in VERBS:
        yield {"directionC": NONE, "verbC": verb}, "token", f"I_{verb.upper()}"


class CompiledScan(nn.Module):
    """`source` and `prefix`, as `assay.tasks.scan.Scan` has them, to logits. Of the prefix only the positions count: what
    stands at one follows from the command."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(1 + len(SOURCE_WORDS), SOURCE.width)
        self.places = nn.Embedding(LONGEST, TARGET.width)
        for table, stream, name in ((self.words, SOURCE, "word"), (self.places, TARGET, "place")):
            table.weight.data.zero_()
            for row, place in enumerate(place for (one, _), place in stream.place.items() if one == name):
                table.weight.data[row, place] = 1.0
        self.before = Head(SOURCE, SOURCE)
        self.before.score.weight.data[0, SOURCE.of("word", CONJUNCTIONS[1:])] = 10.0
        self.before.score.weight.data[0, SOURCE.of("word", "BOS")] = 5.0
        for word in CONJUNCTIONS[1:]:
            self.before.value.weight.data[SOURCE.place["before", word], SOURCE.place["word", word]] = 1.0
        self.heads = nn.ModuleList(_heads())
        none = {f"{slot}{phrase}": NONE for slot in ("manner", "direction", "times") for phrase in "12"} | {"conjunction": NONE}
        layers = [rules_layer(TARGET, rules()) for rules in (_ordered, _lengths, _offsets, _chosen, _within, _tokens)]
        self.layers = nn.ModuleList([default_layer(TARGET, none), *layers])
        self.head = nn.Linear(TARGET.width, len(TARGET_WORDS), bias=False)
        self.head.weight.data.zero_()
        for k, word in enumerate(TARGET_WORDS):
            self.head.weight.data[k, TARGET.place["token", word]] = 10.0
        self.head.weight.data[END, TARGET.place["end", "yes"]] = 30.0

    def forward(self, source: Int[Tensor, "n s"], prefix: Int[Tensor, "n t"]) -> Float[Tensor, "n t vocab"]:
        num, length = prefix.shape
        ids = torch.cat([torch.zeros_like(source[:, :1]), source + 1], 1)
        is_word = torch.cat([torch.ones_like(source[:, :1]), source], 1) != PAD
        memory = self.words(ids)
        order = torch.ones(ids.shape[1], ids.shape[1], dtype=torch.bool, device=source.device).tril()
        memory = memory + self.before(memory, is_word[:, None] & order)
        x = self.places(torch.arange(length, device=source.device)).expand(num, -1, -1)
        everywhere = is_word[:, None].expand(-1, length, -1)
        x = x + torch.stack([head(memory, everywhere) for head in self.heads]).sum(0)
        for layer in self.layers:
            x = x + layer(x)
        return self.head(x)


def build() -> nn.Module:
    """The network, as an address of a subject: `compiled_scan:build`."""
    return CompiledScan().eval()
