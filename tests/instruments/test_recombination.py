"""Planted networks, and what must not change the answer: the instrument says what was built in."""

import dataclasses

import pytest
import torch
from planted import OBSERVED_SIZES, SHARP, SIZES, TASK, Code, blocks, by_heart, by_rule, number, soft, subject, tags
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from assay.conformance.tasks import Few, Wrapped
from assay.evidence import Evidence
from assay.former_verdict.features import asked_parts, features
from assay.instruments.former import Recombination
from assay.instruments.former.instrument import BUDGETS
from assay.models import build
from assay.observed import Observed, observe
from assay.subject import Subject
from assay.task import Task
from assay.tasks.hyperteacher import Hyperteacher
from assay.tasks.modular import Modular
from assay.training import TrainingConfig, fit_many
from assay.zoo.twins import permuted, rescaled

pytestmark = pytest.mark.slow

TAGS = tags()


def seen_of(task: Task, **changes) -> Observed:
    return observe(task, **{**OBSERVED_SIZES, "generator": Generator().manual_seed(0), **changes})


OBSERVED = seen_of(TASK)


def judged(network: Subject, observed: Observed = OBSERVED, **options) -> Evidence:
    return Recombination(**options).judge(network, observed, effort="quick", generator=Generator().manual_seed(1))


def novel(evidence: Evidence, part: str) -> tuple[float, float]:
    """Novel recombination of the part, and its best null."""
    measure = evidence.measure("novel_recombination", part=part)
    return measure.value, max(null.mean for null in measure.nulls)


def values(evidence: Evidence) -> dict[str, float | None]:
    return {measure.label: measure.value for measure in evidence.measures}


# Planted networks


def test_an_exact_composer_recombines():
    evidence = judged(subject(blocks, lambda state: by_rule(*(soft(code) for code in state.split(SIZES, 1)))))
    for part in "ij":
        value, null = novel(evidence, part)
        assert value == 1.0
        assert null < 0.5
    assert evidence.measure("score_on_trained_combinations").value == 1.0
    assert {measure.about["part"] for measure in evidence.findings()} == {"i", "j", "x"}


def test_a_network_without_weights_has_no_twins_on_shuffled_labels():
    twins = {"quick": dataclasses.replace(BUDGETS["quick"], shuffled=2, steps=5)}
    evidence = judged(subject(blocks, lambda state: by_rule(*(soft(code) for code in state.split(SIZES, 1)))), budgets=twins)
    why = "the network could not be trained: its output depends on no weight"
    assert f"The null of shuffled labels was not run: {why}." in evidence.not_tested
    assert all(null.name != "shuffled labels" for measure in evidence.measures for null in measure.nulls)


def test_a_lookup_table_does_not():
    evidence = judged(subject(lambda tuples: TAGS[number(tuples)], by_heart(TAGS)))
    assert evidence.measure("score_on_trained_combinations").value == 1.0
    assert max(novel(evidence, part)[0] for part in "ijz") <= 0.1
    assert not evidence.findings()


def test_the_part_that_is_known_by_heart_alone_fails():
    """i and x are written side by side; j only in the tag of the whole tuple."""
    everything = torch.cartesian_prod(*(torch.arange(size) for size in SIZES))
    second = F.one_hot(everything[:, 1], 6).float()

    def write(tuples: Tensor) -> Tensor:
        codes = blocks(tuples)
        return torch.cat([codes[:, :6], codes[:, 12:], TAGS[number(tuples)]], 1)

    def read(state: Tensor) -> Tensor:
        first, argument, tag = state.split((6, 5, 60), 1)
        return by_rule(soft(first), (2 * SHARP * tag @ TAGS.T).softmax(-1) @ second, soft(argument))

    evidence = judged(subject(write, read))
    assert novel(evidence, "i")[0] == 1.0
    assert evidence.measure("seen_recombination", part="x").value == 1.0
    assert novel(evidence, "j")[0] <= 0.1


