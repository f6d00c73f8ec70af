"""Circuits of SmolLM2-135M-Instruct for the agreement of a verb with its subject, by pruning alone.

Items are `The SUBJECT near the ATTRACTOR`, all words of one token, behind `<|endoftext|>`; of ` is` and ` are` the one that
agrees with the subject is right, and in half of the items the attractor has the other number. Nodes are what attention has
mixed (576 units of each of 30 layers) and hidden units (1,536 of each); a node that is cut has its mean at that position, so
that the first token, on which attention rests, stays as it is.

Beside the circuit, with the same search: labels permuted among subjects, wrong ones, a copy with fresh weights; random circuits
with as many nodes of each layer; nodes in the order of first-order effects, without gates. Then the circuit on
subjects that it was not searched on, in another construction, and what its absence does to next tokens elsewhere.

    python experiments/circuits/agreement.py FOLDER [--nulls permuted wrong untrained]

FOLDER holds the model as `experiments/binding_language_model.py --wheel` wrote it.
"""

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import torch
import transformers
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from assay.hooks import replace as replacing
from assay.instruments.circuits.search import Circuit, GateConfig, Order, curve, gate_path, smallest
from assay.stats import mean_interval
from assay.task import Examples

NOUNS = (
    "dog", "cat", "bird", "horse", "teacher", "doctor", "student", "artist", "writer", "king", "boy", "girl", "friend",
    "worker", "key", "book", "car", "table", "chair", "house", "tree", "river", "road", "door", "window", "cup", "picture",
    "letter", "box", "ship", "stone", "flower",
)  # fmt: skip
NEAR = ("near", "behind", "beside", "above", "below", "under")
PREFIX = "<|endoftext|>"
TARGET = 0.15  # nats, of two answers
EFFECTS, POINTS = 128, 7  # items that first-order effects are of, and sizes on a curve
ELSEWHERE = (
    "The capital of France is a large city on the river Seine, known for its museums and its food.",
    "Water boils at one hundred degrees and freezes at zero, and it covers most of the planet.",
    "She opened the letter, read it twice, and put it back into the drawer without a word.",
    "To make bread you need flour, water, salt and yeast, and a few hours of patience.",
)


@dataclass(frozen=True)
class Words:
    """Nouns of one token in both numbers, as `(nouns, 2)` singular and plural, and other tokens."""

    nouns: Int[Tensor, "k 2"]
    near: Int[Tensor, " p"]
    frame: dict[str, int]

    @classmethod
    def of(cls, tokenizer: transformers.PreTrainedTokenizerBase) -> "Words":
        def one(word: str) -> list[int]:
            return tokenizer(word, add_special_tokens=False)["input_ids"]

        pairs = [(one(f" {noun}"), one(f" {noun}s")) for noun in NOUNS]
        nouns = [(a[0], b[0]) for a, b in pairs if len(a) == len(b) == 1]
        near = [one(f" {word}")[0] for word in NEAR if len(one(f" {word}")) == 1]
        frame = {word: one(word)[0] for word in (PREFIX, "The", " the", " is", " are", " that", " saw")}
        return cls(torch.tensor(nouns), torch.tensor(near), frame)

    def items(self, nouns: Sequence[int], num: int, *, generator: Generator, relative: bool = False) -> Examples:
        """`num` items, as many of each pair of numbers; or, `relative`, `The SUBJECT that the OTHER saw`."""
        nouns_here = torch.tensor(nouns)
        plural, other = torch.arange(num) % 2, torch.arange(num) // 2 % 2
        subject = nouns_here[torch.randint(len(nouns), (num,), generator=generator)]
        attractor = torch.randint(len(self.nouns), (num,), generator=generator)
        near = self.near[torch.randint(len(self.near), (num,), generator=generator)]
        first, second = self.nouns[subject, plural], self.nouns[attractor, other]
        columns = [self.frame[PREFIX], self.frame["The"], first]
        columns += (
            [self.frame[" that"], self.frame[" the"], second, self.frame[" saw"]]
            if relative
            else [near, self.frame[" the"], second]
        )
        tokens = torch.stack([c if isinstance(c, Tensor) else torch.full((num,), c) for c in columns], 1)
        parts = {"subject": plural, "attractor": other}
        return Examples({"tokens": tokens}, plural, parts, subject * 2 + plural)


