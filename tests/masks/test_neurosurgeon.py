"""The same masks, batches and seeds give the loss of NeuroSurgeon 0.1.0, step by step."""

import types
import warnings

import pytest
import torch
from networks import mlp
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from assay.masks import ContinuousSparsification, HardConcrete, MaskTraining, Relaxation, units_of

STEPS, RATE = 100, 0.05


class Output(nn.Module):
    """Takes keywords and returns an object with a loss, which is what it asks of a network."""

    def __init__(self, inner: nn.Module):
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor, labels: Tensor, return_dict: bool = True) -> types.SimpleNamespace:
        return types.SimpleNamespace(loss=F.cross_entropy(self.inner(x), labels))


def theirs(method: str, unit: str, batches: list[tuple[Tensor, Tensor]], *, price: float, start: float) -> list[float]:
    from NeuroSurgeon.Models.circuit_model import CircuitModel
    from NeuroSurgeon.Models.model_configs import CircuitConfig

    hparams = {"ablation": "none", "mask_unit": unit, "mask_bias": False}
    if method == "continuous_sparsification":
        hparams["mask_init_value"] = start
    else:
        hparams["mask_init_percentage"] = float(torch.sigmoid(torch.tensor(start)))
    config = CircuitConfig(
        mask_method=method, mask_hparams=hparams, target_layers=["inner.0", "inner.2"], add_l0=True, l0_lambda=price
    )
    model = CircuitModel(config, Output(mlp(width=32)))
    masks = [parameter for name, parameter in model.named_parameters() if "mask_params" in name and parameter.requires_grad]
    adam = torch.optim.Adam(masks, lr=RATE)
    losses = []
    for step, (x, y) in enumerate(batches):
        torch.manual_seed(step)
        if method == "continuous_sparsification":
            model.temperature = 200.0 ** (step / STEPS)
        loss = model(x=x, labels=y).loss
        adam.zero_grad()
        loss.backward()
        adam.step()
        losses.append(float(loss.detach()))
    return losses


class Given(HardConcrete):
    """The uniform numbers of the global generator, drawn parameter by parameter, as it draws them."""

    def relax(self, logits, progress, generator):
        return super().relax(logits, progress, torch.default_generator)


def ours(relaxation: Relaxation, unit: str, batches: list[tuple[Tensor, Tensor]], *, price: float) -> list[float]:
    module = mlp(width=32)
    units = units_of(module, kind=unit)
    training = MaskTraining(module, units, loss=F.cross_entropy, price=price, relaxation=relaxation, learning_rate=RATE)
    losses = []
    for step, (x, y) in enumerate(batches):
        torch.manual_seed(step)
        losses.append(training.step({"input": x}, y, progress=step / STEPS, generator=Generator()).total)
    return losses


@pytest.mark.parametrize("unit", ["weight", "neuron"])
@pytest.mark.parametrize("method", ["continuous_sparsification", "hard_concrete"])
def test_losses_agree_for_a_hundred_steps(method, unit):
    draws = Generator().manual_seed(0)
    batches = [(torch.randn(64, 4, generator=draws), torch.randint(3, (64,), generator=draws)) for _ in range(STEPS)]
    relaxation = ContinuousSparsification(start=0.05) if method == "continuous_sparsification" else Given(start=0.5)
    # Its hard concrete counts a neuron once, its continuous sparsification every weight of it, as we do.
    price = 0.0 if (method, unit) == ("hard_concrete", "neuron") else 1e-3
    with torch.random.fork_rng(), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # it sets a temperature that this method does not have
        reference = theirs(method, unit, batches, price=price, start=relaxation.start)
    with torch.random.fork_rng():
        own = ours(relaxation, unit, batches, price=price)
    assert max(abs(a - b) for a, b in zip(reference, own, strict=True)) < 1e-5
    assert max(reference) - min(reference) > 0.01, "nothing was learned, so nothing was compared"
