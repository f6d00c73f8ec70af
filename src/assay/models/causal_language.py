"""Causal language models of transformers on sources: logits after a prefix, and greedy decoding with a cache."""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from assay.bounds import check_whole
from assay.encoding.hugging_face import num_positions
from assay.errors import AssayError
from assay.isolation import undisturbed
from assay.objective import PAD
from assay.task import SourceToTarget, Task


def is_causal(module: nn.Module) -> bool:
    """Whether a module is a causal language model."""
    return "ForCausalLM" in type(module).__name__ or "LMHeadModel" in type(module).__name__


def answers_sources(module: nn.Module, task: Task | None) -> None:
    """Adapt a causal language model to `source` and `prefix`. It reads both as one sequence of unchanged ids, without the PAD
    of the source, and returns the logits at the prefix for the ids of the target alone. Sites keep the module's own names."""
    spec = task.input_spec if task is not None else None
    if not (is_causal(module) and isinstance(spec, SourceToTarget)):
        return
    have = int(module.get_input_embeddings().num_embeddings)  # pyrefly: ignore[not-callable]
    if have < max(spec.source_vocab, spec.target_vocab):
        raise AssayError(
            "a causal language model must have an id for every token of source and target",
            given=f"{have} for {max(spec.source_vocab, spec.target_vocab)}",
            next_step="give its configuration a larger vocab_size",
        )
    longest = num_positions(module)
    if longest is not None and longest < spec.source_length + spec.target_length:
        raise AssayError(
            "a causal language model must have a position for every token of source and target",
            given=f"{longest} for {spec.source_length + spec.target_length}",
            next_step="give its configuration more positions",
        )
    module.register_forward_pre_hook(_joined, with_kwargs=True)
    module.register_forward_hook(partial(_behind, spec.source_length, spec.target_vocab), with_kwargs=True)
    # DecodesByStep of assay.computation.decoding, as attributes, since the class is not ours
    vars(module).update(begin=partial(_begin, module), step=partial(_step, module, spec.target_vocab))


def _joined(module: nn.Module, args: tuple, kwargs: dict) -> tuple[tuple, dict] | None:
    if "source" not in kwargs or "prefix" not in kwargs:
        return None
    ids = torch.cat([kwargs["source"], kwargs["prefix"]], 1)
    is_token = ids != PAD
    is_token[:, kwargs["source"].shape[1]] = True
    return args, {"input_ids": ids, "attention_mask": is_token.long(), **_places(module, is_token.cumsum(1) - 1)}


def _places(module: nn.Module, place: Int[Tensor, "n t"]) -> dict[str, Tensor]:
    """Position ids, for a model that takes them; other models count positions themselves."""
    takes = "position_ids" in inspect.signature(module.forward).parameters
    return {"position_ids": place.clamp(min=0)} if takes else {}


def _behind(source_length: int, vocab: int, module: nn.Module, args: tuple, kwargs: dict, output: Any) -> Tensor:
    return output.logits[:, source_length:, :vocab]


@dataclass
class _Read:
    """State of one decoding: keys and values, which positions hold tokens, and the next position."""

    past: Any
    is_token: Bool[Tensor, "n s"]
    place: Int[Tensor, " n"]


def _begin(module: nn.Module, source: Int[Tensor, "n s"]) -> _Read:
    read = _Read(None, source[:, :0] != PAD, torch.zeros_like(source[:, 0]))
    _run(module, source, source != PAD, read)
    return read


def _step(module: nn.Module, vocab: int, tokens: Int[Tensor, " n"], read: _Read) -> Float[Tensor, "n vocab"]:
    first = read.place == 0  # an empty source is followed by the start of the answer
    return _run(module, tokens[:, None], (tokens[:, None] != PAD) | first[:, None], read)[:, -1, :vocab]


