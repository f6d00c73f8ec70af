"""Networks, written in many ways, each with inputs for so many examples of such a length."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

Inputs = dict[str, Tensor]
Make = Callable[[int, int, Generator], Inputs]


@dataclass(frozen=True)
class Case:
    """A network, its inputs by number of examples and length, and whether recording is expected to refuse it."""

    name: str
    network: Callable[[], nn.Module]
    inputs: Make
    refused: str = ""
    """What the error says, where cutting must fail."""


def vectors(n: int, length: int, generator: Generator) -> Inputs:
    return {"x": torch.randn(n, 4, generator=generator)}


def pictures(n: int, length: int, generator: Generator) -> Inputs:
    return {"x": torch.randn(n, 3, 8, 8, generator=generator)}


def tokens(n: int, length: int, generator: Generator) -> Inputs:
    return {"x": torch.randint(9, (n, length), generator=generator)}


def texts(n: int, length: int, generator: Generator) -> Inputs:
    return {"input_ids": torch.randint(9, (n, length), generator=generator)}


def padded_texts(n: int, length: int, generator: Generator) -> Inputs:
    """Every example has a padding of its own length, two at least."""
    lengths = length - 2 - torch.arange(n) % (length - 2)
    return {**texts(n, length, generator), "attention_mask": (torch.arange(length) < lengths[:, None]).long()}


def images(n: int, length: int, generator: Generator) -> Inputs:
    return {"pixel_values": torch.randn(n, 3, 8, 8, generator=generator)}


class Named(nn.Module):
    """Gives a chain of layers the keyword `x`."""

    def __init__(self, *layers: nn.Module):
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


def mlp() -> nn.Module:
    return Named(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 3))


def cnn() -> nn.Module:
    pool = nn.MaxPool2d(2)
    return Named(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), pool, nn.Flatten(), nn.Linear(36, 3))


class HandwrittenGRU(nn.Module):
    """A gated recurrence over the positions, whose states are written into a buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.into, self.on, self.head = nn.Embedding(9, 4), nn.Linear(4, 18), nn.Linear(6, 18), nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        embedded = self.embedding(x)
        state = embedded.new_zeros(len(x), 6)
        states = torch.empty(len(x), x.shape[1], 6)
        for t in range(x.shape[1]):
            r_x, z_x, n_x = self.into(embedded[:, t]).chunk(3, -1)
            r_h, z_h, n_h = self.on(state).chunk(3, -1)
            keep = torch.sigmoid(z_x + z_h)
            state = (1 - keep) * torch.tanh(n_x + torch.sigmoid(r_x + r_h) * n_h) + keep * state
            states[:, t] = state
        return self.head(states.mean(1))


class Recurrent(nn.Module):
    def __init__(self, kind: type[nn.RNNBase], *, batch_first: bool = True) -> None:
        super().__init__()
        self.embedding, self.head, self.batch_first = nn.Embedding(9, 4), nn.Linear(6, 3), batch_first
        self.layer = kind(4, 6, batch_first=batch_first)

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.layer(self.embedding(x if self.batch_first else x.T))
        return self.head(states[:, -1] if self.batch_first else states[-1])


class Attention(nn.Module):
    """PyTorch's attention between an embedding and a head, the examples first or the positions."""

    def __init__(self, *, batch_first: bool, weights: bool = False) -> None:
        super().__init__()
        self.embedding, self.head, self.batch_first, self.weights = nn.Embedding(9, 8), nn.Linear(8, 3), batch_first, weights
        self.attention = nn.MultiheadAttention(8, 2, batch_first=batch_first)

    def forward(self, x: Tensor) -> Tensor:
        h = self.embedding(x if self.batch_first else x.T)
        h = h + self.attention(h, h, h, need_weights=self.weights)[0]
        return self.head(F.gelu(h).mean(1 if self.batch_first else 0))


class Encoder(nn.Module):
    def __init__(self, *, batch_first: bool) -> None:
        super().__init__()
        self.embedding, self.head, self.batch_first = nn.Embedding(9, 8), nn.Linear(8, 3), batch_first
        layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=batch_first)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)

    def forward(self, x: Tensor) -> Tensor:
        h = self.encoder(self.embedding(x if self.batch_first else x.T))
        return self.head(h.mean(1 if self.batch_first else 0))


