"""Tensors in memory: two numbers and their sum modulo 23, in a table whose parts are declared and whose rule is known."""

import torch
from torch import nn

import assay
from assay.report import figures_of
from assay.report.canvas import Svg


class Adder(nn.Module):
    def __init__(self, modulus: int):
        super().__init__()
        self.embed = nn.Embedding(2 * modulus, 48)
        self.layers = nn.Sequential(nn.Linear(96, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, modulus))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.layers(self.embed(tokens).flatten(1))


def main(*, modulus: int = 23, steps: int = 1_500) -> Svg:
    """The curves of where the parts are combined, of a network trained on 80 % of all pairs."""
    generator = torch.Generator().manual_seed(0)
    i, j = torch.cartesian_prod(torch.arange(modulus), torch.arange(modulus)).T
    novel = torch.rand(len(i), generator=generator) > 0.8
    tokens, targets = torch.stack([i, j + modulus], 1), (i + j) % modulus
    task = assay.Table(
        inputs=tokens,
        targets=targets,
        parts={"i": i, "j": j},
        split=novel,
        executor=lambda parts, row: (parts["i"] + parts["j"]) % modulus,
    )
    torch.manual_seed(0)
    network = Adder(modulus)
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-2, weight_decay=1.0)
    for _ in range(steps):
        optimiser.zero_grad()
        nn.functional.cross_entropy(network(tokens[~novel]), targets[~novel]).backward()
        optimiser.step()
    instruments = [assay.load_instrument(name) for name in ("systematicity", "recombination")]
    result = assay.audit(assay.Subject(network, name="adder"), task, effort="quick", instruments=instruments, progress=None)
    print(result.verdict.sentence)
    return figures_of(result.evidence[-1]).get("Curves") or figures_of(result.evidence[0])["measures"]


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
