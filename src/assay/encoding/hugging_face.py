"""Encoder of a Hugging Face model in a local folder: hidden states and the raw word embedding of every token.

Nothing is fetched, no code of the folder is run, and weights are read from safetensors alone.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from assay.bounds import check_configuration, first_line, read_json_value
from assay.encoding.encoder import weights_digest
from assay.encoding.placement import all_weights, device_of, placement
from assay.errors import AssayError
from assay.graph import Continuation, Graph
from assay.isolation import undisturbed
from assay.subject import Subject

WORDS = "words"  # the layer of raw word embeddings
_HOOKED = "_output_capturing_hooks_installed"  # the attribute in which transformers keeps its hooks
_UNLIMITED = 10**9  # tokenizers without a limit report a number far above


class Choices(NamedTuple):
    """Forced choices between two words. `inputs`: of the forward, each `(n, tokens)`; `places`: `(n,)`, the position whose
    output predicts the word; `forms`: `(n, 2)`, the tokens of the right word and of the wrong one; `sentences`: that they come
    from."""

    inputs: Mapping[str, Int[Tensor, "n tokens"]]
    places: Int[Tensor, " n"]
    forms: Int[Tensor, "n 2"]
    sentences: tuple[Continuation, ...]


class HuggingFaceEncoder:
    """Encoder on a model of transformers. Layer `words` is the raw embedding of a token; layer `k` is the state after `k`
    blocks, so that layer 0 is the input of the first block.

    **Arguments:**

    - `module`: any model of transformers with hidden states; its head, if any, is not run.
    - `tokenizer`: a fast one, which maps tokens to words.
    - `layers`: those to read; all by default.

    **Raises:** `AssayError` for a slow tokenizer, and for a model without hidden states.

    Example::

        >>> from assay.encoding import HuggingFaceEncoder
        >>> HuggingFaceEncoder.load("models/tiny").layers
        ('words', '0', '1', '2')
    """

    def __init__(self, module: nn.Module, tokenizer: Any, *, layers: Sequence[str] = ()):
        if not getattr(tokenizer, "is_fast", False):
            raise AssayError(
                "the tokenizer must be a fast one, which tells the word of every token",
                given=type(tokenizer).__name__,
                next_step="save the tokenizer with transformers' tokenizer.json beside the model",
            )
        self.module, self.tokenizer = module, tokenizer
        with torch.no_grad():
            shown = self._run(torch.zeros(1, 1, dtype=torch.int64), torch.ones(1, 1, dtype=torch.int64))
        self._num_states = len([name for name in shown if name != WORDS])
        self.layers = tuple(name for name in shown if not layers or name in layers)

    @classmethod
    def load(cls, folder: Path | str, *, max_memory: Mapping[int | str, int | str] | None = None) -> "HuggingFaceEncoder":
        """The model and the tokenizer in a folder.

        Weights go to the GPU where there is one. Weights that fit neither on GPUs nor into memory stay on the disk and are read
        layer by layer for every batch of texts (extra `stream`).

        **Arguments:** `max_memory`: limits for weights, such as `{"cpu": "2GiB"}` or `{0: "20GiB", "cpu": "60GiB"}` with GPUs
        by number; None for no limits.

        **Raises:** `AssayError` when the folder does not hold both, and when streaming needs accelerate, which is missing.
        """
        transformers = _transformers()
        refuse_hub_code(folder)
        where = placement(folder, max_memory)
        try:
            check_configuration(Path(folder) / "config.json")
            with silent_transformers():
                module = transformers.AutoModel.from_pretrained(
                    folder, local_files_only=True, trust_remote_code=False, use_safetensors=True, dtype="auto", **where
                )
        except Exception as error:  # a damaged folder makes transformers raise many kinds of errors
            raise AssayError(
                "a local folder must hold config.json and whole weights as safetensors",
                given=f"{folder}: {first_line(error)}",
                next_step="save the model again with save_pretrained",
            ) from error
        if torch.cuda.is_available() and not where:
            module = module.to("cuda")
        module.config.use_cache = False  # no cache of keys and values, which only generation needs
        return cls(module, load_tokenizer(folder))

    @classmethod
    def of(cls, subject: Subject) -> "HuggingFaceEncoder":
        """The encoder of a loaded subject, with the tokenizer of its folder."""
        return cls(subject.module, load_tokenizer(str(subject.module.name_or_path)))

    def on(self, subject: Subject) -> "HuggingFaceEncoder":
        """The same encoder on another network."""
        return HuggingFaceEncoder(subject.module, self.tokenizer, layers=self.layers)

    def thinned(self, most: int) -> "HuggingFaceEncoder":
        """The same encoder with states after at most `most` blocks, at least two: evenly spaced, the first and the last
        included. Word embeddings stay."""
        states = [name for name in self.layers if name != WORDS]
        if len(states) <= most:
            return self
        kept = [states[round(k * (len(states) - 1) / (most - 1))] for k in range(most)]
        return HuggingFaceEncoder(self.module, self.tokenizer, layers=(WORDS, *kept))

    @property
    def left_out(self) -> int:
        """The number of states between blocks that are not read."""
        return self._num_states - len([name for name in self.layers if name != WORDS])

    def site(self, layer: str) -> str:
        """The site before or after a block. The blocks are the module list as long as the number of layers."""
        num = self._num_states - 1
        lists = [name for name, part in self.module.named_modules() if isinstance(part, nn.ModuleList) and len(part) == num]
        if layer == WORDS or len(lists) != 1:
            return ""
        return f"{lists[0]}.0:in" if layer == "0" else f"{lists[0]}.{int(layer) - 1}:out"

    @property
    def device(self) -> torch.device:
        return device_of(self.module)

    @cached_property
    def identity(self) -> str:
        content = f"{weights_digest(all_weights(self.module))} {self.tokenizer.backend_tokenizer.to_str()}"
        return hashlib.sha256(content.encode()).hexdigest()

    @property
    def most_tokens(self) -> int:
        """The longest input of the model, in tokens."""
        limits = (self.tokenizer.model_max_length, num_positions(self.module))
        return min(int(limit) for limit in (*limits, _UNLIMITED) if limit)

    def prepare(self, graphs: Sequence[Graph]) -> "_TokenisedTexts":
        """Cut every text into tokens. Refused: a text that is too long for the model, and one with a word without a token of
        its own."""
        if not graphs:
            return _TokenisedTexts(self, [], [], {})
        cut = self.tokenizer([list(graph.words) for graph in graphs], is_split_into_words=True, verbose=False)
        words = [tuple(-1 if word is None else word for word in cut.word_ids(k)) for k in range(len(graphs))]
        refused = {k: why for k, graph in enumerate(graphs) if (why := self._refusal(graph, words[k]))}
        return _TokenisedTexts(self, cut["input_ids"], words, refused)

    def choices(self, sentences: Sequence[Continuation]) -> "Choices":
        """Forced choices from sentences with one word to predict, where the right and the wrong form are one token each. A
        masked model gets the sentence with the word masked; a causal one gets the words before it."""
        rows, places, forms, kept, fills = [], [], [], [], "MaskedLM" in type(self.module).__name__
        for sentence in sentences:
            if not (both := self._single_tokens(sentence.right, sentence.wrong)):
                continue
            words = list(sentence.graph.words)
            given = words if fills else words[: sentence.place]
            cut = self.tokenizer(given, is_split_into_words=True, add_special_tokens=fills)
            tokens = list(cut["input_ids"])
            places.append(cut.word_ids().index(sentence.place) if fills else len(tokens) - 1)
            if fills:
                tokens[places[-1]] = self.tokenizer.mask_token_id
            rows.append(tokens)
            forms.append(both)
            kept.append(sentence)
        inputs = self.padded(rows) if rows else {}
        both_forms = torch.tensor(forms, dtype=torch.int64).view(-1, 2)
        return Choices(inputs, torch.tensor(places, dtype=torch.int64), both_forms, tuple(kept))

    def _single_tokens(self, *words: str) -> list[int]:
        """The token of every word; empty where one has several, or is not known."""
        cut = [self.tokenizer([word], is_split_into_words=True, add_special_tokens=False)["input_ids"] for word in words]
        known = all(len(tokens) == 1 and tokens[0] != self.tokenizer.unk_token_id for tokens in cut)
        return [tokens[0] for tokens in cut] if known else []

    def padded(self, rows: Sequence[Sequence[int]]) -> dict[str, Int[Tensor, "texts tokens"]]:
        """Token ids and mask of texts as the model takes them, padded at the end."""
        tokens = torch.full((len(rows), max(map(len, rows))), self.tokenizer.pad_token_id or 0)
        mask = torch.zeros_like(tokens)
        for k, row in enumerate(rows):
            tokens[k, : len(row)] = torch.tensor(row)
            mask[k, : len(row)] = 1
        return {"input_ids": tokens, "attention_mask": mask}

    def _refusal(self, graph: Graph, words: Sequence[int]) -> str:
        if len(words) > self.most_tokens:
            return f"{len(words)} tokens, and the model reads {self.most_tokens}"
        found = set(words)
        lost = [word for k, word in enumerate(graph.words) if k not in found]
        return f"no token for {', '.join(map(repr, lost[:3]))}" if lost else ""

    def _run(self, tokens: Int[Tensor, "b t"], mask: Int[Tensor, "b t"]) -> dict[str, Float[Tensor, "b t d"]]:
        tokens, mask = tokens.to(self.device), mask.to(self.device)
        body: Any = getattr(self.module, "base_model", self.module)  # without the head, which has a cost but no state
        with undisturbed(self.module), _hooks_kept(body):
            output = body(input_ids=tokens, attention_mask=mask, output_hidden_states=True)
        hidden = getattr(output, "hidden_states", None)
        if not hidden or len({state.shape for state in hidden}) != 1:
            raise AssayError(
                "the model must give one hidden state of one width for every token and layer",
                given=f"{type(self.module).__name__} without such hidden_states",
                next_step="use an encoder or decoder of transformers that accepts output_hidden_states=True",
            )
        # pyrefly: ignore[not-callable]  (a method of every model of transformers)
        embedded = self.module.get_input_embeddings()(tokens)
        # Embeddings may have another width than the states; that layer is then left out.
        words = {WORDS: embedded} if embedded.shape == hidden[0].shape else {}
        return words | {str(k): state for k, state in enumerate(hidden)}


@contextmanager
def _hooks_kept(module: nn.Module) -> Iterator[None]:
    """Context that restores the forward hooks of every module. Transformers leaves the hooks by which it records hidden states,
    and a module with them cannot be pickled."""
    before = {part: (set(part._forward_hooks), _HOOKED in vars(part)) for part in module.modules()}
    try:
        yield
    finally:
        for part, (hooks, had_flag) in before.items():
            for hook in set(part._forward_hooks) - hooks:
                del part._forward_hooks[hook]
            if not had_flag:
                vars(part).pop(_HOOKED, None)


@dataclass(frozen=True)
class _TokenisedTexts:
    encoder: HuggingFaceEncoder
    tokens: Sequence[Sequence[int]]
    words: Sequence[Sequence[int]]
    refused: Mapping[int, str]

    def states(self, texts: Sequence[int]) -> Float[Tensor, "layers texts tokens width"]:
        given = self.encoder.padded([self.tokens[k] for k in texts])
        with torch.no_grad():
            found = self.encoder._run(given["input_ids"], given["attention_mask"])
            return torch.stack([found[layer].float().cpu() for layer in self.encoder.layers])


def num_positions(module: nn.Module) -> int | None:
    """The number of positions of a model of transformers; None without a limit.

    Where positions count from the padding index, as in RoBERTa, that many of `max_position_embeddings` are never used.
    """
    limit = getattr(getattr(module, "config", None), "max_position_embeddings", None)
    for name, part in module.named_modules():
        if isinstance(part, nn.Embedding) and part.padding_idx is not None and name.endswith("position_embeddings"):
            return part.num_embeddings - part.padding_idx - 1
    return limit


def load_tokenizer(folder: Path | str) -> Any:
    """The tokenizer in a local folder. One that joins blanks to words is set to put one before every word.

    **Raises:** `AssayError` when there is none.
    """
    transformers = _transformers()
    try:
        if not any(Path(folder).glob("*token*")) and not any(Path(folder).glob("*vocab*")):
            raise OSError("no file of a tokenizer")  # transformers would make one with an empty vocabulary
        # Without trust_remote_code=False transformers would ask on the terminal whether to run the folder's code.
        local = {"local_files_only": True, "trust_remote_code": False}
        with silent_transformers():
            tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **local)
            if getattr(tokenizer, "add_prefix_space", True) is False:
                tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **local, add_prefix_space=True)
    except Exception as error:  # a damaged folder makes transformers raise many kinds of errors
        raise AssayError(
            "the folder of a model that reads words must hold its tokenizer",
            given=f"{folder}: {first_line(error)}",
            next_step="save the tokenizer there with save_pretrained",
        ) from error
    return tokenizer


@contextmanager
def silent_transformers() -> Iterator[None]:
    """Context in which transformers prints nothing: names of weights may contain terminal control characters."""
    from transformers import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def refuse_hub_code(folder: Path | str) -> None:
    """Check that a folder's `config.json` names no kernel of a hub: transformers would fetch that code and run it.

    **Raises:** `AssayError` naming the kernel. A file that cannot be read is left to the loader.
    """
    try:
        config = read_json_value(Path(folder, "config.json"))
    except AssayError:
        return
    for kernel in _kernels(config):
        raise AssayError(
            "a folder must not name code that transformers would fetch and run",
            given=f"{Path(folder, 'config.json')} with the kernel {kernel}",
            next_step="remove attn_implementation and experts_implementation from it; the weights do not depend on them",
        )


def _kernels(config: object) -> Iterator[str]:
    """Every implementation in nested settings that names a repository, `owner/name`."""
    if isinstance(config, dict):
        for key, value in config.items():
            if key.endswith(("attn_implementation", "experts_implementation")):
                named = value.values() if isinstance(value, dict) else [value]
                yield from (text for text in named if isinstance(text, str) and "/" in text)
            yield from _kernels(value)
    elif isinstance(config, list):
        for item in config:
            yield from _kernels(item)


def _transformers() -> Any:
    try:
        import transformers
    except ImportError as error:
        raise AssayError(
            "a Hugging Face folder needs transformers", given=str(error), next_step="run `pip install assay[hf]`"
        ) from error
    return transformers
