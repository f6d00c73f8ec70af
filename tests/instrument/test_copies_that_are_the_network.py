"""Untrained copies whose weights cannot be drawn again are told of, since nothing can lie above them."""

import torch
from torch import Generator, nn

import assay
from assay.instrument import run
from assay.instrument.run import NOT_DRAWN_AGAIN
from assay.subject import Subject

TASK = assay.load_task("modular-addition:p=5")


class Reached(nn.Module):
    """Its forward reaches the layers through a closure, which a copy shares with it."""

    def __init__(self, closed: bool):
        super().__init__()
        self.body = nn.Sequential(nn.Embedding(16, 4), nn.Flatten(), nn.Linear(8, 5))
        body = self.body
        self.call = (lambda tokens: body(tokens)) if closed else None

    def forward(self, tokens):
        return self.call(tokens) if self.call else self.body(tokens)


def warnings_of(module: nn.Module, **more) -> tuple[str, ...]:
    return run(assay.load_instrument("systematicity"), Subject(module, **more), TASK, effort="quick").warnings


def test_a_copy_that_shares_the_weights_is_told_of():
    torch.manual_seed(0)
    assert NOT_DRAWN_AGAIN in warnings_of(Reached(closed=True))
    assert NOT_DRAWN_AGAIN not in warnings_of(Reached(closed=False))


def test_a_network_that_is_made_anew_is_not():
    def fresh(generator: Generator) -> nn.Module:
        torch.manual_seed(int(torch.randint(1_000, (1,), generator=generator)))
        return Reached(closed=True)

    torch.manual_seed(0)
    assert NOT_DRAWN_AGAIN not in warnings_of(Reached(closed=True), fresh=fresh)
