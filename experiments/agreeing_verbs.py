"""Decodable and used are two things: a small language model learns to let verbs agree, and then loses parts of its states.

The model reads the sentences of `treebank:en_nested` from left to right, one token a word. It is kept as a Hugging Face folder,
so that the command line takes it too: `assay audit FOLDER --task treebank:en_nested --instrument polar`. Beside the trees as
they are, the model is asked for trees in which the relation of a subject says how many they are: that is what agreement needs.
"""

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Generator
from torch.nn import functional as F

import assay
from assay.graph import Graph, GraphSplit
from assay.instrument import run
from assay.instruments.polar import Polar
from assay.tasks.nested import nested_sentences
from assay.tasks.treebank import Treebank

PAD, UNKNOWN = "[PAD]", "[UNK]"
WINDOW = 24  # words


def tokenizer_of(words: set[str]) -> Any:
    """One token for every word."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    vocab = {word: index for index, word in enumerate([PAD, UNKNOWN, *sorted(words)])}
    inner = Tokenizer(models.WordLevel(vocab, unk_token=UNKNOWN))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=inner, pad_token=PAD, unk_token=UNKNOWN)


def untrained(tokenizer: Any, *, seed: int = 0) -> Any:
    """GPT-2 in small."""
    from transformers import GPT2Config, GPT2LMHeadModel

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        sizes = {"n_embd": 64, "n_layer": 2, "n_head": 2, "n_positions": WINDOW}
        dropout = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
        ends = {"bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0}
        return GPT2LMHeadModel(GPT2Config(vocab_size=len(tokenizer), **sizes, **dropout, **ends))


def train(*, steps: int = 700, batch: int = 24, seed: int = 0, num_sentences: int = 12_000) -> tuple[Any, Any]:
    """A model that predicts the next word of our sentences, and its tokenizer.

    It reads windows of a long text, which begin anywhere in a sentence: the place of a word does not tell what it is.
    """
    generator = Generator().manual_seed(seed)
    sentences = [one.graph.words for one in nested_sentences(num_sentences, generator=generator)]
    tokenizer = tokenizer_of({word for words in sentences for word in words})
    order = torch.randperm(len(sentences), generator=generator).tolist()
    text = torch.tensor(tokenizer.convert_tokens_to_ids([word for k in order for word in sentences[k]]))
    model = untrained(tokenizer, seed=seed)
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=3e-3, total_steps=steps)
    for _ in range(steps):
        starts = torch.randint(len(text) - WINDOW, (batch, 1), generator=generator)
        tokens = text[starts + torch.arange(WINDOW)]
        logits = model(input_ids=tokens).logits[:, :-1]
        optimiser.zero_grad()
        F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten()).backward()
        optimiser.step()
        schedule.step()
    return model.eval(), tokenizer


def keep(model: Any, tokenizer: Any, folder: Path) -> None:
    """As a folder that transformers, and so Assay, can load."""
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


@dataclass(frozen=True, kw_only=True)
class Numbered(Treebank):
    """The same trees, but that a subject's relation to its verb says how many they are."""

    def graphs(self, split: GraphSplit, n: int, *, generator: Generator) -> tuple[Graph, ...]:
        return tuple(numbered(graph) for graph in super().graphs(split, n, generator=generator))


def numbered(graph: Graph) -> Graph:
    """`nsubj-many` or `nsubj-one` in place of `nsubj`."""
    count = {True: "nsubj-many", False: "nsubj-one"}
    edges = ((head, node, count[graph.words[node][-1] == "s"] if name == "nsubj" else name) for head, node, name in graph.edges)
    return replace(graph, edges=tuple(edges))


def main(folder: Path) -> None:
    """Train, keep, and tell what is decoded and what is used, by the model and by one that learned nothing."""
    model, tokenizer = train()
    keep(model, tokenizer, folder / "trained")
    keep(untrained(tokenizer), tokenizer, folder / "untrained")
    for relations, task in (("plain", Treebank(name="en_nested")), ("with number", Numbered(name="en_nested"))):
        for name in ("trained", "untrained"):
            subject = assay.load_subject(str(folder / name), task=task)
            evidence = run(Polar(rank=8), subject, task, effort="quick", seed=0)
            print(f"{name}, relations {relations}: {evidence.summary}")
            for of in ("polar subspace", "relation axes"):
                used = evidence.measure(f"agreement_lost_without_the_{of.replace(' ', '_')}")
                nulls = ", ".join(f"{null.name} {null.mean:.3f}" for null in used.nulls)
                print(f"  agreement lost without the {of}: {used.value:.3f} ({nulls}); {used.note}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "agreement-models"))