def test_inert_parts_are_readable_and_do_not_recombine():
    everything = torch.cartesian_prod(*(torch.arange(size) for size in SIZES))
    inner = F.one_hot(TASK._after_first({"i": everything[:, 0], "x": everything[:, 2]}), 5).float()
    evidence = judged(
        subject(
            lambda tuples: torch.cat([inner[number(tuples)], TAGS[number(tuples)]], 1),
            lambda state: by_heart(TAGS)(state[:, 5:]),
        )
    )
    assert evidence.measure("cross_combination_probe", part="z").value == 1.0
    value, null = novel(evidence, "z")
    assert value <= null


class Mangled(nn.Module):
    """Codes of the parts side by side; of a tuple never trained another one is made, and only then the rule is applied."""

    def __init__(self, made: Tensor, read: Code):
        super().__init__()
        self.made, self.read = made, read
        self.entry, self.deeper = nn.Identity(), nn.Identity()

    def forward(self, tokens: Tensor) -> Tensor:
        first, second, argument = (soft(code) for code in self.entry(blocks(tokens - torch.tensor([0, 6, 12]))).split(SIZES, 1))
        tuples = torch.einsum("na,nb,nc->nabc", first, second, argument).flatten(1)
        return self.read(self.deeper(tuples @ self.made))


def test_deeper_exchanges_pass_what_is_wrong_before_them_and_side_by_side_does_not():
    everything = torch.cartesian_prod(*(torch.arange(size) for size in SIZES))
    trained = (everything[:, None, :2] == TASK.combinations("seen")).all(2).any(1)
    mistaken = everything.clone()
    mistaken[:, 2] = (mistaken[:, 2] + 1) % SIZES[2]  # with shifts, another argument is another answer

    def fresh(generator: Generator) -> nn.Module:
        head = torch.randn(17, 5, generator=generator)
        return Mangled(torch.randn(180, 17, generator=generator), lambda state: state @ head)

    made = torch.where(trained[:, None], blocks(everything), blocks(mistaken))
    mangled = Mangled(made, lambda state: by_rule(*(soft(code) for code in state.split(SIZES, 1))))
    evidence = judged(Subject(mangled, name="mangled", fresh=fresh))
    for part in "ij":
        assert novel(evidence, part)[0] == 1.0
        assert evidence.measure("novel_recombination_past_the_mixing", part=part).value == 1.0
        early = evidence.measure("novel_recombination_side_by_side", part=part)
        assert early.value == 0.0
        assert early.headline
        assert early.note.startswith("at entry:")
        assert len(early.nulls) >= 3
    labels = [measure.label for measure in evidence.measures]
    assert "novel recombination (part z)" in labels
    assert "novel recombination, side by side (part z)" not in labels  # a derived part stands nowhere before it is computed
    assert features([evidence])["recombination"] <= 0.0


class Apart(nn.Module):
    """A place for each part, then everything by heart: right on trained tuples, wrong on all others."""

    def __init__(self, answers: Tensor):
        super().__init__()
        self.answers = answers
        self.places = nn.ModuleList(nn.Identity() for _ in SIZES)

    def forward(self, tokens: Tensor) -> Tensor:
        codes = blocks(tokens - torch.tensor([0, 6, 12])).split(SIZES, 1)
        held = [soft(place(code)) for place, code in zip(self.places, codes, strict=True)]
        return torch.einsum("na,nb,nc->nabc", *held).flatten(1) @ self.answers


def test_a_failed_exchange_counts_where_each_part_has_a_place_of_its_own():
    everything = torch.cartesian_prod(*(torch.arange(size) for size in SIZES))
    trained = (everything[:, None, :2] == TASK.combinations("seen")).all(2).any(1)
    rule = SHARP * by_rule(*(soft(code) for code in blocks(everything).split(SIZES, 1)))
    answers = torch.where(trained[:, None], rule, rule.roll(1, 1))
    evidence = judged(
        Subject(Apart(answers), name="apart", fresh=lambda generator: Apart(torch.randn(180, 5, generator=generator)))
    )
    for part in "ij":
        measure = evidence.measure("novel_recombination_side_by_side", part=part)
        assert measure.value < 0.4  # by chance, where nothing is exchanged
        assert measure.ceiling == 1.0  # one part's whole state decides nothing, but trained combinations come out
    assert asked_parts([evidence]) == ("i", "j")
    assert features([evidence])["recombination"] < 0.2


