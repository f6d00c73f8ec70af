"""What carries the outputs and hardly responds: planted networks that responses alone would call by the wrong name."""

from dataclasses import replace

import contexts
import pytest
import torch
from torch import Generator, nn

from assay.instrument import run
from assay.instruments.fracture import Fracture
from assay.instruments.fracture import instrument as fracture
from assay.instruments.fracture.carried import carried, lost_without, lost_without_weights
from assay.responses import read_layers
from assay.subject import Subject
from assay.verdict import judge

pytestmark = pytest.mark.slow

QUICK = {"quick": replace(fracture.BUDGETS["quick"], draws=1, scales=(0.1,), shuffles=2, copies=2)}
TASK = contexts.Sides("contexts", items=40)


def module(seed: int | None = None) -> nn.Sequential:
    """The rule, in another order and scale of its units for every seed."""
    rule = TASK.rule if seed is None else contexts.relabelled(TASK.rule, Generator().manual_seed(seed))
    made = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 3))
    with torch.no_grad():
        for layer, weight, bias in zip(made[::2], rule[::2], rule[1::2], strict=True):
            layer.weight.copy_(weight)
            layer.bias.copy_(bias)
    return made


def content(x: torch.Tensor) -> torch.Tensor:
    return torch.cat([x.new_ones(len(x), 1), x[:, 3:]], 1)


class Chosen(nn.Module):
    """For each context a module, which may be one and the same; then a head for all."""

    def __init__(self, *each: nn.Module, head: nn.Module | None = None, scale: torch.Tensor | float = 1.0):
        super().__init__()
        self.each, self.head, self.scale = nn.ModuleList(each), head or nn.Identity(), scale

    def forward(self, x):
        found = sum(x[:, k, None] * each(content(x)) for k, each in enumerate(self.each))
        return self.head(found) * self.scale


def plus(offset: float) -> nn.Linear:
    made = nn.Linear(3, 3)
    with torch.no_grad():
        made.weight.copy_(torch.eye(3))
        made.bias.fill_(offset)
    return made


def answer(network: nn.Module) -> str:
    found = run(Fracture(budgets=QUICK), Subject(network.eval()), TASK, effort="quick")
    return judge([found]).sharing.answer


def copies() -> list[nn.Sequential]:
    return [module(seed) for seed in (1, 2, 3)]


def test_one_set_of_weights_in_several_modules_is_one_thing():
    one = module()
    others = [module() for _ in range(2)]
    for other in others:
        for mine, layer in zip(one[::2], other[::2], strict=True):
            layer.weight, layer.bias = mine.weight, mine.bias
    assert answer(Chosen(one, *others)) == answer(Chosen(one, one, one)) == "one shared thing"
    (first, *_) = read_layers(Subject(Chosen(one, *others)), {"x": TASK.x}).layers
    assert first.inputs.shape[1] == 3, "one layer, used at three places"


@pytest.mark.parametrize("offset", [0.0, 300.0])
def test_the_mean_of_the_outputs_makes_copies_no_one_thing_and_one_thing_no_copies(offset):
    assert answer(Chosen(*copies(), head=plus(offset))) == "not resolved"
    trunk = module()
    heads = [nn.Sequential(trunk, plus(offset)) for _ in range(3)]
    assert answer(Chosen(*heads)) == "not resolved"


def test_an_output_in_larger_units_does_not_decide_for_the_others():
    """Output 0 by one module, 1 and 2 by copies, and the other way round."""
    first, others = torch.tensor([1.0, 0.0, 0.0]), torch.tensor([0.0, 1.0, 1.0])

    class Both(nn.Module):
        def __init__(self, here: torch.Tensor, scale: float):
            super().__init__()
            self.shared, self.copied, self.here = Chosen(*[module()] * 3), Chosen(*copies()), here
            self.scale = 1 + (scale - 1) * first

        def forward(self, x):
            return (self.here * self.shared(x) + (1 - self.here) * self.copied(x)) * self.scale

    assert answer(Both(first, 100.0)) == "not resolved"
    assert answer(Both(others, 300.0)) == "not resolved"


def test_what_another_part_takes_back_does_not_hide_copies():
    class Cancelling(nn.Module):
        def __init__(self):
            super().__init__()
            self.copied, self.first, self.second = Chosen(*copies()), module(4), module(5)

        def forward(self, x):
            return self.copied(x) + 30 * (self.first(content(x)) - self.second(content(x)))

    assert answer(Cancelling()) == "not resolved"


def turned(*inside: nn.Module) -> nn.Sequential:
    """What is in common behind: three linear maps whose product is the identity."""
    turns = [torch.linalg.qr(torch.randn(3, 3, generator=Generator().manual_seed(seed)))[0] for seed in (0, 1)]
    maps = [nn.Linear(3, 3, bias=False) for _ in range(3)]
    with torch.no_grad():
        for layer, weight in zip(maps, (*turns, (turns[1] @ turns[0]).T), strict=True):
            layer.weight.copy_(weight)
    return nn.Sequential(*inside, *maps)


