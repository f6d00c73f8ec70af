"""Greedy decoding: with what was read kept, it gives what running the whole prefix again for each token gives."""

import pytest
import stepwise
import torch
from torch import Generator, nn
from torch.nn import functional as F

from assay.computation.decoding import DecodesByStep, given_right_parents, greedy
from assay.models import build
from assay.subject import Subject
from assay.tasks.non_adjacent_sum import NonAdjacentSum

NAMES = ["encoder-decoder", "causal"]
SIZES = NonAdjacentSum(n=3, high=3, shortest=2, longer=1, train=100, novel=200)


class Plain(nn.Module):
    """The same network without its steps."""

    def __init__(self, module: nn.Module):
        super().__init__()
        self.module = module

    def forward(self, source, prefix):
        return self.module(source, prefix)


def network(name: str, task=SIZES) -> nn.Module:
    return build(name, task, generator=Generator().manual_seed(0), width=16).eval()


def inputs(num: int, task=SIZES):
    return task.examples("novel", num, generator=Generator().manual_seed(0)).inputs


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("split", ["seen", "novel"])
def test_steps_give_what_the_forward_gives(name, split):
    module = network(name)
    given = SIZES.examples(split, 20, generator=Generator().manual_seed(0)).inputs
    with torch.no_grad():
        whole, read = module(**given), module.begin(given["source"])
        for place in range(given["prefix"].shape[1]):
            found = module.step(given["prefix"][:, place], read)
            asked = given["prefix"][:, place] != 0
            torch.testing.assert_close(found[asked], whole[asked, place], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_kept_changes_no_token(name):
    module = network(name)
    assert isinstance(module, DecodesByStep)
    assert not isinstance(Plain(module), DecodesByStep)
    given = inputs(50)
    tokens = greedy(Subject(module, batch_size=7))(given)
    assert torch.equal(tokens, greedy(Subject(Plain(module)))(given))
    assert len(tokens.unique()) > 2


@pytest.mark.parametrize("name", NAMES)
def test_decoding_is_on_its_own_tokens(name):
    """By a plain loop, and by one pass over what was decoded."""
    module, given = network(name, stepwise.TASK), inputs(5, stepwise.TASK)
    tokens = greedy(Subject(module))(given)
    length = given["prefix"].shape[1]
    for row in range(5):
        prefix = [1]
        for place in range(length):
            padded = torch.tensor([prefix + [0] * (length - len(prefix))])
            with torch.no_grad():
                token = int(module(given["source"][row : row + 1], padded)[0, place].argmax())
            assert token == tokens[row, place]
            prefix = [*prefix, token][:length]
    once = {**given, "prefix": torch.cat([torch.ones(5, 1).long(), tokens[:, :-1]], 1)}
    assert torch.equal(given_right_parents(Subject(module))(once), tokens)


@pytest.mark.parametrize("name", NAMES)
def test_decoding_nothing_one_and_what_stands_behind(name):
    module = network(name)
    subject = Subject(module)
    assert greedy(subject)(inputs(0)).shape == (0, 9)
    given = inputs(3)
    one = {key: value[1:2] for key, value in given.items()}
    assert torch.equal(greedy(subject)(one), greedy(subject)(given)[1:2])
    other = {**given, "prefix": given["prefix"].clone()}
    other["prefix"][:, 1:] = 4  # right values that it must not read
    assert torch.equal(greedy(subject)(other), greedy(subject)(given))


def test_the_mode_of_the_network_stays():
    module = network("causal").train()
    torch.manual_seed(3)
    state = torch.random.get_rng_state()
    first = greedy(Subject(module))(inputs(5))
    assert module.training
    assert torch.equal(first, greedy(Subject(module))(inputs(5)))
    assert torch.equal(state, torch.random.get_rng_state())


class Counted(nn.Module):
    """Says at every position the last token + 1 mod 7, and with `sees` the sum of all positions besides; counts its passes."""

    def __init__(self, *, sees: bool):
        super().__init__()
        self.sees, self.passes = sees, []

    def forward(self, source, prefix):
        self.passes.append(len(source))
        said = prefix + 1 + source + (prefix.sum(1, keepdim=True) if self.sees else 0)
        return F.one_hot(said % 7, 7).float()


def test_greedy_decoding_takes_one_pass_where_the_given_prefix_is_right_and_step_by_step_where_positions_see_later_ones():
    source = torch.tensor([[0], [0], [2]])
    counted = Counted(sees=False)
    tokens = greedy(Subject(counted))({"source": source, "prefix": torch.tensor([[1, 2, 3, 4]] * 3)})
    assert tokens.tolist() == [[2, 3, 4, 5], [2, 3, 4, 5], [4, 0, 3, 6]]
    assert counted.passes == [3, 3, 3, 3, 1, 1, 1], "three passes show that no position sees later ones"
    seeing = Counted(sees=True)
    tokens = greedy(Subject(seeing))({"source": source[:1], "prefix": torch.tensor([[1, 2, 3, 4]])})
    prefix = torch.tensor([[1, 0, 0, 0]])
    for place in range(4):
        said = seeing(source[:1], prefix)[:, place].argmax(-1)
        assert tokens[:, place] == said
        prefix[:, place + 1 : place + 2] = said