def test_past_the_mixing_leaves_out_the_places_where_an_exchange_is_the_new_combination_itself():
    """Right on every tuple, and inside nothing but a code of the whole tuple."""

    def fresh(generator: Generator) -> nn.Module:
        head = torch.randn(60, 5, generator=generator)
        return Mangled(torch.randn(180, 60, generator=generator), lambda state: state @ head)

    evidence = judged(Subject(Mangled(TAGS, by_heart(TAGS)), name="by heart", fresh=fresh))
    for part in "ij":
        assert evidence.measure("novel_recombination_side_by_side", part=part).value == 1.0
        assert evidence.measure("novel_recombination_past_the_mixing", part=part).value <= 0.1


def test_prototypes_see_past_what_belongs_to_one_example():
    """A tag of the whole tuple overrides the codes of the parts, unless it is averaged away on both sides."""

    def read(state: Tensor) -> Tensor:
        codes, tag = state[:, :17], state[:, 17:]
        tagged = torch.sigmoid(20 * (tag.norm(dim=1, keepdim=True) - 0.6))
        return tagged * by_heart(TAGS)(tag) + (1 - tagged) * by_rule(*(soft(code) for code in codes.split(SIZES, 1)))

    evidence = judged(subject(lambda tuples: torch.cat([blocks(tuples), TAGS[number(tuples)]], 1), read))
    for part in "ij":
        prototypes = evidence.measure("novel_recombination_of_prototypes", part=part)
        assert prototypes.value > 0.6 > novel(evidence, part)[0] + 0.5
        assert prototypes.value > max(null.mean for null in prototypes.nulls) + 0.3
        assert not prototypes.headline


# Invariance


@pytest.fixture(scope="module")
def composing() -> tuple[Subject, Observed]:
    task = Modular(p=5, num_first=6, num_second=6, synonyms=True, coverage=0.8)

    def fresh(generator: Generator) -> nn.Module:
        return build("mlp", task, generator=generator, width=32)

    model = fresh(Generator().manual_seed(0))
    config = TrainingConfig(steps=800, batch_size=128, learning_rate=1e-2, seed=0, weight_decay=0.1)
    fit_many([model], task, configs=[config], strategy="rule")
    return Subject(model, fresh=fresh), seen_of(task)


def split_in_two(module: nn.Module, generator: Generator) -> nn.Module:
    """Every hidden unit twice; what reads it reads a share of the one and the rest of the other."""
    layers = []
    copies = None
    for layer in module.layers:
        if isinstance(layer, nn.Linear):
            weight, bias = layer.weight.detach(), layer.bias.detach()
            if copies is not None:
                weight = torch.cat([weight * copies, weight * (1 - copies)], 1)
            last = layer is module.layers[-1]
            copies = torch.rand(len(weight), generator=generator)
            wide = nn.Linear(weight.shape[1], len(weight) * (1 if last else 2))
            wide.weight.data.copy_(weight if last else torch.cat([weight, weight]))
            wide.bias.data.copy_(bias if last else torch.cat([bias, bias]))
            layer = wide
        layers.append(layer)
    twin = Encoded(module.encode)
    twin.layers = nn.Sequential(*layers)
    return twin


class Encoded(nn.Module):
    """One-hot codes to layers, under the names that our own networks have."""

    def __init__(self, encode: nn.Module):
        super().__init__()
        self.encode = encode
        self.layers = nn.Sequential()

    def forward(self, tokens: Tensor) -> Tensor:
        return self.layers(self.encode(tokens))


@pytest.mark.parametrize("twin", [permuted, rescaled, split_in_two], ids=lambda twin: twin.__name__)
def test_the_way_a_function_is_written_into_units_changes_nothing(composing, twin):
    network, observed = composing
    other = Subject(twin(network.module, Generator().manual_seed(5)), fresh=network.fresh)
    mine, theirs = values(judged(network, observed)), values(judged(other, observed))
    assert mine["novel recombination (part i)"] == 1.0
    for label, value in mine.items():
        if "probe" not in label:  # which asks what can be read from any unit, used or not
            assert theirs[label] == pytest.approx(value, abs=0.02), label


def test_plain_distance_depends_on_it(composing):
    network, observed = composing
    other = Subject(rescaled(network.module, Generator().manual_seed(5)), fresh=network.fresh)
    both = [values(judged(one, observed, metric="euclidean")) for one in (network, other)]
    changed = {k: abs(both[0][k] - both[1][k]) for k in both[0] if "recombination" in k}
    assert max(changed.values()) > 0.05


