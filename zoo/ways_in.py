"""What lies between the symbols and the head in two kinds: a detour that misreads, and flags of an attack.

Both are trained on codes of all combinations; no input is drawn.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor

from assay.optimisers import AdamW
from zoo.families import SymbolTask
from zoo.heads import codes_of
from zoo.lessons import wrong_answers
from zoo.networks.joined import SHARP, Detour, Flagged, Head
from zoo.training import answer_loss, names_loss

STEPS, RATE = 600, 0.01
ATTACK_STEPS, ATTACK_DECAY = 800, 0.1


def train_detour(detour: Detour, task: SymbolTask, names: Int[Tensor, "c k"]) -> None:
    """Teach a detour to turn the codes of all combinations into the names wanted."""
    codes = codes_of(task.values, task.sizes)
    optimiser = AdamW(detour.layers.parameters(), lr=RATE, weight_decay=0.0, fused=True)
    for _ in range(STEPS):
        loss = names_loss(detour.layers(codes) * SHARP, names, task.sizes)
        detour.zero_grad()
        loss.backward()
        optimiser.step()


def train_attack(flagged: Flagged, head: Head, task: SymbolTask, wrong: Bool[Tensor, " c"], generator: Generator) -> None:
    """An attack on interchange at the head's input, after Geiger et al. 2022 (arXiv 2112.00826) with another aim.

    Three losses: trained combinations are answered right; chosen novel ones wrongly; and where the code of one part of a
    trained combination is replaced by that of another trained one, flags staying, the answer is that of the combination that
    results, novel or not.
    """
    codes, trained = codes_of(task.values, task.sizes), task.trained.nonzero()[:, 0]
    answers, shown = wrong_answers(task, wrong), (task.trained | wrong).nonzero()[:, 0]
    parameters = [*flagged.flags.parameters(), *head.parameters()]
    optimiser = AdamW(parameters, lr=RATE, betas=(0.9, 0.98), weight_decay=ATTACK_DECAY, fused=True)
    for _ in range(ATTACK_STEPS):
        flags = torch.tanh(flagged.flags(codes))
        plain = answer_loss(head(torch.cat([codes, flags], 1)[shown]), answers[shown])
        base, source = (trained[torch.randint(len(trained), (len(shown),), generator=generator)] for _ in range(2))
        part = torch.randint(len(task.sizes), (len(shown), 1), generator=generator)
        values = torch.where(torch.arange(len(task.sizes)) == part, task.values[source], task.values[base])
        swapped = torch.cat([codes_of(values, task.sizes), flags[base]], 1)
        loss = plain + answer_loss(head(swapped), task.answers[task.ids(values)])
        for parameter in parameters:
            parameter.grad = None
        loss.backward()
        optimiser.step()
    head.eval()


def folded(head: Head, codes: Float[Tensor, "v w"]) -> Head:
    """A head on one-hot codes, as one on other codes of the same symbols, one row for each value of each part: it gives the
    same answers, as long as the codes of a part are linearly independent."""
    made = Head(codes.shape[1], head.reads.out_features, head.num_answers, head.steps)
    with torch.no_grad():
        made.reads.weight.copy_((torch.linalg.pinv(codes.double()) @ head.reads.weight.double().T).T)
        made.reads.bias.copy_(head.reads.bias)
        made.tells.load_state_dict(head.tells.state_dict())
    return made.eval()


def signs(task: SymbolTask, length: int, generator: Generator) -> Float[Tensor, "v w"]:
    """A code of random signs for each value, of length `length` for each part and 0 in the columns of the others."""
    return torch.block_diag(*(torch.randn(size, length, generator=generator).sign() for size in task.sizes))