class Gated(nn.Module):
    """A module for all contexts, and behind it the identity three times, each silenced by large weights in other contexts."""

    def __init__(self, trunk: nn.Module):
        super().__init__()
        self.trunk, self.chosen, self.last = trunk, nn.Linear(6, 18, bias=False), nn.Linear(18, 3, bias=False)
        halves = torch.cat([torch.eye(3), -torch.eye(3)])
        with torch.no_grad():
            self.chosen.weight.copy_(
                torch.cat([contexts.LARGE * (torch.eye(3) - 1).repeat_interleave(6, 0), halves.repeat(3, 1)], 1)
            )
            self.last.weight.copy_(halves.T.repeat(1, 3))

    def forward(self, x):
        return self.last(self.chosen(torch.cat([x[:, :3], self.trunk(content(x))], 1)).relu())


def test_what_all_share_is_no_copy_however_little_it_responds():
    """By large weights, and by gradients that are not those of the values."""

    class Through(nn.Module):
        def __init__(self):
            super().__init__()
            self.shared, self.copied = Chosen(*[module()] * 3), Chosen(*copies())

        def forward(self, x):
            copied = self.copied(x)
            return self.shared(x) + 1000 * (copied - copied.detach())

    assert answer(Gated(module())) == "not resolved"
    assert answer(Through()) == "not resolved"


class Beside(nn.Module):
    """A first layer for all contexts, of whose units each context has its own rest, silenced in others by large weights; beside
    them the inputs, handed on as their positive and negative halves to a small linear part of the outputs."""

    def __init__(self):
        super().__init__()
        width, task = 8, TASK.rule
        self.first = nn.Linear(4, width)
        self.chosen, self.last = nn.Linear(3 + width, 3 * width), nn.Linear(3 * width, 3)
        self.halves, self.linear = nn.Linear(6, 12, bias=False), nn.Linear(12, 3, bias=False)
        gates = contexts.LARGE * (torch.eye(3) - 1).repeat_interleave(width, 0)
        with torch.no_grad():
            for mine, rule in zip(
                (self.first.weight, self.first.bias, self.chosen.bias, self.last.weight),
                (task[0], task[1], task[3].repeat(3), task[4].repeat(1, 3)),
                strict=True,
            ):
                mine.copy_(rule)
            self.last.bias.copy_(task[5])
            self.chosen.weight.copy_(torch.cat([gates, task[2].repeat(3, 1)], 1))
            self.halves.weight.copy_(torch.cat([torch.eye(6), -torch.eye(6)]))
            content_alone = torch.cat([torch.zeros(3, 3), 0.001 * torch.randn(3, 3, generator=Generator().manual_seed(0))], 1)
            self.linear.weight.copy_(torch.cat([content_alone, -content_alone], 1))

    def forward(self, x):
        chosen = self.chosen(torch.cat([x[:, :3], self.first(content(x)).relu()], 1)).relu()
        return self.last(chosen) + self.linear(self.halves(x).relu())


def test_a_layer_that_all_share_is_no_reading_of_inputs_because_another_part_hands_them_on():
    network = Subject(Beside())
    read = read_layers(network, {"x": TASK.x})
    found = dict(zip([layer.name for layer in read.layers], carried(network, {"x": TASK.x}, read).reads.tolist(), strict=True))
    assert found == {"first": False, "chosen": False, "last": False, "halves": True, "linear": False}
    assert answer(Beside()) == "not resolved"


class Made(nn.Module):
    """Weights of a module made by a linear layer of the context: its columns are a module for each."""

    def __init__(self, each: list[nn.Sequential]):
        super().__init__()
        flat = [torch.cat([weight.detach().flatten() for weight in one.parameters()]) for one in each]
        self.making = nn.Linear(3, len(flat[0]), bias=False)
        with torch.no_grad():
            self.making.weight.copy_(torch.stack(flat, 1))

    def forward(self, x):
        sizes = [4 * 8, 8, 8 * 8, 8, 8 * 3, 3]
        parts = self.making(x[:, :3]).split(sizes, 1)
        found = content(x)
        for depth, (weight, bias) in enumerate(zip(parts[::2], parts[1::2], strict=True)):
            found = torch.einsum("nji,ni->nj", weight.unflatten(1, (bias.shape[1], -1)), found) + bias
            found = found.relu() if depth < 2 else found
        return found


class ByFunctions(nn.Module):
    """Copies whose weights are used by functions, and by their modules as good as not."""

    def __init__(self):
        super().__init__()
        self.copied = Chosen(*copies())

    def forward(self, x):
        found = 0
        for k, each in enumerate(self.copied.each):
            inside = content(x)
            for depth in (0, 2, 4):
                inside = nn.functional.linear(inside, each[depth].weight, each[depth].bias)
                inside = inside.relu() if depth < 4 else inside
            found = found + x[:, k, None] * inside
        return found + 1e-6 * self.copied(x)


def test_a_layer_that_gives_all_the_same_may_hold_copies():
    assert answer(turned(Made([module()] * 3))) == "not resolved"
    assert answer(turned(ByFunctions())) == "not resolved"


