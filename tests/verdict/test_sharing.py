"""Is each part one thing inside? From planted evidence, and from networks that were made as one or in copies."""

import copy
from collections.abc import Mapping
from dataclasses import replace
from functools import cache

import contexts
import pytest
import sides
import third_question
import torch
from torch import Generator, nn

from assay.audit import audit
from assay.evidence import Evidence, Interval, Measure, Null
from assay.failed import Failed
from assay.instrument import run
from assay.instruments.fracture import Fracture
from assay.instruments.fracture.instrument import BUDGETS
from assay.regularity import Regular, Regularity
from assay.report import write_report
from assay.stats import mean_interval
from assay.subject import Subject
from assay.tasks.digits import Digits
from assay.verdict import answered, judge
from assay.verdict.answers import SHARING

ABOUT = {"regularity": "exchange"}
SETTINGS = {
    "context_exchange": "side",
    "contexts_exchange": 3,
    "values_exchange": 3,
    "outputs_exchange": 1.0,
    "share of weights not read": 0.0,
    "variance on weights not read": 0.0,
}


def measure(key: str, value: float, interval: Interval | None, about: Mapping[str, str], units: int = 40) -> Measure:
    return Measure(
        key=key,
        name=key,
        value=value,
        unit="share",
        direction="higher",
        interval=interval,
        nulls=(Null(name="untrained copies", how="made up", values=(0.3, 0.4), p=0.4),),
        units=units,
        unit_of="orbit",
        about=about,
        level=0,
    )


def responses(
    shared: int, least: float, most: float, *, enters: float = 0.6, of: int = 40, half: float = 0.02, **settings
) -> Evidence:
    """As `fracture` gives it: so many orbits respond as one, and two contexts have a cosine from the least to the most."""
    votes = (1.0,) * shared + (0.0,) * (of - shared)
    measures = [measure("sharing", shared / of, mean_interval(votes, bounds=(0.0, 1.0)), ABOUT, of)]
    for key, value in (("contexts_least", least), ("contexts_most", most), ("contexts_entering", enters)):
        interval = Interval(low=value - half, high=value + half, level=0.95, method="made up")
        measures.append(measure(key, value, interval, ABOUT | {"context": "side"}))
    return Evidence(instrument="fracture", question="?", summary="", measures=tuple(measures), settings=SETTINGS | settings)


def exchanges(own: int, others: int) -> Evidence:
    """As `recombination` gives it: so many of 100 exchanges are right with an effect of the same context, and of other ones."""
    measures = []
    for where, right in (("the same context", own), ("other contexts", others)):
        interval = mean_interval((1.0,) * right + (0.0,) * (100 - right), bounds=(0.0, 1.0))
        about = {"part": "i", "context": "j", "effect from": where}
        measures.append(measure("seen_from_effect_in_context", right / 100, interval, about))
    settings = {"headline_cut": "layers.2"}
    return Evidence(instrument="recombination", question="?", summary="", measures=tuple(measures), settings=settings)


@pytest.mark.parametrize(
    ("shared", "least", "most", "answer"),
    [
        (40, 0.8, 1.0, "one shared thing"),
        (40, 0.4, 1.0, "one shared thing"),
        (0, 0.0, 0.1, "copies by context"),
        (40, 0.0, 1.0, "not resolved"),  # one layer, or one context, has weights of its own
        (40, 0.26, 1.0, "not resolved"),  # the interval reaches to the bound
        (37, 0.8, 1.0, "not resolved"),
        (20, 0.4, 1.0, "not resolved"),
        (0, 0.0, 1.0, "not resolved"),  # a layer serves all
        (0, 0.0, 0.24, "not resolved"),
        (2, 0.0, 0.1, "not resolved"),
    ],
)
def test_an_answer_needs_all_orbits_and_all_layers(shared, least, most, answer):
    found = judge([responses(shared, least, most)]).sharing
    assert found.answer == answer
    assert "untrained copies 0.35" in found.because
    assert "for two values of side" in found.because


