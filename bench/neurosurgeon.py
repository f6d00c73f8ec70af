"""NeuroSurgeon 0.1.0 by the recipe of Lepori, Serre and Pavlick 2023 (arXiv 2301.10884), for the other benchmarks."""

import copy
import types
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from assay.masks import Mask
from assay.task import Examples

EPOCHS, BATCH, RATE, START, LAST = 90, 64, 0.01, 0.05, 200.0
EPOCH_PROBLEMS = (9_500, 2_500)  # of agreement and of anaphora, the most and the fewest of theirs
PRICE = 1e-8 * 12 * 4 * 512**2  # of a whole network: theirs of a weight, times the weights of a BERT of 4 layers, 512 wide


class Answering(nn.Module):
    """Takes keywords and returns an object with a loss, which is what NeuroSurgeon asks of a network."""

    def __init__(self, inner: nn.Module):
        super().__init__()
        self.inner = inner

    def forward(self, items: Tensor, labels: Tensor | None = None, return_dict: bool = True) -> types.SimpleNamespace:
        scores = self.inner(items)
        return types.SimpleNamespace(logits=scores, loss=None if labels is None else F.cross_entropy(scores, labels))


@dataclass
class Reference:
    """NeuroSurgeon on one frozen network: `logits` are its masks by parameter."""

    module: nn.Module
    parameters: Sequence[str]
    price: float

    def circuit(self, ablation: str, logits: dict[str, Tensor] | None = None) -> nn.Module:
        """Its model of the network, built anew, with the masks that were found."""
        from NeuroSurgeon.Models.circuit_model import CircuitModel
        from NeuroSurgeon.Models.model_configs import CircuitConfig

        hparams = {"ablation": ablation, "mask_unit": "weight", "mask_bias": False, "mask_init_value": START}
        config = CircuitConfig(
            mask_method="continuous_sparsification",
            mask_hparams=hparams,
            target_layers=[f"inner.{name.removesuffix('.weight')}" for name in self.parameters],
            add_l0=True,
            l0_lambda=self.price,
        )
        model = CircuitModel(config, Answering(copy.deepcopy(self.module)))
        with torch.no_grad():
            for name, logit in (logits or {}).items():
                dict(model.named_parameters())[self._of(name)].copy_(logit)
        model.train(logits is None)
        return model

    def steps(self, examples: Examples, *, per_epoch: int, generator: Generator) -> Iterator[dict[str, Tensor]]:
        """The logits after every step of the recipe."""
        model = self.circuit("none")
        logits = {name: dict(model.named_parameters())[self._of(name)] for name in self.parameters}
        adam = torch.optim.Adam(logits.values(), lr=RATE)
        for epoch in range(EPOCHS):
            model.temperature = LAST ** (epoch / EPOCHS)
            order = torch.randperm(len(examples), generator=generator)
            for rows in order.split(BATCH)[:per_epoch]:
                loss = model(items=examples.inputs["items"][rows], labels=examples.targets[rows]).loss
                adam.zero_grad()
                loss.backward()
                adam.step()
                yield logits

    def ablations(self, logits: dict[str, Tensor], sets: Sequence[Examples]) -> list[list[float]]:
        """Accuracy on every set of the mask alone, without it, and with fresh weights in its place: rebuilt for each."""
        rebuilt = (self.circuit(how, logits) for how in ("none", "zero_ablate", "random_ablate"))
        return [[accuracy(model, examples) for examples in sets] for model in rebuilt]

    def random_masks(self, logits: dict[str, Tensor], sets: Sequence[Examples], *, draws: int) -> list[list[float]]:
        """The same without random masks of its size."""
        model = self.circuit("randomly_sampled", logits)
        found = []
        for _ in range(draws):
            model.set_ablate_mode("randomly_sampled", force_resample=True)
            found.append([accuracy(model, examples) for examples in sets])
        return found

    def mask(self, logits: dict[str, Tensor]) -> Mask:
        keep = {name: logit.detach() > 0 for name, logit in logits.items()}
        return Mask("weight", keep, {name: tuple(logit.shape) for name, logit in logits.items()})

    @staticmethod
    def _of(name: str) -> str:
        return f"wrapped_model.inner.{name.removesuffix('.weight')}.weight_mask_params"


@torch.no_grad()
def accuracy(model: nn.Module, examples: Examples) -> float:
    scores = model(items=examples.inputs["items"]).logits
    return float((scores.argmax(1) == examples.targets).float().mean())