def _run(module: nn.Module, ids: Int[Tensor, "n t"], is_token: Bool[Tensor, "n t"], read: _Read) -> Float[Tensor, "n t v"]:
    """Logits at further tokens. It calls `forward` directly, without the module's hooks, which expect a source and a prefix."""
    place = read.place[:, None] + is_token.cumsum(1) - 1
    read.is_token, read.place = torch.cat([read.is_token, is_token], 1), read.place + is_token.sum(1)
    found = module.forward(
        input_ids=ids,
        attention_mask=read.is_token.long(),
        past_key_values=read.past,
        use_cache=True,
        **_places(module, place),
    )
    read.past = found.past_key_values
    return found.logits


# Texts: continuations of prompts, such as those of assay.computation.scratchpad.written


@dataclass(frozen=True)
class Continued:
    """A text written after a prompt. `truncated`: whether it reached the limit of tokens before its end."""

    text: str
    truncated: bool


def continue_texts(
    module: nn.Module, tokenizer: Any, prompts: Sequence[str], *, most_tokens: int = 256, batch_size: int = 32
) -> list[Continued]:
    """Greedy continuations of prompts by a causal language model and its tokenizer, in the order of the prompts.

    Prompts of equal length in tokens are read together, so that nothing is padded, and every token is read once. A text ends
    with the tokenizer's end-of-sequence token.

    **Raises:** `AssayError` for a model that does not continue texts, and a prompt that leaves no position for an answer.

    Example::

        >>> from assay.encoding.hugging_face import load_tokenizer
        >>> from assay.models.causal_language import continue_texts
        >>> model, tokenizer = assay.load_subject("models/tiny").module, load_tokenizer("models/tiny")
        >>> texts = continue_texts(model, tokenizer, ["the farmers near the", "the driver"], most_tokens=8)
        >>> len(texts)
        2
    """
    check_whole("decoding: most_tokens", most_tokens, least=1, most=2**20)
    check_whole("decoding: batch_size", batch_size, least=1, most=2**20)
    if not is_causal(module):
        raise AssayError(
            "texts are continued by a causal language model",
            given=type(module).__name__,
            next_step="load it with AutoModelForCausalLM",
        )
    rows = [tokenizer(prompt, add_special_tokens=True)["input_ids"] for prompt in prompts]
    longest = num_positions(module)
    by_length: dict[int, list[int]] = {}
    for k, ids in enumerate(rows):
        if not ids or (longest is not None and len(ids) >= longest):
            raise AssayError(
                "a prompt must have a token, and leave a position for an answer",
                given=f"{len(ids)} tokens in prompt {k}" + ("" if longest is None else f" of {longest}"),
                next_step="shorten it, or take a model with more positions",
            )
        by_length.setdefault(len(ids), []).append(k)
    found: dict[int, Continued] = {}
    device = next(module.parameters()).device
    with undisturbed(module), torch.no_grad():
        for length, members in sorted(by_length.items()):
            most = most_tokens if longest is None else min(most_tokens, longest - length)
            for start in range(0, len(members), batch_size):
                some = members[start : start + batch_size]
                ids = torch.tensor([rows[k] for k in some], device=device)
                found |= zip(some, _continued(module, tokenizer, ids, most), strict=True)
    return [found[k] for k in range(len(prompts))]


def _continued(module: nn.Module, tokenizer: Any, ids: Int[Tensor, "n t"], most: int) -> list[Continued]:
    end = tokenizer.eos_token_id
    read = _Read(None, ids[:, :0] != ids[:, :0], torch.zeros_like(ids[:, 0]))
    logits = _run(module, ids, torch.ones_like(ids, dtype=torch.bool), read)
    written: list[Tensor] = []
    ended = torch.zeros_like(ids[:, 0], dtype=torch.bool)
    for _ in range(most):
        token = logits[:, -1].argmax(-1)
        written.append(token)
        ended |= token == end if end is not None else False
        if bool(ended.all()):
            break
        logits = _run(module, token[:, None], torch.ones_like(token[:, None], dtype=torch.bool), read)
    answers = []
    for row in torch.stack(written, 1).tolist():
        whole = end is not None and end in row
        kept = row[: row.index(end)] if whole else row
        answers.append(Continued(tokenizer.decode(kept), not whole))
    return answers