class Place(NamedTuple):
    """The input of one module, `width` units of layer `layer`."""

    name: str
    width: int


class Count:
    """Nodes in the place of edges: the matrices between them are not counted."""

    def count(self, kept: Bool[Tensor, " nodes"]) -> int:
        return int(kept.sum())


class Pruned:
    """A language model whose nodes may hold their mean at each position, over items of the task."""

    edges = Count()

    def __init__(self, model: nn.Module, words: Words, reference: Examples, batch_size: int = 64):
        self.model, self.pair, self.batch_size = model, [words.frame[" is"], words.frame[" are"]], batch_size
        self.places = [
            Place(name, part.weight.shape[1])
            for name, part in model.named_modules()
            if isinstance(part, nn.Linear) and name.endswith(("self_attn.o_proj", "mlp.down_proj"))
        ]
        self.num = sum(place.width for place in self.places)
        self.means = self._averaged(reference)

    def over(self, reference: Examples) -> "Pruned":
        """The same with means over items of another construction."""
        other = copy(self)
        other.means = self._averaged(reference)
        return other

    def split(self, nodes: Tensor) -> Sequence[Tensor]:
        return nodes.split([place.width for place in self.places])

    def run(self, tokens: Tensor, changes: Sequence[Callable[[Tensor], Tensor]] = ()) -> Float[Tensor, "n c"]:
        """Logits behind the last token."""
        handles = [
            replacing(self.model.get_submodule(place.name), "in", change)
            for place, change in zip(self.places, changes, strict=False)
        ]
        try:
            return self.model(input_ids=tokens, logits_to_keep=1, use_cache=False).logits[:, -1]
        finally:
            for handle in handles:
                handle.remove()

    def batches(self, examples: Examples) -> Iterator[Examples]:
        for start in range(0, len(examples), self.batch_size):
            yield examples.take(torch.arange(start, min(start + self.batch_size, len(examples))))

    def _averaged(self, reference: Examples) -> list[Float[Tensor, "t width"]]:
        sums: list[Tensor] = [torch.zeros(())] * len(self.places)
        for batch in self.batches(reference):

            def note(k: int) -> Callable[[Tensor], Tensor]:
                def keep(x: Tensor) -> Tensor:
                    sums[k] = sums[k] + x.detach().sum(0)
                    return x

                return keep

            with torch.no_grad():
                self.run(batch.inputs["tokens"], [note(k) for k in range(len(self.places))])
        return [one / len(reference) for one in sums]

    def cutting(self, mask: Tensor) -> list[Callable[[Tensor], Tensor]]:
        return [
            lambda x, own=own, mean=mean: own * x + (1 - own) * mean[: x.shape[1]]
            for own, mean in zip(self.split(mask), self.means, strict=True)
        ]

    def two(self, logits: Float[Tensor, "n c"]) -> Float[Tensor, "n 2"]:
        return logits[:, self.pair]

    @torch.no_grad()
    def losses(self, examples: Examples, kept: Bool[Tensor, " nodes"] | None) -> Float[Tensor, " n"]:
        """Of two answers, in nats."""
        changes = [] if kept is None else self.cutting(kept.float())
        found = [
            F.cross_entropy(self.two(self.run(b.inputs["tokens"], changes)), b.targets, reduction="none")
            for b in self.batches(examples)
        ]
        return torch.cat(found).double()

    def loss(self, batch: Examples, mask: Float[Tensor, " nodes"], live: Bool[Tensor, " nodes"]) -> Tensor:
        return F.cross_entropy(self.two(self.run(batch.inputs["tokens"], self.cutting(mask))), batch.targets)

    def effects(self, examples: Examples) -> Float[Tensor, " nodes"]:
        """First-order effects of cutting each node, as the instrument has them."""
        sums = torch.zeros(self.num)
        for batch in self.batches(examples):
            live: list[Tensor] = []

            def watch(x: Tensor, live: list[Tensor] = live) -> Tensor:
                x = x if x.requires_grad else x.requires_grad_()
                live.append(x)
                return x

            with torch.enable_grad():
                logits = self.two(self.run(batch.inputs["tokens"], [watch] * len(self.places)))
                slopes = torch.autograd.grad(F.cross_entropy(logits, batch.targets, reduction="sum"), live)
            effects = [
                (slope * (x.detach() - mean)).sum(1).abs().sum(0)
                for slope, x, mean in zip(slopes, live, self.means, strict=True)
            ]
            sums += torch.cat(effects)
        return sums / len(examples)


