"""A network that writes a scratchpad from one-hot codes of its source and of what stands before, trained within a second."""

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from assay.subject import Subject
from assay.task import Examples, Split, Task
from assay.tasks.non_adjacent_sum import NonAdjacentSum

WIDTH = 96
SIZES = {"n": 3, "high": 3, "train": 60, "novel": 280}
TASK = NonAdjacentSum(**SIZES)


class OtherLists(NonAdjacentSum):
    """The same lists, the last first."""

    def examples(self, split: Split, n: int, *, generator: Generator) -> Examples:
        examples = super().examples(split, n, generator=generator)
        return examples.take(torch.arange(len(examples)).flip(0))


def few(seen: int, novel: int) -> NonAdjacentSum:
    """The task with so many lists of either kind."""
    task, lists = NonAdjacentSum(**SIZES), TASK._lists
    task.__dict__["_lists"] = {"train": lists["seen"][:seen], "seen": lists["seen"][:seen], "novel": lists["novel"][:novel]}
    return task


class Stepwise(nn.Module):
    """`source` and `prefix` to logits `(n, target_length, vocab)`."""

    def __init__(self, task: NonAdjacentSum = TASK):
        super().__init__()
        spec = task.input_spec
        self.source_vocab, self.vocab, self.length = spec.source_vocab, spec.target_vocab, spec.target_length
        inputs = spec.source_length * self.source_vocab + self.length * self.vocab + self.length
        self.layers = nn.Sequential(nn.Linear(inputs, WIDTH), nn.ReLU(), nn.Linear(WIDTH, self.vocab))

    def forward(self, source: Tensor, prefix: Tensor) -> Tensor:
        length = prefix.shape[1]
        before = torch.ones(length, length).tril()[None, :, :, None]  # position t sees the prefix up to t
        codes = F.one_hot(prefix, self.vocab).float()[:, None] * before
        codes = F.pad(codes, (0, 0, 0, self.length - length)).flatten(2)
        fixed = F.one_hot(source, self.source_vocab).float().flatten(1)[:, None].expand(-1, length, -1)
        places = torch.eye(self.length)[:length].expand(len(source), -1, -1)
        return self.layers(torch.cat([fixed, codes, places], -1))


def fresh(task: Task, generator: Generator) -> nn.Module:
    module = Stepwise()
    with torch.no_grad():
        for weight in module.parameters():
            weight.normal_(0, 0.15, generator=generator)
    return module.eval()


def fit(module: nn.Module, examples: Examples, targets: Tensor, steps: int = 400) -> None:
    """Cross-entropy on all tokens, the whole set at once."""
    optimizer = torch.optim.Adam(module.parameters(), lr=1e-2)
    for _ in range(steps):
        optimizer.zero_grad()
        F.cross_entropy(module(**examples.inputs).flatten(0, 1), targets.flatten()).backward()
        optimizer.step()
    for weight in module.parameters():
        weight.grad = None


def trained(num: int, *, wrong: bool) -> list[Subject]:
    """On the right tokens, or on those of other lists, whose prefixes are then wrong too."""
    subjects = []
    for seed in range(num):
        generator = Generator().manual_seed(seed)
        module = fresh(TASK, generator)
        examples = TASK.examples("seen", 10**6, generator=generator)
        targets = examples.targets[torch.randperm(len(examples), generator=generator)] if wrong else examples.targets
        fit(module, examples, targets)
        subjects.append(Subject(module, name=f"stepwise {seed}", fresh=lambda g: fresh(TASK, g)))
    return subjects
