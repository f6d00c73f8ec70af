"""A task of one's own: the sum of two noisy digits modulo 9. There is no end of inputs, so no table holds it."""

import torch
from torch import Generator, Tensor, nn

import assay
from assay.task import Split, Swapped, draw_rows

DIGITS = 9


class NoisySum(assay.Task):
    """Both digits one-hot, with noise on every number; 60 % of the pairs are trained, the others are novel."""

    address = "own_task:build"  # what `--task` takes: a function without arguments that returns the task
    parts = tuple(assay.Part(name, tuple("012345678")) for name in ("first", "second"))
    combines = ("first", "second")
    input_spec = None  # what a reference model of Assay's would need to know
    objective = assay.Classification(DIGITS)

    def combinations(self, split: Split) -> Tensor:
        pairs = torch.cartesian_prod(torch.arange(DIGITS), torch.arange(DIGITS))
        order = torch.randperm(len(pairs), generator=Generator().manual_seed(0))  # the same for every split
        return pairs[order[49:] if split == "novel" else order[:49]]

    def examples(self, split: Split, n: int, *, generator: Generator) -> assay.Examples:
        pairs = self.combinations(split)
        chosen = pairs[draw_rows(len(pairs), n, replacement=True, generator=generator)]
        x = nn.functional.one_hot(chosen, DIGITS).flatten(1).float()
        x = x + 0.1 * torch.randn(x.shape, generator=generator)
        values = dict(zip(self.combines, chosen.T, strict=True))
        return assay.Examples({"input": x}, chosen.sum(1) % DIGITS, values, self.combination_id(values))

    def swap(self, base: assay.Examples, source: assay.Examples, part: str) -> Swapped:
        """What follows when one digit of `base` is that of `source`: with this, recombination asks for pairs never trained."""
        values = {name: (source if name == part else base).parts[name] for name in self.combines}
        return Swapped(sum(values.values()) % DIGITS, values, self.combination_id(values))


def build() -> NoisySum:
    return NoisySum()


def main() -> assay.Audit:
    torch.manual_seed(0)
    task, generator = build(), Generator().manual_seed(0)
    network = nn.Sequential(nn.Linear(2 * DIGITS, 64), nn.ReLU(), nn.Linear(64, DIGITS))
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-2, weight_decay=0.1)
    for _ in range(300):
        batch = task.examples("train", 128, generator=generator)
        optimiser.zero_grad()
        task.loss(network(batch.inputs["input"]), batch).backward()
        optimiser.step()
    result = assay.audit(assay.Subject(network), task, effort="quick")  # forward is given the inputs by their names
    print(result.verdict.sentence)
    return result


if __name__ == "__main__":
    main()