class Searched(NamedTuple):
    """By gates, and in the order of first-order effects alone: the order and the smallest circuit, None where there is none."""

    gates: tuple[Order, Circuit | None]
    effects: tuple[Order, Circuit | None]

    @property
    def smallest(self) -> Circuit | None:
        found = [circuit for _, circuit in self if circuit is not None]
        return min(found, key=lambda one: one.edges, default=None)


def searched(network: Pruned, searching: Examples, choosing: Examples, config: GateConfig, seed: int) -> Searched:
    """The smallest circuits for some labels."""
    effects = network.effects(searching.take(torch.arange(min(len(searching), EFFECTS))))
    gates = Generator().manual_seed(seed)
    order = gate_path(network.loss, effects, searching, config, generator=gates, device=torch.device("cpu"))
    found = []
    for name, one in (("gates", order), ("first-order effects", Order(effects.argsort(descending=True, stable=True)))):
        circuits = curve(network, one, choosing, points=POINTS)
        best = smallest(network, one, circuits, choosing, target=TARGET)
        print(
            f"  {name}: {'no circuit' if best is None else f'{best.edges} nodes'}; nodes and loss "
            + ", ".join(f"{each.edges} {each.loss:.3f}" for each in circuits),
            flush=True,
        )
        found.append((one, best))
    return Searched(*found)


def permuted(examples: Examples, *, seed: int) -> Examples:
    """Every subject in each number has an answer drawn at random, always the same."""
    answers = torch.randint(2, (2 * len(NOUNS),), generator=Generator().manual_seed(seed))
    return replace(examples, targets=answers[examples.combination])


def alike(network: Pruned, kept: Bool[Tensor, " nodes"], *, generator: Generator) -> Bool[Tensor, " nodes"]:
    """As many nodes of each place."""
    found = torch.zeros_like(kept)
    for mask, chosen in zip(network.split(kept), network.split(found), strict=True):
        chosen[torch.randperm(len(mask), generator=generator)[: int(mask.sum())]] = True
    return found


@torch.no_grad()
def elsewhere(network: Pruned, tokenizer: transformers.PreTrainedTokenizerBase, kept: Bool[Tensor, " nodes"] | None) -> float:
    """Nats for each token of other sentences, when kept nodes alone are as they are; means of the last position go on."""
    total, num = 0.0, 0
    for text in ELSEWHERE:
        ids = torch.tensor([tokenizer(PREFIX + text, add_special_tokens=False)["input_ids"]])
        changes = [] if kept is None else [
            lambda x, own=own, mean=mean: torch.where(own, x, torch.cat([x[:, :1], mean[1:].mean(0).expand_as(x[:, 1:])], 1))
            for own, mean in zip(network.split(kept), network.means, strict=True)
        ]  # fmt: skip
        handles = [
            replacing(network.model.get_submodule(place.name), "in", change)
            for place, change in zip(network.places, changes, strict=False)
        ]
        try:
            logits = network.model(input_ids=ids, use_cache=False).logits[0, :-1]
        finally:
            for handle in handles:
                handle.remove()
        total += float(F.cross_entropy(logits, ids[0, 1:], reduction="sum"))
        num += ids.shape[1] - 1
    return total / num