@pytest.mark.parametrize(("enters", "half"), [(0.0, 0.02), (0.14, 0.0), (0.17, 0.05)])
def test_one_thing_needs_inputs_in_common(enters, half):
    found = judge([responses(40, 0.8, 1.0, enters=enters, half=half)]).sharing
    assert found.answer == "not resolved"
    assert (
        "as in a table with an entry for each" if enters < 0.15 else "that of the cosine of inputs includes the bound 0.15"
    ) in found.because
    assert judge([responses(0, 0.0, 0.1, enters=enters)]).sharing.answer == "copies by context", "copies need no such thing"


@pytest.mark.parametrize("planted", [responses(20, 0.8, 1.0, of=20), responses(0, 0.0, 0.0, of=20)])
def test_the_reason_is_the_number_of_orbits_where_only_the_interval_is_too_wide(planted):
    found = judge([planted]).sharing
    assert found.answer == "not resolved"
    assert "20 orbits are too few for narrow intervals: that of the share includes the bound 0." in found.because
    assert "neither one shared thing" not in found.because


def test_few_orbits_resolve_nothing():
    assert judge([responses(20, 0.8, 1.0, of=20)]).sharing.answer == "not resolved"  # .83 to 1
    assert judge([responses(0, 0.0, 0.0, of=20)]).sharing.answer == "not resolved"
    assert judge([responses(40, 0.8, 1.0, half=0.6)]).sharing.answer == "not resolved"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"context_exchange": ""}, "changes no part, or several, so that no single part is the context"),
        ({"values_exchange": 4}, "3 of 4 values of side are exchanged"),
        ({"values_exchange": None}, "3 of None values of side are exchanged"),
        ({"contexts_exchange": 2}, "an orbit holds 2 values of side"),
        ({"outputs_exchange": 0.9}, "only 0.900 of the outputs' variance is the same for all values of side"),
        ({"share of weights not read": 0.2}, "0.200 of the weights lie in no layer whose responses are read"),
        ({"share of weights not read": None}, "an unknown share of the weights"),
        ({"variance on weights not read": 0.2}, "0.200 of the variance of an output depends on weights"),
        ({"variance on weights not read": None}, "an unknown share of the variance"),
    ],
)
def test_it_is_not_resolved_where_it_was_not_tried_and_the_reason_is_told(settings, said):
    for planted in (responses(40, 0.8, 1.0, **settings), responses(0, 0.0, 0.1, **settings)):
        found = judge([planted]).sharing
        assert found.answer == "not resolved"
        assert said in found.because


def test_reasons_of_both_instruments_are_told_and_nothing_where_they_disagree():
    one, copies = responses(40, 0.8, 1.0), responses(0, 0.0, 0.1)
    exchanging, nothing = exchanges(100, 0), exchanges(100, 100)
    assert judge([exchanging, copies]).sharing.answer == "copies by context"
    assert judge([nothing, one]).sharing.answer == "one shared thing"
    assert judge([nothing, copies]).sharing.answer == "copies by context"  # behind the headline cut
    against = judge([exchanging, one]).sharing
    assert against.answer == "not resolved"
    assert "disagree" in against.because
    assert judge([exchanging, responses(20, 0.4, 1.0)]).sharing.answer == "copies by context"
    few = Evidence(instrument="fracture", question="?", summary="", not_enough="3 orbits")
    assert judge([few]).sharing.because == "3 orbits. Recombination was not run"
    other = replace(few, instrument="subgraphs", not_enough="")
    assert judge([other]).sharing.because == "neither recombination nor fracture, which answer it, was run"
    failed = judge([nothing], failed=[Failed(instrument="fracture", reason="it broke off.")]).sharing
    assert failed.because.endswith("Fracture failed: it broke off")
    without = replace(one, measures=one.measures[:1])
    assert judge([without]).sharing.answer == "not resolved"
    assert judge([replace(one, measures=())]).sharing.because == "no regularity was read. Recombination was not run"
    alone = judge([], failed=[Failed(instrument="fracture", reason="it broke off.")]).sharing
    assert alone.because == "fracture failed: it broke off. Recombination was not run"