class Kept(nn.Module):
    """A module for each context that is no parameter: in bytes, as a plain attribute, in a plain list."""

    def __init__(self, how: str):
        super().__init__()
        self.how, self.copied = how, [Chosen(*copies())]
        if how == "list":
            return
        self.layers, self.copied = [], []
        for depth in (0, 2, 4):
            each = torch.stack([torch.cat([one[depth].weight, one[depth].bias[:, None]], 1).detach() for one in copies()])
            self.layers.append(each)
            size = each.abs().max() / 127
            if how == "bytes":
                self.register_buffer(f"layer{depth}", (each / size).round().to(torch.int8))
                self.layers[-1] = float(size)

    def forward(self, x):
        if self.how == "list":
            return self.copied[0](x)
        found = content(x)
        for depth, kept in enumerate(self.layers):
            weight = getattr(self, f"layer{2 * depth}") * kept if self.how == "bytes" else kept
            found = torch.einsum("nk,kji,ni->nj", x[:, :3], weight, torch.cat([found, found.new_ones(len(found), 1)], 1))
            found = found.relu() if depth < 2 else found
        return found


@pytest.mark.parametrize("how", ["bytes", "attribute", "list"])
def test_copies_that_are_no_parameters_are_not_read(how):
    network = turned(Kept(how))
    read = read_layers(Subject(network), {"x": TASK.x})
    assert sum(read.unread.values()) == 3 * (5 * 8 + 9 * 8 + 9 * 3)
    assert carried(Subject(network), {"x": TASK.x}, read).unread > 0.5


def test_weights_in_common_with_a_bias_for_each_are_one_layer_without_its_bias():
    one, other = module(), module()
    for mine, layer in zip(one[::2], other[::2], strict=True):
        layer.weight = mine.weight
    network = Chosen(one, other, one)
    read = read_layers(Subject(network), {"x": TASK.x})
    assert [layer.weight.shape[1] for layer in read.layers] == [4, 8, 8]
    assert sum(read.unread.values()) == 2 * (8 + 8 + 3)


def test_few_weights_that_are_not_read_may_hold_everything():
    """A table of all answers in an embedding beside a large head."""

    class Looked(nn.Module):
        def __init__(self):
            super().__init__()
            self.table, self.first = nn.Embedding(len(TASK.x), 3), plus(0.0)
            self.more = nn.Sequential(nn.Linear(3, 90), nn.Linear(90, 90), nn.Linear(90, 3))
            with torch.no_grad():
                self.table.weight.copy_(TASK.values)
                self.more[0].weight.mul_(1e-4)

        def forward(self, x):
            row = (x[:, None] - TASK.x).square().sum(2).argmin(1)
            found = self.first(self.table(row))
            return found + self.more(found)

    network = Looked()
    kept = carried(Subject(network), {"x": TASK.x}, read_layers(Subject(network), {"x": TASK.x}))
    assert kept.share < 0.05
    assert kept.unread == pytest.approx(1, abs=0.01)
    assert answer(network) == "not resolved"


def test_a_linear_layer_with_a_forward_of_its_own_is_not_read():
    class PerContext(nn.Linear):
        def __init__(self):
            super().__init__(6, 3)
            self.own = nn.Parameter(torch.randn(3, 3, 6, generator=Generator().manual_seed(0)))

        def forward(self, x):
            return torch.einsum("nk,kji,ni->nj", x[:, :3], self.own, x) + super().forward(x)

    class Plain(nn.Linear):
        pass

    inputs = {"input": TASK.x}
    found = read_layers(Subject(nn.Sequential(PerContext(), plus(0.0))), inputs)
    assert [layer.name for layer in found.layers] == ["1"]
    assert set(found.unread) == {"0.weight", "0.bias", "0.own"}
    assert len(read_layers(Subject(nn.Sequential(Plain(6, 3))), inputs).layers) == 1


def test_a_layer_carries_what_is_lost_without_it_and_a_normalisation_is_no_table():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(6, 8), nn.LayerNorm(8), nn.Linear(8, 3))
    subject, inputs = Subject(network), {"input": TASK.x}
    assert lost_without(subject, inputs, ["0", "2"]) == pytest.approx({"0": 1, "2": 1})
    assert lost_without(subject, inputs, []) == {}
    before = network[1].weight.clone()
    kept = carried(subject, inputs, read_layers(subject, inputs))
    assert (kept.share, kept.unread) == (0, 0)
    assert network[1].weight.equal(before)
    assert lost_without_weights(subject, inputs, ["1.weight"]) == pytest.approx(0, abs=1e-9), "all gains are one already"

    class Norms(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.each, self.last = (
                nn.Linear(6, 8),
                nn.ModuleList(nn.LayerNorm(8) for _ in range(3)),
                nn.Linear(8, 3),
            )

        def forward(self, x):
            inside = self.first(x)
            return self.last(sum(x[:, k, None] * each(inside) for k, each in enumerate(self.each)))

    subject = Subject(Norms())
    assert carried(subject, inputs, read_layers(subject, inputs)).share > 0.3, "one that the context chooses is not passed over"