class Transformer(nn.Module):
    """One block of causal attention and an MLP, by hand, before a head that is tied to the embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(9, 8)
        self.qkv, self.out, self.up, self.down = nn.Linear(8, 24), nn.Linear(8, 8), nn.Linear(8, 16), nn.Linear(16, 8)
        self.norms = nn.ModuleList(nn.LayerNorm(8) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        batch, length = x.shape
        h = self.embedding(x) + torch.sin(torch.arange(length)[:, None] / torch.arange(1, 9))
        q, k, v = (part.view(batch, length, 2, 4).transpose(1, 2) for part in self.qkv(self.norms[0](h)).chunk(3, -1))
        scores = (q @ k.transpose(-1, -2) / 2).masked_fill(torch.ones(length, length).triu(1).bool(), -torch.inf)
        h = h + self.out((scores.softmax(-1) @ v).transpose(1, 2).reshape(batch, length, 8))
        h = h + self.down(F.gelu(self.up(self.norms[1](h))))
        return self.norms[2](h) @ self.embedding.weight.T


class InPlace(nn.Module):
    """Calls that write into whole tensors, into parts of them, and through views that were made before."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.head = nn.Linear(4, 6), nn.Linear(3, 6), nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        h = self.first(x)
        left, right, pair = h[:, :3], h[:, 3:], h.view(-1, 2, 3)[:, :, 0]
        left.relu_()
        right.tanh_()
        h[:, 1] += 2 * pair[:, 1]
        pair.mul_(1.5)
        u = self.second(left)
        u += h
        torch.sigmoid(u, out=u)
        return self.head(u.transpose_(0, 1).T)


@torch.library.custom_op("assay_tests::swish", mutates_args=())
def swish(x: Tensor) -> Tensor:
    return x * torch.sigmoid(x)


class Clamp(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.clamp(min=0)


class Between(nn.Module):
    """Something between two linear layers."""

    def __init__(self, middle: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.first, self.last, self.middle = nn.Linear(4, 6), nn.Linear(6, 3), middle

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.middle(self.first(x)))


class Vmapped(nn.Module):
    """Two networks at once, their weights stacked."""

    def __init__(self) -> None:
        super().__init__()
        self.up, self.down = nn.Parameter(torch.randn(2, 4, 6)), nn.Parameter(torch.randn(2, 6, 3))

    def forward(self, x: Tensor) -> Tensor:
        return torch.vmap(lambda up, down: torch.relu(x @ up) @ down)(self.up, self.down).mean(0)


class LeavesBuffer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)
        self.register_buffer("total", torch.zeros(3))

    def forward(self, x: Tensor) -> Tensor:
        h = self.layer(x)
        self.total += h.mean(0)
        return h.relu()