def test_several_contexts_are_one_thing_only_together():
    one, copies, part = responses(40, 0.8, 1.0), responses(0, 0.0, 0.1), responses(20, 0.4, 1.0)

    def both(first: Evidence, second: Evidence) -> str:
        renamed = [replace(each, about=dict(each.about) | {"regularity": "other"}) for each in second.measures]
        settings = {**SETTINGS, **{key.replace("exchange", "other"): value for key, value in SETTINGS.items()}}
        return judge([replace(first, measures=(*first.measures, *renamed), settings=settings)]).sharing.answer

    assert both(one, one) == "one shared thing"
    assert both(copies, copies) == both(copies, part) == "copies by context"
    assert both(one, copies) == both(one, part) == both(part, part) == "not resolved"


@pytest.mark.parametrize(
    ("planted", "said"),
    [
        (
            responses(40, 0.8, 1.0),
            "Inside, one shared representation serves all contexts: of the orbits (examples that vary in side alone)",
        ),
        (responses(0, 0.0, 0.1), "Inside, there are copies by context: of the orbits (examples that vary in side alone)"),
        (responses(20, 0.4, 1.0), "Whether each part is one thing inside is not resolved."),
    ],
)
def test_the_sentence_and_the_page_tell_it(planted, said):
    verdict = judge([planted])
    assert said in verdict.sentence
    (told,) = [one for one in answered(verdict) if one.question == SHARING]
    assert (told.answer, told.resolved) == (verdict.sharing.answer, verdict.sharing.answer != "not resolved")
    assert told.because == verdict.sharing.because


def test_unlearned_and_unreliable_networks_have_no_answer():
    for given in ({"unlearned": "it scores .2"}, {"unreliable": "two passes differ"}):
        assert judge([responses(40, 0.8, 1.0)], **given).sharing.answer == "not resolved"


# Networks

TASK = contexts.Sides("contexts", items=sides.ITEMS)
QUICK = {"quick": replace(BUDGETS["quick"], draws=1, scales=(0.1,), shuffles=2, copies=2)}


def sharing(network: nn.Module, task: contexts.Sides = TASK):
    subject = Subject(network, fresh=lambda generator: contexts.untrained(task, generator))
    return judge([run(Fracture(budgets=QUICK), subject, task, effort="quick")]).sharing


@cache
def trained(recipe: str) -> contexts.Net:
    (one,) = sides.joint([0], {recipe: sides.RECIPES[recipe]})
    return one.network


@pytest.mark.slow
@pytest.mark.parametrize("classes", [False, True])
def test_planted_copies_and_one_module_are_told(classes):
    task, draws = contexts.Sides("contexts", items=sides.ITEMS, classes=classes), Generator().manual_seed(0)
    assert sharing(contexts.shared(task, draws), task).answer == "one shared thing"
    assert sharing(contexts.copied(task, draws), task).answer == "copies by context"


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["initial weights x 0.5", "initial weights x 2", "width 32", "width 256", "decay 0.3"])
def test_how_it_was_trained_does_not_move_the_answer(recipe):
    assert sharing(trained(recipe)).answer == "one shared thing"


@pytest.mark.slow
def test_the_same_function_has_the_same_answer():
    plain = trained("plain")
    for other in (plain, third_question.relabelled(plain, Generator().manual_seed(0)), third_question.split(plain)):
        torch.testing.assert_close(other(TASK.x), plain(TASK.x), atol=1e-4, rtol=1e-4)
        assert sharing(other).answer == "one shared thing"


class Chosen(nn.Module):
    """For each context the answer of a module of its own, which sees the content alone."""

    def __init__(self, *each: nn.Module):
        super().__init__()
        self.each = nn.ModuleList(each)

    def forward(self, x):
        return torch.stack([x[:, k : k + 1] * module(x[:, 3:]) for k, module in enumerate(self.each)]).sum(0)


@pytest.mark.slow
def test_one_module_in_every_context_is_shared_and_modules_of_equal_weights_are_copies():
    """The function is the same, and so are all values of units that speak: what counts is whose weights they are."""
    torch.manual_seed(0)
    one = nn.Sequential(nn.Linear(3, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 3))
    assert sharing(Chosen(one, one, one)).answer == "one shared thing"
    assert sharing(Chosen(one, copy.deepcopy(one), copy.deepcopy(one))).answer == "copies by context"
    assert sharing(Chosen(one, one, copy.deepcopy(one))).answer == "not resolved"


