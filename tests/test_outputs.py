"""Networks that return more than their answer: which tensor it is, everywhere that a network is run, and errors where none or
several can be."""

from typing import Any

import pytest
import torch
from torch import Generator, Tensor, nn

from assay.access import judged_apart
from assay.audit import audit
from assay.errors import AssayError
from assay.evidence import Evidence
from assay.instrument import answering, run
from assay.instruments.systematicity import Systematicity
from assay.masks import run as run_masked
from assay.masks import weights_of
from assay.outputs import candidates, with_output
from assay.subject import Subject
from assay.tasks.modular import Modular
from assay.training import TrainingConfig, TrainingData, fit_many
from plain_instrument import Answers
from several_outputs import SHAPES, Labelled, Net

TASK = Modular(p=5, num_first=6, num_second=6, synonyms=True, coverage=0.6)


class Ambiguous(Net):
    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        answer = super().forward(tokens)[1]
        return answer, -answer


def tokens(n: int = 7) -> dict[str, Tensor]:
    examples = TASK.examples("seen", n, generator=Generator().manual_seed(0))
    return dict(examples.inputs)


def scores(network: nn.Module, **options: Any) -> Evidence:
    return run(Systematicity(), Subject(network, **options), TASK, effort="quick", seed=0)


@pytest.mark.parametrize("shape", SHAPES)
def test_however_the_answer_is_handed_over_the_evidence_is_one(shape):
    assert scores(Net(shape)) == scores(Net("tensor"))


def test_the_answer_is_one_in_the_process_without_the_task():
    """With copies that are drawn anew there."""
    plain = run(Answers(), Subject(Net("tensor")), TASK, effort="quick", seed=0)
    nested = answering(Subject(Net("loss first")), TASK)
    assert nested.output == "1"
    assert judged_apart([Answers()], nested, TASK, effort="quick", seed=0) == [plain]


def test_cuts_gradients_copies_masks_and_training_know_the_answer():
    plain, nested = Subject(Net("tensor")), Subject(Net("tuple"), output="1")
    inputs = tokens()
    answer = plain(inputs)
    assert torch.equal(nested(inputs), answer)
    assert torch.equal(nested.cuts(inputs).run(inputs, 1, nested.cuts(inputs).read(inputs, 1)), answer)
    pull = torch.ones_like(answer)
    assert torch.equal(
        nested.gradients(inputs, ["first:out"], pull)["first:out"], plain.gradients(inputs, ["first:out"], pull)["first:out"]
    )
    drawn = (one.untrained(Generator().manual_seed(1))(inputs) for one in (plain, nested))
    assert torch.equal(*drawn)
    assert not torch.equal(nested.untrained(Generator().manual_seed(1))(inputs), answer)
    assert torch.equal(run_masked(nested.module, weights_of(nested.module), inputs), answer)
    assert nested.integrity(inputs).holds
    data = TrainingData(inputs, TASK.examples("seen", 7, generator=Generator().manual_seed(0)).targets, TASK.objective)
    models = [nested.untrained(Generator().manual_seed(k)).module for k in range(2)]
    fit_many(models, data, configs=[TrainingConfig(steps=2, batch_size=4)] * 2, strategy="rule")
    assert all(model(**inputs).shape == answer.shape for model in models)


def test_a_network_that_is_drawn_by_a_function_has_the_same_answer():
    subject = Subject(Net("tuple"), fresh=lambda generator: Net("tuple"), output="1")
    assert torch.equal(subject.untrained(Generator().manual_seed(0))(tokens()), subject(tokens()))


def test_the_network_itself_goes_on_returning_everything():
    network = Net("tuple")
    subject = Subject(network, output="1")
    assert subject(tokens()).shape == (7, 5)
    hidden, answer = network(**tokens())
    assert (hidden.shape, answer.shape) == ((7, 16), (7, 5))
    with torch.no_grad():
        network.last.weight.zero_()
    assert torch.equal(subject(tokens())[0], network.last.bias.detach()), "its weights are those of the network"


