"""A BERT of the tiny shape, and odd-one-out problems on words for it, for the other benchmarks."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Bool
from torch import Generator, Tensor, nn

from assay.models.odd_one_out import ItemScorer
from assay.task import Pool, Tokens
from assay.tasks.odd_one_out import GroupedItems, OddOneOut
from assay.training import TrainingConfig, TrainingData, fit

VOCAB = 65  # the first token opens a sentence


@dataclass(frozen=True, kw_only=True)
class TwoWords(OddOneOut):
    """A sentence of three words after an opening token. Part `subject` requires the first word to be even, `verb` the last; the
    one between is irrelevant. Pools share no pair of first and last word."""

    family: ClassVar[str] = "two-words"
    part_names: ClassVar[tuple[str, str]] = ("subject", "verb")
    spare: ClassVar[int] = 4

    def item_spec(self) -> Tokens:
        return Tokens(VOCAB, 4)

    def candidates(self, obeys: Bool[Tensor, "m 2"], *, pool: Pool, generator: Generator) -> GroupedItems:
        words = torch.randint((VOCAB - 1) // 2, (len(obeys), 3), generator=generator) * 2 + 1
        words[:, 0] += obeys[:, 0]
        words[:, 2] += obeys[:, 1]
        words[:, 1] += torch.randint(2, (len(obeys),), generator=generator)
        items = torch.cat([torch.zeros(len(obeys), 1, dtype=torch.int64), words], 1)
        return GroupedItems(items, words[:, 0] * VOCAB + words[:, 2])


class Opening(nn.Module):
    """The last state of the opening token in a BERT of the tiny shape."""

    def __init__(self):
        super().__init__()
        from transformers import BertConfig, BertModel

        shape = {"hidden_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 512}
        dropout = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
        config = BertConfig(vocab_size=VOCAB, max_position_embeddings=16, **shape, **dropout)
        self.bert = BertModel(config, add_pooling_layer=False)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.bert(input_ids=tokens).last_hidden_state[:, 0]


def trained_bert(task: TwoWords) -> nn.Module:
    draws = Generator().manual_seed(0)
    problems = task.problems(20_000, pool="base", generator=draws)
    model = fresh_bert(draws)
    config = TrainingConfig(steps=400, batch_size=64, learning_rate=5e-4)
    fit(model, TrainingData(problems.inputs, problems.targets, task.objective), config=config)
    return model


def fresh_bert(generator: Generator) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(int(torch.randint(2**62, (1,), generator=generator)))
        return ItemScorer(Opening()).eval()
