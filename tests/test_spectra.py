"""Eigenvalues of activations: a site that is constant but for rounding carries nothing, at every scale, and nothing fails."""

import pytest
import torch
from torch import Generator, nn

from assay.audit import audit
from assay.conformance.tasks import small_task
from assay.instruments import load_instrument
from assay.instruments.decodability.features import ProbeFeatures
from assay.probe import Design
from assay.spectra import eigh, svd, unit_scale
from assay.subject import Subject

SCALES = (1e-30, 1e-10, 1.0, 1e10, 1e25)


def constant(count: int, width: int, *, seed: int = 0, scale: float = 1.0) -> torch.Tensor:
    """Every row is the same one, or its neighbour in single precision."""
    generator = Generator().manual_seed(seed)
    rows = (torch.randn(width, generator=generator) * scale).expand(count, width)
    return torch.where(torch.rand(count, width, generator=generator) < 0.5, rows, rows.nextafter(torch.tensor(torch.inf)))


def rounding_gram(seed: int = 19) -> torch.Tensor:
    """The Gram matrix of 50 equal rows minus their mean: rounding, on which single precision does not converge."""
    rows = torch.randn(64, generator=Generator().manual_seed(seed * 1000 + 114)).expand(50, 64).clone()
    centred = rows - rows.mean(0)
    return centred.T @ centred


def test_what_does_not_converge_in_single_precision_is_done_in_double(monkeypatch):
    """Whether a matrix of rounding converges depends on the machine: here nothing does in single precision."""
    plain = torch.linalg.eigh

    def only_in_double(matrix):
        if matrix.dtype == torch.float32:
            raise torch.linalg.LinAlgError("failed to converge")
        return plain(matrix)

    monkeypatch.setattr(torch.linalg, "eigh", only_in_double)
    gram = rounding_gram()
    values, vectors = eigh(gram)
    assert values.dtype == vectors.dtype == torch.float32
    assert torch.allclose(vectors * values @ vectors.T, gram, atol=1e-6 * float(gram.abs().max()))


@pytest.mark.parametrize("decompose", [eigh, svd])
def test_what_converges_is_left_as_it_is_and_what_is_not_finite_is_an_error(decompose):
    table = torch.randn(3, 5, 5, generator=Generator().manual_seed(0))
    table = table @ table.mT
    plain = torch.linalg.eigh(table) if decompose is eigh else torch.linalg.svd(table, full_matrices=False)
    assert all(torch.equal(a, b) for a, b in zip(decompose(table), plain, strict=True))
    assert [part.numel() for part in decompose(torch.zeros(0, 0))] == [0] * len(plain)
    with pytest.raises(torch.linalg.LinAlgError):
        decompose(torch.full((2, 2), torch.nan))


@pytest.mark.parametrize(
    ("largest", "scale"), [(1.0, 1.0), (0.0, 1.0), (1e9, 1.0), (2.0**40, 2.0**-41), (-(2.0**-40), 2.0**39)]
)
def test_only_values_whose_squares_leave_single_precision_are_scaled(largest, scale):
    assert unit_scale(torch.tensor([0.0, largest])) == scale
    assert unit_scale(torch.zeros(0)) == 1.0


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize(("count", "width"), [(50, 64), (500, 16), (2_000, 2)])
def test_a_constant_site_has_no_axis_for_a_probe_to_read(count, width, scale):
    rows = constant(count, width, scale=scale)
    place = ProbeFeatures.of(rows, num_seen=count * 3 // 4, width=32, seed=0, limited=True)
    assert place.scores.shape == (count * 3 // 4, 0)
    design = Design.of(rows.view(1, 5, count // 5, width))
    assert torch.equal(design.ratios, torch.zeros(1, width))
    targets = torch.randn(1, 5, count // 5, 2, generator=Generator().manual_seed(1))
    predicted = design.fit(targets).left_out()
    fold = targets.sum((1, 2), keepdim=True) - targets.sum(2, keepdim=True)
    assert torch.allclose(predicted, fold.expand_as(predicted) / (count * 4 / 5), atol=1e-3), "the mean of the other folds"


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("offset", [0.0, 1e3])
def test_a_site_that_varies_is_read_alike_at_every_scale(scale, offset):
    generator = Generator().manual_seed(0)
    rows, targets = torch.randn(100, 8, generator=generator) + offset, torch.randn(1, 5, 20, 3, generator=generator)
    plain, ours = (Design.of(table.view(1, 5, 20, 8)).fit(targets) for table in (rows, rows * scale))
    assert bool((ours.design.ratios > 0).all())
    assert torch.allclose(ours.left_out(), plain.left_out(), atol=1e-3)
    assert torch.allclose(ours.probe()(rows * scale), plain.probe()(rows), atol=1e-2)
    assert ProbeFeatures.of(rows * scale, num_seen=80, width=64, seed=0, limited=True).scores.shape == (80, 8)


class Dying(nn.Module):
    """Forty layers, behind the first of which nothing is left of the input but rounding."""

    def __init__(self, scale: float):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.embed, self.out = nn.Embedding(40, 8), nn.Linear(48, 5)
            self.layers = nn.ModuleList(nn.Linear(48 if k else 24, 48) for k in range(40))
        self.layers[0].weight.data.mul_(scale)

    def forward(self, tokens):
        states = self.embed(tokens[:, :3]).flatten(1)
        for layer in self.layers:
            states = layer(states).tanh()
        return self.out(states)


@pytest.mark.parametrize("scale", [0.0, 1e-8])
def test_a_deep_network_with_constant_sites_is_audited(scale):
    done = audit(Subject(Dying(scale)), small_task(), effort="quick", instruments=[load_instrument("decodability")])
    assert done.failed == ()
    gains = [measure for measure in done.evidence[0].measures if measure.key == "decodability_gain"]
    assert gains
    assert all(measure.value is None or measure.value <= 0.01 for measure in gains)
