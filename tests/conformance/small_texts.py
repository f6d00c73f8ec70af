"""Small texts of a grammar in which words of one class stand in the same places, and language models for them."""

import copy
import functools
import itertools
from dataclasses import dataclass

import numpy as np
import torch
from torch import Generator, nn

from assay.encoding.scoring import ScoredText
from assay.models.language_model import LanguageModel
from assay.subject import Subject
from assay.task import Task
from assay.tasks.text import Text
from assay.text import NGrams
from assay.text.corpus import END, SYMBOLS, Corpus, symbols_of

LENGTH, DOCUMENTS, LINES = 32, 22, 12
CLASSES = {
    "animal": ("cat", "dog", "cow", "horse", "mouse", "goat", "sheep", "duck", "goose", "lion", "tiger", "bear"),
    "place": ("barn", "field", "river", "forest", "garden", "valley", "village", "market", "bridge", "island", "mill", "lake"),
    "quality": ("big", "small", "old", "young", "quick", "slow", "happy", "quiet", "brown", "white", "black", "grey"),
    "action": ("saw", "chased", "followed", "heard", "liked", "found", "missed", "called", "met", "left", "fed", "led"),
}
FORMS = (
    "the {quality} {animal} {action} a friend near the {place}.",
    "near the {place} a {quality} {animal} {action} them all.",
)
"""Every class once in each, so that no class is more frequent than another."""


@dataclass(frozen=True, kw_only=True)
class SmallTexts(Text):
    """The grammar's texts. `documents`: on each side; fewer than two give a few lines alone."""

    length: int = LENGTH
    num_words: int = 20
    documents: int = DOCUMENTS
    backwards: bool = False

    def corpus(self) -> Corpus:
        lines = LINES if self.documents > 1 else 3 + 2 * self.documents
        train, test = (tuple(document(2 * k + side, lines) for k in range(max(1, self.documents))) for side in (0, 1))
        return Corpus("small texts", train[::-1], test[::-1]) if self.backwards else Corpus("small texts", train, test)

    def relations(self, words):
        return {}

    def ratings(self):
        return {}

    def analogies(self):
        return []

    def classes(self, words):
        kinds = {word: kind for kind, some in CLASSES.items() for word in some}
        return {"grammar": {word: kinds[word] for word in words if word in kinds}}

    def tags(self):
        return {}


def document(seed: int, lines: int) -> str:
    """So many sentences, one a line."""
    rng = np.random.default_rng(seed)
    drawn = itertools.repeat(None, lines)
    return "".join(FORMS[int(rng.integers(len(FORMS)))].format_map(_Drawing(rng)) + "\n" for _ in drawn)


class _Drawing(dict):
    """A word of the class that is asked for, another each time."""

    def __init__(self, rng: np.random.Generator):
        self.rng = rng

    def __missing__(self, key: str) -> str:
        return CLASSES[key][int(self.rng.integers(len(CLASSES[key])))]


def fresh(task: Task, generator: Generator) -> nn.Module:
    """An untrained language model of one block."""
    with torch.random.fork_rng():
        torch.manual_seed(int(torch.randint(2**31, (1,), generator=generator)))
        return LanguageModel(vocab=SYMBOLS, context=LENGTH, width=32, depth=1, heads=2).eval()


def _fitted(symbols: torch.Tensor, seed: int, steps: int) -> Subject:
    draw = functools.partial(fresh, None)
    module = draw(Generator().manual_seed(seed)).train()
    optimiser, generator = torch.optim.Adam(module.parameters(), lr=5e-3), Generator().manual_seed(seed)
    for _ in range(steps):
        starts = torch.randint(len(symbols) - LENGTH - 1, (24,), generator=generator)
        rows = symbols[starts[:, None] + torch.arange(LENGTH + 1)]
        optimiser.zero_grad()
        nn.functional.cross_entropy(module(rows[:, :-1]).flatten(0, 1), rows[:, 1:].flatten()).backward()
        optimiser.step()
    return Subject(module.eval(), name=f"fitted {seed}", fresh=draw)


def _stream(texts: tuple[str, ...]) -> torch.Tensor:
    return torch.from_numpy(np.concatenate([[END], *(symbols_of(text) for text in texts)]).astype(np.int64))


@functools.cache
def learned() -> Subject:
    """A model that has read the texts."""
    return _fitted(_stream(SmallTexts().corpus().train), 0, 500)


def trained_on_noise(task: Task, num: int) -> list[Subject]:
    """Models that have read the same bytes in no order."""
    stream = _stream(SmallTexts().corpus().train)
    return [_fitted(stream[torch.randperm(len(stream), generator=Generator().manual_seed(k))], k, 100) for k in range(num)]


class Tabled(nn.Module):
    """A network of bytes whose state behind the last letter of a word is the word's row of a table, and which knows nothing of
    what comes next."""

    def __init__(self, words: tuple[str, ...], table: torch.Tensor):
        super().__init__()
        self.rows = {word.encode(): row for row, word in enumerate(words, 1)}
        self.state = nn.Embedding.from_pretrained(torch.cat([torch.zeros(1, table.shape[1]), table]).float())
        self.head = nn.Linear(table.shape[1], SYMBOLS)

    def forward(self, tokens):
        rows = torch.zeros_like(tokens)
        for k, text in enumerate(tokens.tolist()):
            word = b""
            for place, byte in enumerate(text):
                word = word + bytes([byte]) if byte < END and chr(byte).isalpha() else b""
                rows[k, place] = self.rows.get(word.lower(), 0)
        return self.head(self.state(rows))


def tabled(words: tuple[str, ...], table: np.ndarray) -> Subject:
    """With untrained copies whose table is noise."""

    def fresh(generator: Generator) -> nn.Module:
        return Tabled(words, torch.randn(table.shape, generator=generator)).eval()

    return Subject(Tabled(words, torch.from_numpy(table)).eval(), name="tabled", fresh=fresh)


@torch.no_grad()
def permuted(module: nn.Module) -> nn.Module:
    """The units between the two layers of every feed-forward part in another order."""
    module = copy.deepcopy(module)
    for number, block in enumerate(module.blocks):
        order = torch.randperm(len(block.mlp.up.weight), generator=Generator().manual_seed(number))
        block.mlp.up.weight.copy_(block.mlp.up.weight[order])
        block.mlp.up.bias.copy_(block.mlp.up.bias[order])
        block.mlp.down.weight.copy_(block.mlp.down.weight[:, order])
    return module


@dataclass
class Counting:
    """Codes with n-grams in place of whatever network it is given, with a hundredth more bits."""

    model: NGrams
    order: int
    pseudo: bool = False
    prefix: str = ""

    def on(self, subject):
        return self

    def tokens(self, text):
        return symbols_of(text).astype(np.int64)

    def score(self, text):
        tokens = self.tokens(text)
        ends = np.minimum(np.arange(1, len(tokens) + 1), len(tokens) - 1)
        return ScoredText(1.01 * self.model.bits(text)[self.order], ends, tokens, tokens)
