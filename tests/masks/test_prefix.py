"""What is kept of a frozen network changes no output of a search, only how often it is computed."""

import copy

import pytest
import torch
from networks import Everything, mlp, tokens
from torch import Generator, nn
from torch.nn import functional as F

from assay.isolation import evaluating
from assay.masks import SearchConfig, prefix, search, units_of
from assay.masks.running import call, weights_of
from assay.models.odd_one_out import EncodedTokens
from assay.models.transformer import Transformer
from assay.task import Examples

ROWS = torch.tensor([7, 0, 3, 3, 11])


def transformer() -> Transformer:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Transformer(vocab=5, length=6, num_outputs=3, width=8, depth=3, heads=2)


def ran(module: nn.Module) -> list[str]:
    """Listens: the names of the submodules whose own forward runs, as they come."""
    names: list[str] = []
    for name, part in module.named_modules():
        plain = part.forward

        def forward(*args, name=name, plain=plain, **kwargs):
            names.append(name)
            return plain(*args, **kwargs)

        part.forward = forward
    return names


def kept(module: nn.Module, layers: list[str], inputs: dict) -> set[str]:
    """Which submodules answer from memory."""
    with evaluating(module), prefix.kept_prefix(module, units_of(module, layers=layers), inputs):
        return {name for name, part in module.named_modules() if "forward" in part.__dict__}


def test_only_what_no_mask_can_change_is_kept():
    inputs = {"tokens": tokens(12)["tokens"]}
    assert kept(transformer(), ["*"], inputs) == set()
    assert kept(transformer(), ["blocks.2.*"], inputs) == {"embedding", "blocks.0", "blocks.1", "blocks.2.attention_norm"}
    assert kept(Everything(), ["embedding"], inputs) == set()
    assert kept(Everything(), ["down"], inputs) >= {"embedding", "norm", "along", "up"}


@pytest.mark.parametrize("make", [transformer, Everything, lambda: EncodedTokens(vocab=5, length=6, width=8, heads=2)])
def test_outputs_and_gradients_are_those_of_the_whole_network(make):
    module = make().eval()
    odd = isinstance(module, EncodedTokens)
    name = "items" if odd else "tokens"
    drawn = torch.randint(5, (12, 4, 6) if odd else (12, 6), generator=Generator().manual_seed(0))
    inputs = {name: drawn}
    units = units_of(module, start=3)
    weights = weights_of(module)
    changed = {place.parameter: (0.5 * weights[place.parameter]).requires_grad_() for place in units.places}

    def run() -> list[torch.Tensor]:
        outputs = call(module, weights | changed, {name: drawn[ROWS]})
        return [outputs, *torch.autograd.grad(outputs.square().sum(), list(changed.values()), allow_unused=True)]

    plain = run()
    with prefix.kept_prefix(module, units, inputs) as states:
        assert any("forward" in part.__dict__ for part in module.modules())
        states.at(ROWS)
        again = run()
    for one, other in zip(plain, again, strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            assert torch.allclose(one, other, atol=1e-5)
    assert not any("forward" in part.__dict__ for part in module.modules())


def test_a_search_computes_the_prefix_once_and_ends_alike(monkeypatch):
    module = transformer()
    examples = Examples(tokens(40), torch.arange(40) % 3, {}, torch.arange(40))
    config = SearchConfig(steps=20, batch_size=8, checks=0)

    def found(one: nn.Module) -> torch.Tensor:
        units = units_of(one, layers=["blocks.2.*", "head"])
        generator = Generator().manual_seed(0)
        return search(one, units, examples, loss=F.cross_entropy, price=1e-3, config=config, generator=generator).logits

    listening = copy.deepcopy(module)
    names = ran(listening)
    logits = found(listening)
    once = names.count("blocks.0")
    assert names.count("blocks.2") >= config.steps
    assert 0 < once < config.steps / 2
    monkeypatch.setattr(prefix, "MOST_BYTES", 0)
    plain = found(module)
    assert torch.allclose(plain, logits, atol=1e-3)


class Sly(nn.Module):
    """Its second layer reads the first's output without a gradient, so that autograd does not see what depends on it."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.third = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 2)

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        hidden = self.first(input)
        return self.third(self.second(hidden.detach()) + hidden)


def test_a_network_that_hides_what_depends_on_a_mask_runs_as_it_is():
    module = Sly()
    inputs = {"input": torch.randn(20, 4, generator=Generator().manual_seed(0))}
    assert kept(module, ["first"], inputs) == set()
    assert kept(module, ["third"], inputs) == {"first", "second"}


class Placed(nn.Module):
    """Two tokens, and an embedding of their places, which has no row for each problem although it has two rows."""

    def __init__(self):
        super().__init__()
        self.tokens, self.places, self.last = nn.Embedding(5, 4), nn.Embedding(2, 4), nn.Linear(4, 2)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.last((self.tokens(tokens) + self.places(torch.arange(2))).relu().mean(1))


@pytest.mark.parametrize(("num", "expected"), [(7, {"tokens"}), (2, set())])
def test_what_has_as_many_rows_by_chance_is_not_taken_for_a_row_of_each_problem(num, expected):
    assert kept(Placed(), ["last"], {"tokens": torch.arange(2 * num).reshape(num, 2) % 5}) == expected


def test_without_a_prefix_nothing_is_kept_and_one_problem_is_enough():
    assert kept(mlp(), ["*"], {"input": torch.randn(1, 4)}) == set()
    assert kept(mlp(), ["2"], {"input": torch.randn(1, 4)}) == {"0"}
