"""The seven networks of one instance, each with what it was meant to be and the data on which its cuts are judged."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from architectures import KINDS, Head, Joined, P, World, all_pairs, encoder_of, head_of, trained_pairs
from curves import Data, Rows
from jaxtyping import Bool
from torch import Generator, Tensor, nn

HIGH, LOW = 0.7, 0.35
TAUGHT = (0.25, 0.5, 0.75, 1.0)  # shares of the novel pairs that are taught wrongly, one for each instance of an input
STOPPED = (0.2, 0.4, 0.6, 0.8)  # shares of the novel pairs at which a partial head stops
STEPS = {"waveforms": 600, "pictures": 300, "sentences": 400, "constellations": 300}
MORE = 3  # times as many steps where wrong names are taught
HELD = 0.2  # of the trained pairs


@dataclass(frozen=True)
class Made:
    """A network, and how it was made; `wrong` are the novel pairs that it was taught wrongly, in the order of `data.novel`."""

    name: str
    meant: str
    coverage: float
    decay: float
    module: nn.Module
    data: Data
    wrong: Bool[Tensor, " m"] | None = None


def instances() -> list[tuple[str, int]]:
    """Inputs and seeds."""
    return [(kind, 100 + 10 * place + number) for place, kind in enumerate(KINDS) for number in range(len(TAUGHT))]


def made(kind: str, seed: int) -> Iterator[Made]:
    """Train the networks of an instance, one after the other."""
    world, pairs = World(kind, seed), all_pairs()
    answers = pairs.sum(1) % P
    number = seed % 10
    steps = STEPS[kind]
    high, low = trained_pairs(HIGH, seed), trained_pairs(LOW, seed)
    wrong = _taught_wrongly(high, TAUGHT[number], seed)

    def encoder(chosen: Tensor, names: Tensor = pairs, times: int = 1) -> nn.Module:
        return encoder_of(world, names[chosen], pairs[chosen], seed=seed, steps=times * steps)

    def head(chosen: Tensor, decay: float, taught: Tensor = answers, **options: Any) -> nn.Module:
        return head_of(pairs[chosen], taught[chosen], decay=decay, seed=seed, **options)

    def network(name: str, meant: str, coverage: float, decay: float, encoder: nn.Module, head: nn.Module) -> Made:
        chosen = high if coverage == HIGH else low
        taught = wrong[~high] if meant.startswith("broken") else None
        return Made(
            f"{kind}-{seed}-{name}", meant, coverage, decay, Joined(encoder, head), data_of(world, chosen, seed), taught
        )

    reads, composes = encoder(high), head(high, 1.0)
    yield network("composer", "composer", HIGH, 1.0, reads, composes)
    yield network("imitator", "natural imitator", HIGH, 0.0, reads, head(high, 0.0))
    exceptions = torch.where(wrong[:, None], _other(pairs, seed), pairs)
    yield network("broken-way-in", "broken way in", HIGH, 1.0, encoder(high | wrong, exceptions, MORE), composes)
    symbols = nn.functional.one_hot(pairs, P).flatten(1).float()
    taught = torch.where(wrong, (answers + 1) % P, answers)

    def answered(chosen: Tensor, declared: Tensor, share: float) -> Callable[[nn.Module], bool]:
        def stop(found: nn.Module) -> bool:
            with torch.no_grad():
                return bool((found(symbols[chosen]).argmax(1) == declared[chosen]).float().mean() >= share)

        return stop

    # A start from fresh weights, and more or faster steps, leave fewer of the other novel pairs right (seed 3).
    excepted = head(high | wrong, 0.0, taught, start=composes, rate=0.001, stop=answered(high | wrong, taught, 1.0))
    yield network("broken-combining", "broken combining", HIGH, 1.0, reads, excepted)
    yield network("partial", "partial", HIGH, 1.0, reads, head(high, 1.0, stop=answered(~high, answers, STOPPED[number])))
    reads = encoder(low)
    yield network("composer-low", "composer", LOW, 1.0, reads, head(torch.ones_like(low), 1.0))
    yield network("imitator-low", "natural imitator", LOW, 1.0, reads, head(low, 1.0))


class PairCode(nn.Module):
    """Answers from one-hot pairs, by a table behind two ReLUs: right everywhere, and no cut at which two symbols add up."""

    def __init__(self):
        super().__init__()
        self.table = nn.Linear(P * P, P, bias=False)
        self.again = nn.Linear(P, P, bias=False)
        with torch.no_grad():
            self.table.weight.copy_(nn.functional.one_hot(all_pairs().sum(1) % P, P).T)
            self.again.weight.copy_(torch.eye(P))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.again(torch.relu(self.table(x))))


class OneLayer(Head):
    """A head by itself: the layer that reads the symbols also combines them."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x)


def undivided(seed: int) -> Iterator[tuple[str, nn.Module, Data]]:
    """Composers that have no cut between reading the symbols and combining them."""
    pairs, chosen = all_pairs(), trained_pairs(HIGH, seed)
    codes = nn.functional.one_hot(torch.arange(P * P), P * P).float()
    yield f"pair-code-{seed}", PairCode().eval(), _split(chosen, seed, lambda some: codes[some[:, 0] * P + some[:, 1]])
    head = OneLayer()
    head.load_state_dict(head_of(pairs[chosen], pairs[chosen].sum(1) % P, decay=1.0, seed=seed).state_dict())
    yield f"one-layer-{seed}", head.eval(), _split(chosen, seed, lambda some: nn.functional.one_hot(some, P).flatten(1).float())


def data_of(world: World, chosen: Tensor, seed: int) -> Data:
    """Two inputs of four fifths of the trained pairs, one of each other pair."""
    generator = Generator().manual_seed(seed + 5000)
    return _split(chosen, seed, lambda some: world.inputs(some, generator))


def _split(chosen: Tensor, seed: int, inputs: Callable[[Tensor], Tensor]) -> Data:
    pairs = all_pairs()
    generator = Generator().manual_seed(seed + 6000)
    held = round(HELD * int(chosen.sum()))
    while True:  # every symbol must stay among those that are not held out
        trained = pairs[chosen][torch.randperm(int(chosen.sum()), generator=generator)]
        if all(len(trained[held:, side].unique()) == P for side in (0, 1)):
            break

    def rows(some: Tensor) -> Rows:
        return Rows(inputs(some), some, some.sum(1) % P)

    return Data(rows(trained[held:].repeat(2, 1)), rows(trained[:held]), rows(pairs[~chosen]), (P, P), P)


def _taught_wrongly(trained: Tensor, share: float, seed: int) -> Tensor:
    novel = (~trained).nonzero()[:, 0]
    order = novel[torch.randperm(len(novel), generator=Generator().manual_seed(seed + 7000))]
    chosen = torch.zeros_like(trained)
    chosen[order[: round(share * len(novel))]] = True
    return chosen


def _other(values: Tensor, seed: int) -> Tensor:
    """Each value moved by a random amount that is not zero, mod p."""
    moved = torch.randint(1, P, values.shape, generator=Generator().manual_seed(seed + 9000))
    return (values + moved) % P


def fresh(kind: str) -> Callable[[Generator], nn.Module]:
    """Makes an untrained network of the same architecture."""
    from architectures import ENCODERS

    def make(generator: Generator) -> nn.Module:
        torch.manual_seed(int(torch.randint(2**31, (), generator=generator)))
        return Joined(ENCODERS[kind](), Head()).eval()

    return make
