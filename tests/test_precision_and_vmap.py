"""Networks whose states are in half precision, or that call a module inside `torch.func.vmap`, are audited like any other."""

import pytest
import torch
from torch import Tensor, nn

import assay

PAIRS = torch.cartesian_prod(torch.arange(13), torch.arange(13))
NOVEL = torch.rand(169, generator=torch.Generator().manual_seed(0)) < 0.3
TASK = assay.Table(inputs=PAIRS, targets=PAIRS.sum(1) % 13, parts={"a": PAIRS[:, 0], "b": PAIRS[:, 1]}, split=NOVEL)


class Adder(nn.Module):
    """Adds two embedded numbers behind a ReLU, and is right on all of them."""

    def __init__(self, dtype: torch.dtype = torch.float32):
        super().__init__()
        self.embed = nn.Embedding.from_pretrained(torch.arange(13.0)[:, None]).to(dtype)

    def forward(self, tokens: Tensor) -> Tensor:
        total = torch.relu(self.embed(tokens)[..., 0]).sum(1, keepdim=True)
        near = -(total - torch.arange(26, dtype=total.dtype)).abs()
        return 5 * torch.maximum(near[:, :13], near[:, 13:])


class OneByOne(nn.Module):
    """Calls a module for one example at a time, inside `torch.func.vmap`."""

    def __init__(self):
        super().__init__()
        self.inner = Adder()

    def forward(self, tokens: Tensor) -> Tensor:
        return torch.func.vmap(lambda row: self.inner(row[None])[0])(tokens)


def read(network: nn.Module) -> assay.Audit:
    names = ("recombination", "systematicity")
    instruments = [assay.load_instrument(name) for name in names]
    return assay.audit(assay.Subject(network), TASK, effort="quick", instruments=instruments, progress=None)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_the_precision_of_a_network_changes_no_answer(dtype):
    result = read(Adder(dtype))
    assert not result.failed
    (inside,) = (one for one in result.evidence if one.instrument == "recombination")
    assert inside.measure("seen_from_state", form="sum").value == 1.0
    assert result.verdict.novel.answer == "works"


def test_a_module_that_is_called_inside_vmap_is_no_place_and_breaks_nothing():
    result = read(OneByOne())
    assert result.verdict.novel.answer == "works"
    assert "inner:out" not in assay.Subject(OneByOne()).sites({"tokens": PAIRS[:16]})