def shown(losses: Float[Tensor, " n"]) -> str:
    found = mean_interval(losses)
    return f"{float(losses.mean()):.3f} [{found.low:.3f}, {found.high:.3f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--nulls", nargs="*", default=["permuted", "wrong"], choices=["permuted", "wrong", "untrained"])
    parser.add_argument("--steps", type=int, nargs=2, default=[12, 6], help="of the first price, and of each further one")
    parser.add_argument("--prices", type=float, nargs="+", default=[8.0, 32.0, 128.0])
    parser.add_argument("--batch", type=int, default=42, help="items of a step")
    parser.add_argument("--rate", type=float, default=0.05)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--own-alone", action="store_true", help="only the loss of the model")
    given = parser.parse_args()
    torch.set_num_threads(1)
    start = time.process_time()
    tokenizer = transformers.AutoTokenizer.from_pretrained(given.folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(given.folder, dtype=torch.float32).eval().requires_grad_(False)
    words = Words.of(tokenizer)
    nouns = torch.randperm(len(words.nouns), generator=Generator().manual_seed(given.seed)).tolist()
    inside, held = nouns[: len(nouns) * 3 // 4], nouns[len(nouns) * 3 // 4 :]
    drawn = {
        name: words.items(inside, num, generator=Generator().manual_seed(k))
        for k, (name, num) in enumerate((("searching", 256), ("choosing", 48), ("judging", 64)))
    }
    drawn["other subjects"] = words.items(held, 48, generator=Generator().manual_seed(7))
    drawn["relative clause"] = words.items(nouns, 48, generator=Generator().manual_seed(8), relative=True)
    config = GateConfig(prices=tuple(given.prices), steps=tuple(given.steps), batch_size=given.batch, learning_rate=given.rate)
    network = Pruned(model, words, drawn["searching"])
    print(f"{len(words.nouns)} nouns, {len(words.near)} prepositions, {network.num} nodes")
    for name, some in list(drawn.items())[1:]:
        whole = network.losses(some, None)
        print(f"  the network, {name}: loss {shown(whole)}, right {float((whole < 0.6931).double().mean()):.3f}", flush=True)
    if given.own_alone:
        return
    judged(network, drawn, tokenizer, searched(network, drawn["searching"], drawn["choosing"], config, given.seed))
    print(f"{time.process_time() - start:.0f} CPU s", flush=True)
    for null in given.nulls:
        other, sets = network, drawn
        if null == "untrained":
            torch.manual_seed(given.seed)
            fresh = type(model)(model.config).eval().requires_grad_(False)
            other = Pruned(fresh, words, drawn["searching"])
        elif null == "permuted":
            sets = {name: permuted(some, seed=given.seed + 1) for name, some in drawn.items()}
        else:
            sets = {name: replace(some, targets=1 - some.targets) for name, some in drawn.items()}
        print(f"{null}:")
        searched(other, sets["searching"], sets["choosing"], config, given.seed)
        print(f"{time.process_time() - start:.0f} CPU s", flush=True)


def judged(network: Pruned, drawn: dict[str, Examples], tokenizer, found: Searched) -> None:
    """The smallest circuit, what it is worth, and random ones of the same layers."""
    best = found.smallest
    if best is None:
        return
    stages = (f"price {one.price:g}: {int(one.kept.sum())} nodes, loss {one.loss:.3f}" for one in found.gates[0].stages)
    print("  path of the gates: " + ", ".join(stages))
    kinds = {"attention": "self_attn.o_proj", "hidden units": "mlp.down_proj"}
    for kind, name in kinds.items():
        masks = [m for place, m in zip(network.places, network.split(best.kept), strict=True) if place.name.endswith(name)]
        print(f"  {kind} by layer: " + " ".join(str(int(mask.sum())) for mask in masks))
    for name in ("judging", "other subjects", "relative clause"):
        there = network if name != "relative clause" else network.over(drawn[name])
        alone, without = there.losses(drawn[name], best.kept), there.losses(drawn[name], ~best.kept)
        print(f"  {name}: circuit alone {shown(alone)}, without it {shown(without)}", flush=True)
    random = [alike(network, best.kept, generator=Generator().manual_seed(k)) for k in range(2)]
    judging = drawn["judging"]
    told = [(float(network.losses(judging, one).mean()), float(network.losses(judging, ~one).mean())) for one in random]
    print("  random circuits, alone and without: " + ", ".join(f"{a:.3f} {w:.3f}" for a, w in told))
    print(
        f"  next tokens elsewhere, nats: whole {elsewhere(network, tokenizer, None):.2f}, without the circuit "
        f"{elsewhere(network, tokenizer, ~best.kept):.2f}, without a random one {elsewhere(network, tokenizer, ~random[0]):.2f}"
    )


if __name__ == "__main__":
    main()