class KeepsLast(nn.Module):
    """Adds what it found in the pass before."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)
        self.last: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        h = self.layer(x).relu()
        before, self.last = self.last, h
        return h if before is None or len(before) != len(h) else h + before


def scripted(x: Tensor) -> Tensor:
    return 2 * torch.relu(x) + torch.sigmoid(x)


def condition(x: Tensor) -> Tensor:
    return x.relu() if bool((x.abs().sum() > 0).item()) else x


def into_empty(x: Tensor) -> Tensor:
    return torch.tanh(x, out=torch.empty_like(x)) + torch.sigmoid(x, out=torch.empty(x.shape))


def through_numpy(x: Tensor) -> Tensor:
    return x + torch.from_numpy(x.relu().numpy())


def through_lists(x: Tensor) -> Tensor:
    return x + torch.tensor(x.relu().tolist())


def through_a_number(x: Tensor) -> Tensor:
    return x.relu() * x[0, 0].item()


def centred(x: Tensor) -> Tensor:
    return x.relu() - x.relu().mean(0)


def scaled(x: Tensor) -> Tensor:
    return x.relu() / x.relu().max()


def noisy(x: Tensor) -> Tensor:
    return x.relu() + torch.randn_like(x)


def of_modules() -> Iterator[Case]:
    """Networks of PyTorch and by hand."""
    yield Case("MLP", mlp, vectors)
    yield Case("CNN", cnn, pictures)
    yield Case("GRU by hand, states in a buffer", HandwrittenGRU, tokens)
    yield Case("transformer by hand, tied", Transformer, tokens)
    yield Case("nn.GRU", lambda: Recurrent(nn.GRU), tokens)
    yield Case("nn.LSTM", lambda: Recurrent(nn.LSTM), tokens)
    yield Case("nn.LSTM, positions first", lambda: Recurrent(nn.LSTM, batch_first=False), tokens)
    yield Case("nn.MultiheadAttention", lambda: Attention(batch_first=True), tokens)
    yield Case("nn.MultiheadAttention, positions first", lambda: Attention(batch_first=False), tokens)
    yield Case("nn.MultiheadAttention, weights", lambda: Attention(batch_first=False, weights=True), tokens)
    yield Case("nn.TransformerEncoder", lambda: Encoder(batch_first=True), tokens)
    yield Case("nn.TransformerEncoder, positions first", lambda: Encoder(batch_first=False), tokens)
    yield Case("in-place calls and views", InPlace, vectors)
    yield Case("torch.vmap", Vmapped, vectors)
    yield Case("torch.compile", lambda: Between(torch.compile(torch.tanh)), vectors)
    yield Case("torch.jit.script", lambda: Between(torch.jit.script(scripted)), vectors)
    yield Case("scripted modules", lambda: Between(torch.jit.script(nn.Sequential(nn.Linear(6, 6), nn.GELU()))), vectors)
    yield Case("checkpoint", lambda: Between(lambda x: checkpoint(torch.tanh, x, use_reentrant=False)), vectors)
    yield Case("checkpoint, reentrant", lambda: Between(lambda x: checkpoint(torch.tanh, x, use_reentrant=True)), vectors)
    yield Case("autograd.Function", lambda: Between(Clamp.apply), vectors)
    yield Case("into memory as it was found", lambda: Between(into_empty), vectors)
    yield Case("custom operator", lambda: Between(swish), vectors)
    yield Case("condition on a tensor", lambda: Between(condition), vectors)


def refused() -> Iterator[Case]:
    """Networks that no trace can cut soundly."""
    yield Case("through NumPy", lambda: Between(through_numpy), vectors, "no call made")
    yield Case("through lists", lambda: Between(through_lists), vectors, "no call made")
    yield Case("through a number", lambda: Between(through_a_number), vectors, "no call made")
    yield Case("buffer written", LeavesBuffer, vectors, "does not change its weights and buffers")
    yield Case("keeps the last pass", KeepsLast, vectors, "must not change its outputs")
    yield Case("random numbers", lambda: Between(noisy), vectors, "must not change its outputs")
    yield Case("mean over the batch", lambda: Between(centred), vectors, "on that example alone")
    yield Case("maximum over the batch", lambda: Between(scaled), vectors, "on that example alone")
    yield Case("constant output", lambda: Between(torch.zeros_like), vectors, "must depend on the inputs")


def of_transformers() -> Iterator[Case]:
    """Architectures of Hugging Face from small configurations, with weights large enough to make outputs differ."""
    import transformers as hf

    small: dict[str, Any] = {
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 24,
        "initializer_range": 0.4,
    }
    text: dict[str, Any] = {**small, "vocab_size": 9, "max_position_embeddings": 16, "bos_token_id": None, "eos_token_id": None}
    for kind in ("eager", "sdpa"):
        chosen: dict[str, Any] = {"attn_implementation": kind}
        bert = hf.BertConfig(**text, **chosen)
        gpt2 = hf.GPT2Config(
            n_embd=16, n_layer=1, n_head=2, vocab_size=9, n_positions=16, initializer_range=0.4,
            bos_token_id=None, eos_token_id=None, **chosen,
        )  # fmt: skip
        llama = hf.LlamaConfig(**text, num_key_value_heads=1, **chosen)
        vit = hf.ViTConfig(**small, image_size=8, patch_size=4, **chosen)
        yield Case(f"BERT, {kind}", lambda c=bert: hf.BertForSequenceClassification(c), texts)
        yield Case(f"BERT, {kind}, padded", lambda c=bert: hf.BertForSequenceClassification(c), padded_texts)
        yield Case(f"GPT-2, {kind}", lambda c=gpt2: hf.GPT2LMHeadModel(c), texts)
        yield Case(f"GPT-2, {kind}, padded", lambda c=gpt2: hf.GPT2LMHeadModel(c), padded_texts)
        yield Case(f"Llama, {kind}", lambda c=llama: hf.LlamaForCausalLM(c), texts)
        yield Case(f"Llama, {kind}, padded", lambda c=llama: hf.LlamaForCausalLM(c), padded_texts)
        yield Case(f"ViT, {kind}", lambda c=vit: hf.ViTForImageClassification(c), images)
