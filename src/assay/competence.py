"""Whether a network can be judged: it runs, its numbers are finite, and it has learned its trained combinations. Checked once,
before any instrument searches inside it."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Int
from torch import Generator, Tensor

from assay.display import number
from assay.errors import AssayError
from assay.objective import NOT_ASKED, PAD, Classification, Objective, Sequences, Steps, Unscored, check_finite
from assay.stats import cluster_means, mean_interval
from assay.subject import Subject
from assay.task import Examples, Task

NUM_INTEGRITY_EXAMPLES = 256
NUM_UNSCORED_EXAMPLES = 4  # fewer where the output is not scored: a language model gives a logit for every word
LEARNED = 0.95  # score on trained combinations below which failure on novel ones says nothing about composition
REORDERED = 0.9  # score that another order of the classes must exceed, and the declared one must not
_MOST_CLASSES = 1_000  # that occur: time of the assignment grows with the cube of their number
_MOST_SHOWN = 20
_FEWEST = 10  # examples on which an order is scored
_EACH, _MOST_EXAMPLES = 16, 4_096  # examples of every class, and in total
_MOST_NUMBERS = 2**25  # in the outputs of these examples
_UNKNOWN = "a class without examples"


def checked_sample(subject: Subject, task: Task, seed: int) -> tuple[Examples, Tensor | None]:
    """Trained examples and the network's outputs on them; None where the task scores no outputs.

    **Raises:** `AssayError` for weights, inputs or outputs that are not finite, and for outputs that the task cannot score.
    """
    num = NUM_UNSCORED_EXAMPLES if isinstance(task.objective, Unscored) else NUM_INTEGRITY_EXAMPLES
    sample = task.examples("seen", num, generator=Generator().manual_seed(seed))
    trained = {name for name, _ in subject.module.named_parameters(remove_duplicate=False)}
    for name, weight in subject.weights().items():
        if weight.is_meta:
            raise AssayError(
                "the weights of a network must be loaded before it is audited",
                given=f"{name} on the meta device",
                next_step="load them all, in nnsight with dispatch=True",
            )
        # A buffer may hold an infinite constant, such as what a mask adds to the scores of attention.
        check_finite(weight if name in trained else weight[~weight.isinf()], f"the subject's weight {name}")
    for name, values in sample.inputs.items():
        check_finite(values, f"the task's input {name}")
    if isinstance(task.objective, Unscored):
        return sample, None
    outputs = subject(sample.inputs)
    if not outputs.is_floating_point():
        raise AssayError(
            "the subject's output must be real numbers, such as logits",
            given=f"{str(outputs.dtype).removeprefix('torch.')} of shape {tuple(outputs.shape)}",
            next_step="return the scores from which the answer is chosen, not the answer itself",
        )
    check_finite(outputs, "the subject's output")
    task.score(outputs, sample)
    return sample, outputs


def unlearned_task(subject: Subject, task: Task, sample: Examples, outputs: Tensor | None, seed: int) -> tuple[str, str]:
    """Statement that the network has not learned its task, see `unlearned`, and a hint at the reason where there is one."""
    statement = "" if outputs is None else unlearned(outputs, sample, task.objective)
    if outputs is None or not statement:
        return statement, ""
    # The order of the classes needs more examples than the statement.
    num = examples_for_order(outputs, task.objective)
    more = task.examples("seen", num, generator=Generator().manual_seed(seed))
    hint = other_order(subject(more.inputs), more, task.objective)
    if not hint and subject.initial:
        hint = f"No weights file was given: its weights are those that {subject.initial} gave it"
    return statement, hint


def unlearned(outputs: Tensor, examples: Examples, objective: Objective) -> str:
    """Statement that the network has not learned its task: the whole interval of its score on trained combinations lies below
    `LEARNED`. Empty where it does not, or where there are too few combinations for an interval."""
    if not len(examples):
        return ""
    units = cluster_means(objective.score(outputs, examples.targets), examples.combination).means
    interval = mean_interval(units, bounds=(0.0, 1.0))
    if interval is None or interval.high >= LEARNED:
        return ""
    score = f"{number(float(units.mean()))} [{number(interval.low)}, {number(interval.high)}]"
    return f"the score on trained combinations is {score}, below {LEARNED}"


def other_order(outputs: Tensor, examples: Examples, objective: Objective) -> str:
    """Warning that the network would score above `REORDERED` if its outputs were read in another order of the classes, with
    that order; empty where it would not, or already does. Nothing is reordered.

    The order is the assignment with the most right answers on half of the combinations of each class (Kuhn 1955), and is scored
    on the other half: with few examples of many classes some order fits any outputs. For a class with a single combination, its
    examples with different outputs are halved instead. Classes without examples in the first half are left out of the score.
    """
    if not len(examples) or not isinstance(objective, Classification | Steps | Sequences):
        return ""
    targets, num = examples.targets, objective.width()
    asked = _asked(targets, objective)
    shown, held_out = _halves(outputs, examples, objective)
    found = outputs.argmax(-1)
    classes = torch.cat([targets[asked], found[asked]]).unique()
    if len(classes) > _MOST_CLASSES:
        return ""
    known = torch.isin(targets, targets[shown][asked[shown]].unique()) | ~asked
    held_out = held_out & known.flatten(1).all(1) if known.ndim > 1 else held_out & known
    if int(held_out.sum()) < max(_FEWEST, int((~shown).sum()) / 2):
        return ""
    score = float(objective.score(outputs[held_out], targets[held_out]).mean())
    if score > REORDERED:
        return ""
    order = _assigned(found[shown], targets[shown], asked[shown], classes, num)
    reordered = float(objective.score(outputs[held_out][..., order], targets[held_out]).mean())
    if reordered <= REORDERED:
        return ""
    names = objective.names if isinstance(objective, Classification) else ()
    words = list(names or map(str, range(num)))
    if isinstance(objective, Classification):  # the order of classes without examples is not known
        seen = set(targets[shown].tolist())
        words = [word if k in seen else _UNKNOWN for k, word in enumerate(words)]
    listed = _listed(words, order.argsort().tolist())
    return (
        f"With its outputs in another order of the classes it would score {number(reordered)} instead of {number(score)}: they "
        f"would stand for {listed}. If it was trained with this order, declare it: `values = [...]` under [target] of a table, "
        "`Classification(names=[...])` with targets numbered likewise in a task of your own"
    )


def examples_for_order(outputs: Tensor, objective: Objective) -> int:
    """Number of examples for `other_order`, from the `outputs` of a few: several of every class, within bounds of time and
    memory."""
    fitting = _MOST_NUMBERS // max(1, outputs[:1].numel())
    return max(len(outputs), min(_MOST_EXAMPLES, _EACH * objective.width(), fitting))


def _halves(outputs: Tensor, examples: Examples, objective: Objective) -> tuple[Bool[Tensor, " n"], Bool[Tensor, " n"]]:
    """Masks of the rows on which an order is found and of those on which it is scored: alternate combinations, within each
    class if examples have one class. In a class with a single combination examples with the same outputs stay together."""
    if not isinstance(objective, Classification):
        place = examples.combination.unique(return_inverse=True)[1]
        return place % 2 == 0, place % 2 == 1
    same = outputs.unique(dim=0, return_inverse=True)[1]
    combinations = torch.stack([examples.targets, examples.combination], 1).unique(dim=0, return_inverse=True)
    alone = (combinations[0][:, 0].bincount(minlength=objective.num_classes) == 1)[examples.targets]
    unit = torch.where(alone, same + len(combinations[0]), combinations[1])
    units, number = torch.stack([examples.targets, unit], 1).unique(dim=0, return_inverse=True)
    sizes = units[:, 0].bincount(minlength=objective.num_classes)
    place = (torch.arange(len(units)) - (sizes.cumsum(0) - sizes)[units[:, 0]])[number]
    return place % 2 == 0, place % 2 == 1


def _asked(targets: Tensor, objective: Objective) -> Bool[Tensor, "..."]:
    if isinstance(objective, Classification):
        return torch.ones_like(targets, dtype=torch.bool)
    return targets != (PAD if isinstance(objective, Sequences) else NOT_ASKED)


def _assigned(answers: Tensor, targets: Tensor, asked: Tensor, classes: Int[Tensor, " k"], num: int) -> Int[Tensor, " classes"]:
    """Index of the output assigned to every class: the one-to-one assignment with the most right answers. Only `classes`, those
    that occur, are reassigned."""
    from scipy.optimize import linear_sum_assignment

    at = tuple(torch.searchsorted(classes, some[asked].contiguous()) for some in (targets, answers))
    counts = torch.zeros(len(classes), len(classes)).index_put(at, torch.ones(()), accumulate=True)
    _, chosen = linear_sum_assignment((counts + 0.5 * torch.eye(len(classes))).numpy(), maximize=True)
    order = torch.arange(num)
    order[classes] = classes[torch.from_numpy(chosen)]
    return order


def _listed(names: Sequence[str], order: Sequence[int]) -> str:
    """The classes in the order of the outputs; of more than `_MOST_SHOWN`, only the known ones that moved."""
    if len(order) <= _MOST_SHOWN:
        return ", ".join(names[k] for k in order)
    moved = [(place, k) for place, k in enumerate(order) if place != k and names[k] != _UNKNOWN]
    shown = ", ".join(f"output {place} for {names[k]}" for place, k in moved[:_MOST_SHOWN])
    return shown if len(moved) <= _MOST_SHOWN else f"{shown}, and {len(moved) - _MOST_SHOWN} more"