@pytest.mark.slow
def test_tables_and_modules_within_one_layer_are_no_shared_thing():
    """What a last layer makes of an entry is alike in all contexts, whatever the entry."""
    for name, task, network in third_question.tables(TASK, steps=300):
        found = run(Fracture(budgets=QUICK), Subject(network), task, effort="quick")
        answer = judge([found]).sharing
        assert answer.answer in ("not resolved", "copies by context"), name
        assert found.measure("contexts_entering").value < 0.02, name
        assert "one thing for all" not in found.summary, name
        if name == "the entries themselves":
            assert found.measure("sharing").value == 1
            assert found.measure("contexts_least").value == pytest.approx(1)
            assert "have little in common" in answer.because


@pytest.mark.slow
def test_a_rotation_between_two_linear_maps_does_not_move_the_answer():
    layers = [copy.deepcopy(layer) for layer in trained("plain").layers]
    plain = nn.Sequential(*layers, _linear(torch.eye(3)))
    turn = torch.linalg.qr(torch.randn(3, 3, generator=Generator().manual_seed(0)))[0]
    turned = nn.Sequential(*layers[:-1], _linear(turn @ layers[-1].weight, turn @ layers[-1].bias), _linear(turn.T))
    torch.testing.assert_close(turned(TASK.x), plain(TASK.x), atol=1e-4, rtol=1e-4)
    assert sharing(plain).answer == sharing(turned).answer == "one shared thing"


def _linear(weight: torch.Tensor, bias: torch.Tensor | None = None) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
    layer.weight.data = weight.detach().clone()
    if bias is not None:
        layer.bias.data = bias.detach().clone()
    return layer


@pytest.mark.slow
@pytest.mark.parametrize("how", ["the last layer for each context", "a network for two contexts and one for the third"])
def test_what_is_shared_in_part_is_neither(how):
    own, groups = third_question.IN_PART[how]
    found = sharing(third_question.by_context(TASK, own, groups, 0))
    assert found.answer == "not resolved"
    assert "neither one shared thing in every layer nor copies in every layer" in found.because


@pytest.mark.slow
def test_untrained_networks_and_rules_of_their_own_are_not_resolved(tmp_path):
    untrained = contexts.untrained(TASK, Generator().manual_seed(5))
    assert "of the outputs' variance is the same" in sharing(untrained).because
    found = audit(Subject(untrained), TASK, effort="quick", instruments=[Fracture(budgets=QUICK)], progress=None)
    assert not found.verdict.judged
    assert found.verdict.sharing.answer == "not resolved"
    rules = third_question.OwnRules(seed=0)
    own = third_question.trained(rules, contexts.untrained(rules, Generator().manual_seed(0)), steps=600)[0]
    assert sharing(own, rules).answer == "not resolved"
    learned = audit(Subject(trained("plain")), TASK, effort="quick", instruments=[Fracture(budgets=QUICK)], progress=None)
    assert learned.verdict.sharing.answer == "one shared thing"
    write_report(tmp_path, learned)
    assert "One shared thing" in (tmp_path / "report.html").read_text()
    assert '"one shared thing"' in (tmp_path / "report.json").read_text()


@pytest.mark.slow
def test_two_parts_that_are_exchanged_are_no_contexts():
    task = Digits()
    regular = task.regular(60, generator=Generator().manual_seed(0))
    assert isinstance(regular, Regular)
    from assay.instruments.fracture.contexts import context_of

    assert context_of(regular, regular.regularities[0]) == ("", 0)
    two = contexts.Sides("mirror", items=sides.ITEMS)
    found = sharing(contexts.copied(two, Generator().manual_seed(0)), two)
    assert found.answer == "not resolved"
    assert "an orbit holds 2 values of side, and the rule was tested for at least 3" in found.because
    assert Regularity.generated("flip", [torch.tensor([1, 0])], num_outputs=1).orbits().tolist() == [0, 0]