def test_two_that_could_be_the_answer_are_listed_with_their_shapes():
    with pytest.raises(AssayError, match=r"2 could be.*Choices: 0 float32 \(8, 5\), 1 float32 \(8, 5\).*output=\"NAME\""):
        audit(Subject(Ambiguous("tuple")), TASK, effort="quick", instruments=[])
    for name, sign in (("0", 1), ("1", -1)):
        assert torch.equal(Subject(Ambiguous("tuple"), output=name)(tokens()), sign * Subject(Net("tensor"))(tokens()))


def test_none_that_could_be_the_answer_is_an_error_and_so_is_a_name_that_is_not_there():
    class Hidden(Net):
        def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
            hidden = super().forward(tokens)[0]
            return hidden, hidden[:, :4]

    with pytest.raises(AssayError, match=r"real numbers of shape \(8, 5\).*Choices: 0 float32 \(8, 16\), 1 float32 \(8, 4\)"):
        audit(Subject(Hidden("tuple")), TASK, effort="quick", instruments=[])
    with pytest.raises(AssayError, match=r"output that was named, 'logits'.*Choices: hidden float32 .*answer float32"):
        Subject(Net("dictionary"), output="logits")(tokens())
    with pytest.raises(AssayError, match="str without a tensor"):
        Subject(Whispering())(tokens())


class Whispering(nn.Module):
    def forward(self, tokens: Tensor) -> str:
        return "nothing"


class Deciding(Net):
    """Returns the classes that it chose, as numbers."""

    def forward(self, tokens: Tensor) -> Tensor:
        return nn.functional.one_hot(super().forward(tokens)[1].argmax(-1), 5)


def test_an_answer_of_whole_numbers_is_refused():
    with pytest.raises(AssayError, match=r"must be real numbers, such as logits. Given: int64 of shape"):
        audit(Subject(Deciding("tuple")), TASK, effort="quick", instruments=[])


def test_without_a_task_nothing_is_chosen_but_places_can_be_read():
    subject = Subject(Net("tuple"))
    with pytest.raises(AssayError, match=r"say which of several is the answer.*Choices: 0 float32 \(7, 16\), 1 float32"):
        subject(tokens())
    assert subject.read(tokens(), ["first:out"])["first:out"].shape == (7, 16)
    with pytest.raises(AssayError, match="say which of several"):
        run_masked(subject.module, weights_of(subject.module), tokens())


@pytest.mark.parametrize("n", [0, 1])
def test_no_example_and_one(n):
    assert Subject(Net("tuple"), output="1")({"tokens": tokens()["tokens"][:n]}).shape == (n, 5)


def test_candidates_have_names_and_each_is_there_once():
    one, two = torch.zeros(1), torch.zeros(2)
    nest = {"a": one, "b": (two, None, [one, "text"]), "c": Labelled(hidden=two, answer=torch.zeros(3))}
    assert {name: len(tensor) for name, tensor in candidates(nest).items()} == {"a": 1, "b.0": 2, "c.answer": 3}
    assert torch.equal(with_output(Returning(nest), "b.2.0")(), one)
    assert candidates("text") == candidates(()) == {}


class Returning(nn.Module):
    def __init__(self, nest: Any):
        super().__init__()
        self.nest = nest

    def forward(self) -> Any:
        return self.nest


class Weighted(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(5, 3))
        nn.utils.parametrizations.weight_norm(self)

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        return tokens, tokens.float() @ self.weight.T


class Scripted(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x, x


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_parametrised_modules_have_outputs_too_and_scripted_ones_are_refused():
    module = Weighted()
    assert Subject(module, output="1")(tokens()).shape == (7, 5)
    assert len(module(**tokens())) == 2
    with pytest.raises(AssayError, match="a network must run its own Python code"):
        Subject(torch.jit.script(Scripted()), output="1")
