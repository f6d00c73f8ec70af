"""Calls whose results matter to nothing that is read, nor to the outputs, do not run."""

import pytest
import torch
from torch import Generator
from torch.utils.flop_counter import FlopCounterMode

from assay.cuts.exchange import Exchange
from assay.cuts.graph import CallGraph
from assay.errors import AssayError
from assay.subject import Subject


def mlp() -> torch.nn.Module:
    torch.manual_seed(0)
    steps = [step for k in range(4) for step in (torch.nn.Linear(8, 8), torch.nn.ReLU())]
    return torch.nn.Sequential(*steps, torch.nn.Linear(8, 3))


def inputs(rows: int) -> dict[str, torch.Tensor]:
    return {"input": torch.randn(rows, 8, generator=Generator().manual_seed(1))}


def flops(run) -> int:
    with FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops()


def test_a_patched_pass_runs_what_lies_behind_the_cut_and_a_reading_one_what_lies_before():
    cuts = Subject(mlp()).cuts(inputs(10))
    states = cuts.read_several(inputs(10), range(len(cuts)))
    for depth, state in states.items():
        cuts.run(inputs(10), depth, state)  # the first time on so many examples shows the shapes
    behind = [flops(lambda: cuts.run(inputs(10), depth, state)) for depth, state in states.items()]  # noqa: B023
    before = [flops(lambda: cuts.read(inputs(10), depth)) for depth in states]  # noqa: B023
    layer, head = 2 * 10 * 8 * 8, 2 * 10 * 8 * 3
    assert behind == [3 * layer + head, 2 * layer + head, layer + head, head, 0]
    assert before == [layer, 2 * layer, 3 * layer, 4 * layer, 4 * layer + head]


def test_outputs_are_the_same_to_the_bit_with_and_without_running_all():
    cuts = Subject(mlp()).cuts(inputs(10))
    for depth in range(len(cuts)):
        state = cuts.read(inputs(10), depth)
        assert torch.equal(cuts.run(inputs(10), depth, state), cuts.run(inputs(10), depth, state))


def test_a_call_left_out_that_is_needed_is_noticed(monkeypatch):
    """Completeness is tested with NaN in the place of what did not run."""
    own = CallGraph.idle

    def too_many(graph: CallGraph, wanted, *, given=()) -> frozenset[int]:
        found = own(graph, wanted, given=given)
        return found | {max(node.call for node in graph.nodes)} if given else found

    cuts = Subject(mlp()).cuts(inputs(10))
    state = cuts.read(inputs(10), 1)
    monkeypatch.setattr(CallGraph, "idle", too_many)
    with pytest.raises(AssayError, match="all that the rest of the network depends on"):
        cuts.run(inputs(10), 1, state)


class Attends(torch.nn.Module):
    """Attention between two layers, each with a ReLU."""

    def __init__(self, *, causal: bool):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.last, self.causal = torch.nn.Linear(8, 16), torch.nn.Linear(16, 3), causal

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        h = torch.relu(self.first(input)).unflatten(-1, (2, 8)).transpose(1, 2)
        mixed = torch.nn.functional.scaled_dot_product_attention(h, h, h, is_causal=self.causal)
        return self.last(torch.relu(mixed).mean((1, 2)).repeat(1, 2))


@pytest.mark.parametrize("causal", [False, True])
def test_attention_that_is_neither_read_nor_replaced_nor_idle_runs_fused_as_in_a_plain_pass(causal, monkeypatch):
    given = {"input": torch.randn(12, 6, 8, generator=Generator().manual_seed(1))}
    subject = Subject(Attends(causal=causal))
    cuts, plain = subject.cuts(given), subject(given)
    fused: list[bool] = []
    own = Exchange.attend

    def attend(self, *args):
        until = self._fused_until
        found = own(self, *args)
        fused.append(self._fused_until > until)
        return found

    monkeypatch.setattr(Exchange, "attend", attend)
    found = []
    for depth in range(len(cuts)):
        state = cuts.read(given, depth)
        cuts.run(given, depth, state)
        fused.clear()
        outputs = cuts.run(given, depth, state)
        found.append(fused == [True])
        assert torch.allclose(outputs, plain, atol=1e-6)
        assert depth or torch.equal(outputs, plain)
    scaled = [sum("mul#" in name for name in cut.names) for cut in cuts]
    assert found[0], "before its queries are scaled"
    assert not scaled[0]
    assert found == [depth == 0 or bool(scaled[depth]) for depth in range(len(cuts))], "else more of it is replaced"
    for rows in (0, 1):
        few = {"input": given["input"][:rows]}
        assert torch.allclose(cuts.run(given, 0, cuts.read(few, 0)), plain[:rows], atol=1e-6)