# Kinds of network and task


def test_our_transformer_and_recurrent_network():
    for model, place in (("transformer", "blocks"), ("gru", "cells")):
        network = build(model, TASK, generator=Generator().manual_seed(0), width=16)
        evidence = judged(Subject(network))
        assert place in evidence.settings["sites read"]
        assert all(0 <= novel(evidence, part)[0] <= 1 for part in "ijz")
        assert not evidence.findings()


class Notebook(nn.Module):
    """Activations are functions, layers are used twice, names are whatever they are."""

    def __init__(self):
        super().__init__()
        self.emb1 = nn.Embedding(17, 24)
        self.fc_A, self.fc_B = nn.Linear(72, 24), nn.Linear(24, 24)
        self.out_ = nn.Linear(24, 5, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        hidden = F.gelu(self.fc_A(self.emb1(tokens).reshape(len(tokens), -1)))
        return self.out_(torch.tanh(self.fc_B(F.relu(self.fc_B(hidden)))))


def test_a_module_with_functional_activations():
    torch.manual_seed(0)
    twins = {"quick": dataclasses.replace(BUDGETS["quick"], shuffled=2, steps=5)}
    evidence = judged(Subject(Notebook()), budgets=twins)
    assert "fc_B:out" in evidence.settings["sites read"]
    assert any(null.name == "shuffled labels" for null in evidence.measure("novel_recombination", part="i").nulls)
    assert not evidence.findings()


def test_graded_parts_and_real_answers():
    task = Hyperteacher(num_modules=6, max_active=3)
    evidence = judged(Subject(build("mlp", task, generator=Generator().manual_seed(0), width=16)), seen_of(task))
    if evidence.not_enough:
        pytest.fail(evidence.not_enough)
    parts = {measure.about["part"] for measure in evidence.measures if measure.name.startswith("novel recombination")}
    assert parts == {part.name for part in task.parts}
    assert not evidence.findings()


# What is refused or marked


class Diagonal(Wrapped):
    """Only the combinations that `kept` keeps."""

    def __init__(self, inner: Task, kept):
        super().__init__(inner)
        self.kept = kept

    def combinations(self, split):
        rows = super().combinations(split)
        return rows[self.kept(*rows.unbind(1))]

    def examples(self, split, n, *, generator):
        examples = super().examples(split, 10**6, generator=generator)
        return examples.take(self.kept(examples.parts["i"], examples.parts["j"]))


WIDE = Modular(p=5, num_first=24, num_second=24, synonyms=True, coverage=0.9)


@pytest.mark.parametrize(
    ("task", "told"),
    [
        (Few(TASK, seen=9, novel=1), "9 trained combinations"),
        (Diagonal(WIDE, lambda i, j: i == 3), "part i takes one value"),
        (Diagonal(WIDE, lambda i, j: i == j), "part i determines part j"),
    ],
    ids=["few", "one value", "determined"],
)
def test_declarations_without_exchange_are_refused(task, told):
    network = Subject(build("mlp", WIDE, generator=Generator().manual_seed(0), width=8))
    evidence = judged(network, seen_of(task))
    assert told in evidence.not_enough
    assert not evidence.measures


def test_a_declaration_that_the_examples_contradict_is_refused():
    observed = dataclasses.replace(OBSERVED, contradicted=(12, 1000))
    network = Subject(build("mlp", TASK, generator=Generator().manual_seed(0), width=8))
    assert "contradicts the trained examples: in 1.2% of 1000" in judged(network, observed).not_enough
    assert not judged(network, dataclasses.replace(OBSERVED, contradicted=(10, 1000))).not_enough


def test_weaker_evidence_is_marked():
    network = Subject(build("mlp", TASK, generator=Generator().manual_seed(0), width=8))
    evidence = judged(network, seen_of(Wrapped(TASK), assumed=True))
    assert any("weaker evidence" in warning for warning in evidence.warnings)
    assert any("assumed" in warning for warning in evidence.warnings)
    assert not any(measure.name.startswith("novel") for measure in evidence.measures)
    assert evidence.measure("seen_recombination", part="i").headline
