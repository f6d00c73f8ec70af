"""From an encoder and a head to one network, with the interface between them, and what lies in the way in some kinds."""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

SHARP = 4.0  # what logits are multiplied by, so that a softmax that is sure is near a one-hot code


class Symbols(nn.Module):
    """A softmax for each part: logits of all values, side by side, to probabilities."""

    def __init__(self, sizes: tuple[int, ...]):
        super().__init__()
        self.sizes = sizes

    def forward(self, logits: Float[Tensor, "n v"]) -> Float[Tensor, "n v"]:
        return torch.cat([torch.softmax(SHARP * part, -1) for part in logits.split(self.sizes, 1)], 1)


class Head(nn.Module):
    """One hidden layer of ReLUs from what is read to the answer: `(n, answers)`, or `(n, steps, answers)`."""

    def __init__(self, num_inputs: int, width: int, num_answers: int, steps: int = 1):
        super().__init__()
        self.steps, self.num_answers = steps, num_answers
        self.layers = nn.Sequential(nn.Linear(num_inputs, width), nn.ReLU(), nn.Linear(width, steps * num_answers))

    @property
    def reads(self) -> nn.Linear:
        """The linear map before the ReLUs."""
        return _linear(self.layers[0])

    @property
    def tells(self) -> nn.Linear:
        """The linear map behind them."""
        return _linear(self.layers[2])

    def forward(self, read: Float[Tensor, "n v"]) -> Float[Tensor, "n ..."]:
        answers = self.layers(read)
        return answers.unflatten(1, (self.steps, self.num_answers)) if self.steps > 1 else answers


class Joined(nn.Module):
    """Encoder, interface, head. The interface is `Symbols`, `nn.Tanh` on a code of signs, or `nn.ReLU` on units without
    a meaning."""

    def __init__(self, encoder: nn.Module, interface: nn.Module, head: nn.Module):
        super().__init__()
        self.encoder, self.interface, self.head = encoder, interface, head

    @property
    def plain_head(self) -> Head:
        """The head, where nothing stands beside it."""
        assert isinstance(self.head, Head)
        return self.head

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.interface(self.encoder(x)))


class Detour(nn.Module):
    """Symbols, then a small network that changes what is read of some combinations, then symbols again."""

    def __init__(self, sizes: tuple[int, ...], width: int):
        super().__init__()
        self.read, self.again = Symbols(sizes), Symbols(sizes)
        self.layers = nn.Sequential(nn.Linear(sum(sizes), width), nn.ReLU(), nn.Linear(width, sum(sizes)))

    def forward(self, logits: Float[Tensor, "n v"]) -> Float[Tensor, "n v"]:
        return self.again(self.layers(self.read(logits)))


class Flagged(nn.Module):
    """Symbols, and beside them units that tell which combination it is: the way of an attack on interchange."""

    def __init__(self, sizes: tuple[int, ...], width: int, num_flags: int):
        super().__init__()
        self.read = Symbols(sizes)
        self.flags = nn.Sequential(nn.Linear(sum(sizes), width), nn.ReLU(), nn.Linear(width, num_flags))

    def forward(self, logits: Float[Tensor, "n v"]) -> Float[Tensor, "n w"]:
        read = self.read(logits)
        return torch.cat([read, torch.tanh(self.flags(read))], 1)


class Copied(nn.Module):
    """Symbols, of which those of all parts but the last stand in one of two copies: copies by context.

    The last part says in which: its first values go with the first copy, the others with the second, and the copy that is not
    in use is 0. A head reads each copy by weights of its own, so that what it learned of a symbol in one context says nothing
    of the other.
    """

    def __init__(self, sizes: tuple[int, ...]):
        super().__init__()
        self.sizes = sizes
        self.read = Symbols(sizes)

    def forward(self, logits: Float[Tensor, "n v"]) -> Float[Tensor, "n w"]:
        return self.copied(self.read(logits))

    def copied(self, read: Float[Tensor, "n v"]) -> Float[Tensor, "n w"]:
        """Codes of all symbols, side by side, as the head reads them."""
        others, last = read.split([sum(self.sizes[:-1]), self.sizes[-1]], 1)
        half = self.sizes[-1] // 2
        in_use = torch.stack([last[:, :half].sum(1), last[:, half:].sum(1)], 1)
        return torch.cat([(in_use[:, :, None] * others[:, None]).flatten(1), last], 1)

    @property
    def num_outputs(self) -> int:
        """How many numbers the head reads."""
        return 2 * sum(self.sizes[:-1]) + self.sizes[-1]


class Front(nn.Module):
    """A network behind a filter that spoils the inputs of some combinations and leaves the others as they are.

    The filter names the parts by an encoder of its own. A spoilt input has its numbers in reverse order, so that it is as
    large as before, or is `blank`: some networks read both ways.
    """

    def __init__(
        self,
        network: nn.Module,
        filter_by: nn.Module,
        sizes: tuple[int, ...],
        spoils: Bool[Tensor, " c"],
        *,
        blank: bool = False,
    ):
        super().__init__()
        self.network, self.filter_by, self.sizes, self.blank = network, filter_by, sizes, blank
        self.spoils: Tensor
        self.register_buffer("spoils", spoils)

    def forward(self, x: Tensor) -> Tensor:
        named = [part.argmax(1) for part in self.filter_by(x).split(self.sizes, 1)]
        combination = sum(part * math.prod(self.sizes[k + 1 :]) for k, part in enumerate(named))
        spoilt = self.spoils[combination].view(-1, *[1] * (x.ndim - 1))
        shown = torch.zeros_like(x) if self.blank else x.flatten(1).flip(1).view_as(x)
        return self.network(torch.where(spoilt, shown, x))


class Inert(nn.Module):
    """A head beside units that hold what it reads and reach no output: their outgoing weights are zero."""

    def __init__(self, head: Head, num_inputs: int):
        super().__init__()
        self.head = head
        self.side = nn.Linear(num_inputs, num_inputs, bias=False)
        self.last = nn.Linear(num_inputs, head.steps * head.num_answers, bias=False)
        nn.init.eye_(self.side.weight)
        nn.init.zeros_(self.last.weight)

    def forward(self, read: Float[Tensor, "n v"]) -> Float[Tensor, "n ..."]:
        answers = self.head(read)
        return answers + self.last(torch.relu(self.side(read))).view_as(answers)


class Ensemble(nn.Module):
    """The mean of several networks."""

    def __init__(self, networks: list[nn.Module]):
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([network(x) for network in self.networks]).mean(0)


class Refactored(nn.Module):
    """The function of a `Joined` with the head written in calls of functions on parameters of its own, without modules."""

    def __init__(self, encoder: nn.Module, interface: nn.Module, head: Head):
        super().__init__()
        self.encoder, self.interface = encoder, interface
        self.steps, self.num_answers = head.steps, head.num_answers
        self.reads, self.reads_bias = (nn.Parameter(own.detach().clone()) for own in head.reads.parameters())
        self.tells, self.tells_bias = (nn.Parameter(own.detach().clone()) for own in head.tells.parameters())

    def forward(self, x: Tensor) -> Tensor:
        read = self.interface(self.encoder(x))
        hidden = F.linear(read, self.reads, self.reads_bias).clamp(min=0)
        answers = F.linear(hidden, self.tells, self.tells_bias)
        return answers.unflatten(1, (self.steps, self.num_answers)) if self.steps > 1 else answers


def _linear(module: nn.Module) -> nn.Linear:
    assert isinstance(module, nn.Linear)
    return module
