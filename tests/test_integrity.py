"""An output that depends on other examples than its own is found out, and one that only keeps a constant is not."""

import pytest
import torch
from torch import Tensor, nn

import assay
from assay.subject import Subject

INPUTS = {"x": torch.randn(40, 4, generator=torch.Generator().manual_seed(0))}


class Normed(nn.Module):
    """Scales by statistics of its batch, of the first batch that it ran, or by a constant that it makes at the first."""

    def __init__(self, kind: str):
        super().__init__()
        self.kind, self.scale = kind, None
        self.linear = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.linear(x)
        if self.kind == "batch":
            return hidden / hidden.std(0)
        if self.scale is None:
            self.scale = hidden.std(0).detach() if self.kind == "first" else torch.ones(3)
        return hidden / self.scale


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("batch", "the output for an example depends on the other examples of its batch"),
        ("first", "outputs depend on the first batch that the network ran, of which it keeps scale"),
        ("constant", ""),
    ],
)
def test_batch_mates_that_change_an_output_are_named(kind, told):
    torch.manual_seed(0)
    subject = Subject(Normed(kind))
    subject(INPUTS)  # as an audit does before it checks
    scale = subject.module.scale
    assert subject.integrity(INPUTS).failure == told
    assert subject.module.scale is scale


def test_statistics_of_the_batch_in_evaluation_mode_are_found_out_and_running_ones_are_not():
    torch.manual_seed(0)
    for tracked in (True, False):
        module = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3, track_running_stats=tracked))
        assert Subject(Named(module)).integrity(INPUTS).outputs_alone == tracked


@pytest.mark.parametrize("num", [0, 1, 2])
def test_few_examples_are_checked_as_far_as_that_goes(num):
    torch.manual_seed(0)
    assert Subject(Normed("constant")).integrity({"x": INPUTS["x"][:num]}).holds


class Named(nn.Module):
    def __init__(self, inside: nn.Module):
        super().__init__()
        self.inside = inside

    def forward(self, x: Tensor) -> Tensor:
        return self.inside(x)


class Recurrent(nn.Module):
    """Uses the last state of a recurrent layer, and not its states."""

    def __init__(self):
        super().__init__()
        self.gru, self.head = nn.GRU(4, 5, batch_first=True), nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.gru(x[:, None])[1][0])


def test_a_replacement_where_the_network_uses_something_else_is_refused():
    subject = Subject(Recurrent())
    with pytest.raises(assay.AssayError, match=r"exist in this network.*Given: gru:out.*Choices: gru:in, head:in"):
        subject(INPUTS, replace={"gru:out": torch.zeros_like})
    assert not subject(INPUTS, replace={"head:in": torch.zeros_like}).std(0).any()


class Adding(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second, self.last = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        h = self.first(x)
        h += self.second(h)
        return self.last(h)


def test_gradients_of_a_forward_that_overwrites_what_it_used_say_so():
    with pytest.raises(assay.AssayError, match=r"does not overwrite.*h = h \+ f\(h\)"):
        Subject(Adding()).gradients(INPUTS, ["first:out"], torch.ones(40, 2))


def test_naming_one_of_several_outputs_where_there_is_one_is_refused():
    with pytest.raises(assay.AssayError, match=r"returns one tensor.*nope"):
        Subject(Named(nn.Linear(4, 3)), output="nope")(INPUTS)
