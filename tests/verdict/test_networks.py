"""Verdicts of networks made by hand: faults of an earlier verdict that this one must not have."""

import functools

import pytest
import torch
from stages import Declared, by_pair, composer, is_trained, memoriser, misread, sums
from torch import nn
from torch.nn import functional as F

from assay.audit import audit
from assay.instruments import load_instrument
from assay.subject import Subject
from assay.verdict import Verdict

TASK = Declared()


class WithDeadBranch(nn.Module):
    """The same output, and a branch beside it that no output depends on."""

    def __init__(self, inner: nn.Module):
        super().__init__()
        self.inner, self.dead = inner, nn.Linear(24, 24)
        with torch.no_grad():
            self.dead.weight.copy_(torch.eye(24) * 3)

    def forward(self, x):
        unused = torch.tanh(self.dead(x)) * 0
        return self.inner(x) + unused.sum(1, keepdim=True)


class ByFunctions(nn.Module):
    """The same function without a submodule: bare parameters and calls of functions."""

    def __init__(self, inner: nn.Module):
        super().__init__()
        layers = [layer for layer in inner.modules() if isinstance(layer, nn.Linear)]
        self.weights = nn.ParameterList([layer.weight.detach().clone() for layer in layers])
        self.biases = nn.ParameterList([layer.bias.detach().clone() for layer in layers])

    def forward(self, x):
        *others, last = zip(self.weights, self.biases, strict=True)
        for weight, bias in others:
            x = F.relu(x @ weight.T + bias)
        return x @ last[0].T + last[1]


@functools.cache
def judged(name: str, how: str = "plain", level: int = 2) -> Verdict:
    made = {"composer": composer, "memoriser": lambda: memoriser(TASK), "misread": lambda: misread(TASK)}[name]()
    around = {"plain": lambda inner: inner, "dead branch": WithDeadBranch, "functions": ByFunctions}[how]
    instruments = [load_instrument("systematicity"), load_instrument("recombination")]
    subject = Subject(around(made.module), name=name)
    return audit(subject, TASK, effort="quick", level=level, instruments=instruments, progress=None).verdict


@pytest.mark.parametrize("how", ["dead branch", "functions"])
@pytest.mark.parametrize("name", ["composer", "memoriser"])
def test_a_dead_branch_or_another_spelling_changes_no_answer(name, how):
    for level in (1, 2):
        first, other = judged(name, level=level), judged(name, how, level)
        assert (first.novel.answer, first.novel.basis) == (other.novel.answer, other.novel.basis)
        assert other.novel.value == pytest.approx(first.novel.value, abs=1e-4)
        assert first.combining.answer == other.combining.answer
        assert first.sharing.answer == other.sharing.answer


def test_each_answer_is_that_of_how_the_network_was_made():
    answers = {
        name: (judged(name).novel.answer, judged(name).combining.answer) for name in ("composer", "memoriser", "misread")
    }
    assert answers == {
        "composer": ("works", "nothing found"),
        "memoriser": ("does not work", "the combining"),
        "misread": ("does not work", "the way in"),
    }


@pytest.mark.parametrize("level", [1, 2])
def test_a_memoriser_composes_not_even_in_part(level):
    """Its parts can be exchanged between trained combinations at every layer that reads them: that is no share of composing."""
    verdict = judged("memoriser", level=level)
    assert set(verdict.combining.carried.values()) != {"not found"}
    assert verdict.novel.answer == "does not work"
    assert verdict.novel.value == 0
    assert "some" not in verdict.headline
    assert "part" not in verdict.headline
    assert verdict.estimate is not None
    assert verdict.estimate.answer == "does not work"


def test_every_number_of_the_sentence_is_one_that_was_measured():
    verdict = judged("memoriser")
    for told in ("score 0 [", "trained ones score 1.00 [", "right on a share of 0 ["):
        assert told in verdict.sentence


@pytest.mark.parametrize("name", ["composer", "memoriser", "misread"])
def test_the_sentence_of_a_quick_audit_keeps_the_answers_apart(name):
    verdict = judged(name)
    sentences = verdict.sentence.split(". ")
    about = [
        [k for k, told in enumerate(sentences) if words in told]
        for words in ("novel combinations:", "combined between", "one thing inside")
    ]
    assert [len(found) for found in about] == [1 if k else len(about[0]) for k in range(3)]
    assert about[0][0] == 0
    assert about[0][-1] < about[1][0] < about[2][0], "one after the other, none within another"


def test_what_is_made_by_hand_is_what_it_says():
    ids = TASK.combination_id({"i": TASK.rows[False][:, 0], "j": TASK.rows[False][:, 1]})
    assert not bool(is_trained(TASK)[ids].any())
    with torch.no_grad():
        for make in (WithDeadBranch, ByFunctions):
            inner, x = composer().module, TASK.of(TASK.rows[False]).inputs["x"]
            assert torch.equal(make(inner)(x).argmax(1), sums()[ids])
    assert by_pair(sums())[0][0].shape == (144, 24)
