"""A network in two modules: reference models that tell derived parts, and an mlp that answers from what they tell."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from assay.models import ModelConfig, rebuild
from assay.objective import Classification
from assay.training import TrainingData, fit_many
from assay.zoo.kinds.stages import Stages
from assay.zoo.kinds.tables import slots_of, vocab_of

WIDER = 4  # the layer that answers has so many times the width of the model that tells, as in a transformer's block


class Staged(nn.Module):
    """`tokens` `(n, length)` to outputs `(n, num_outputs)`.

    Every model in `tell` reads the positions that its part follows from and tells the part by a softmax, which is close to
    a one-hot code once it is sure. `answer` takes these codes and the columns `through` of the input's.
    """

    def __init__(
        self,
        tell: Sequence[nn.Module],
        answer: nn.Module,
        *,
        read: Sequence[Sequence[int]],
        through: Int[Tensor, " columns"],
        vocab: int,
    ):
        super().__init__()
        self.tell, self.answer = nn.ModuleList(tell), answer
        self.read, self.vocab = [list(positions) for positions in read], vocab
        self.through: Tensor
        self.register_buffer("through", through)

    def forward(self, tokens: Int[Tensor, "n length"]) -> Float[Tensor, "n num_outputs"]:
        told = [model(tokens[:, read]).softmax(-1) for model, read in zip(self.tell, self.read, strict=True)]
        code = F.one_hot(tokens, self.vocab).flatten(1)[:, self.through]
        return self.answer(torch.cat([*told, code.to(told[0].dtype)], 1))


def staged(stages: Sequence[Stages]) -> list[nn.Module]:
    """Trained one stage at a time, one network for every task."""
    made = [build_staged(one) for one in stages]
    tellers = [model for one in made for model in one.tell]
    told = [_told(one, k) for one in stages for k in range(len(one.derived))]
    fit_many(tellers, told, configs=[one.order.config for one in stages for _ in one.derived], strategy="rule")
    answers = [one.answer for one in made]
    fit_many(answers, [one.second() for one in stages], configs=[one.order.config for one in stages], strategy="rule")
    return list(made)


def build_staged(stages: Stages) -> Staged:
    """Before training; its sizes are those of the order's model."""
    task, model = stages.order.task, stages.order.model
    tell = []
    for k, size in enumerate(stages.sizes):
        told = {"length": len(_positions(stages, k)), "num_outputs": size}
        options = {name: told.get(name, value) for name, value in model.options.items()}
        tell.append(rebuild(ModelConfig(model.name, options), generator=stages.order.generator(f"first stage {k}")))
    return Staged(
        tell,
        stages.second_mlp(width=WIDER * int(model.options["width"]), depth=1),
        read=[_positions(stages, k) for k in range(len(stages.derived))],
        through=stages.through,
        vocab=vocab_of(task),
    )


def _positions(stages: Stages, k: int) -> list[int]:
    task = stages.order.task
    return [slots_of(task).index(slot) for slot in task.derived[stages.derived[k]]]


def _told(stages: Stages, k: int) -> TrainingData:
    tokens = stages.tuples.inputs["tokens"][:, _positions(stages, k)]
    rows = stages.first_rows(k)
    values = stages.tuples.parts[stages.derived[k]]
    return TrainingData({"tokens": tokens[rows]}, values[rows], Classification(stages.sizes[k]))
