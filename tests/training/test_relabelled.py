"""Networks trained alike on random labels."""

import pytest
import torch

import assay
from assay.store import RunDirectory
from assay.training.relabelled import Relabelled, trained_alike

TASK = "modular:p=7,num_first=7,num_second=7"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A network that knows its trained combinations, as a folder."""
    out = tmp_path_factory.mktemp("run") / "modular"
    options = {"width": 64, "depth": 3}
    assay.train(
        TASK, "mlp", out=out, options=options, config={"steps": 300, "batch_size": 128, "learning_rate": 1e-2}, progress=None
    )
    return RunDirectory.open(out)


@pytest.fixture(scope="module")
def task():
    return assay.load_task(TASK)


def drawn(view, n=4000, seed=0):
    return view.examples("train", n, generator=torch.Generator().manual_seed(seed))


def test_a_combination_has_one_answer_wherever_it_is_drawn_and_most_often_another_than_its_own(task):
    first, again, true = drawn(Relabelled(task, seed=1)), drawn(Relabelled(task, seed=1), seed=2), drawn(task)
    answers = dict(zip(first.combination.tolist(), first.targets.tolist(), strict=True))
    assert all(answers[c] == t for c, t in zip(first.combination.tolist(), first.targets.tolist(), strict=True))
    assert all(answers.get(c, t) == t for c, t in zip(again.combination.tolist(), again.targets.tolist(), strict=True))
    assert all(torch.equal(values, true.inputs[name]) for name, values in first.inputs.items())
    # Of 7 classes one in 7 stays by chance; 5 standard errors of that share.
    own = dict(zip(true.combination.tolist(), true.targets.tolist(), strict=True))
    assert sum(answers[c] == own[c] for c in answers) / len(answers) < 1 / 7 + 5 * (1 / 7 / len(answers)) ** 0.5


def test_other_seeds_give_other_answers(task):
    assert not torch.equal(drawn(Relabelled(task, seed=1)).targets, drawn(Relabelled(task, seed=2)).targets)


def test_it_is_trained_as_long_and_learns_the_random_labels_not_the_true_ones(trained, task):
    subject = assay.load_subject(str(trained.path))
    assert subject.training.settings["steps"] == 300
    assert subject.training.cpu_seconds == trained.read_record().cpu_seconds
    before = {name: weight.clone() for name, weight in subject.weights().items()}
    twin, again = (trained_alike(subject, task, seed=3) for _ in range(2))
    assert all(torch.equal(before[name], weight) for name, weight in subject.weights().items())
    assert all(torch.equal(again.weights()[name], weight) for name, weight in twin.weights().items())
    assert twin.num_weights() == subject.num_weights()
    wrong, true = drawn(Relabelled(task, seed=3)), drawn(task)
    assert float(task.score(twin(wrong.inputs), wrong).mean()) > 0.9
    assert float(task.score(twin(true.inputs), true).mean()) < 0.3
