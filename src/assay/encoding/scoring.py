"""Code lengths of texts under a language model, by its own tokens."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float64, Int, Int64
from torch import Tensor

from assay.encoding.hugging_face import load_tokenizer, num_positions
from assay.errors import AssayError
from assay.subject import Subject
from assay.task import TokenSequence
from assay.text.corpus import END, SYMBOLS, CodesText, symbols_of

_ROWS = 256  # windows of bytes per batch
MOST_WINDOW = 512


class ScoredText(NamedTuple):
    """A text scored by a model.

    **Attributes:**

    - `bits`: `(tokens,)`, the code length of each token given those before it in its window; the last is the end of the text.
    - `ends`: `(tokens,)`, the byte at which each token ends; for the end of the text, the last byte.
    - `tokens`, `top`: `(tokens,)`, each token, and the model's likeliest token in its place.
    """

    bits: Float64[np.ndarray, " tokens"]
    ends: Int64[np.ndarray, " tokens"]
    tokens: Int64[np.ndarray, " tokens"]
    top: Int64[np.ndarray, " tokens"]

    def behind(self, size: int) -> "ScoredText":
        """The tokens that end after the first `size` bytes, as a text of their own."""
        kept = self.ends > size
        kept[-1:] = True  # the end of the text counts as behind any prefix
        return ScoredText(self.bits[kept], self.ends[kept] - size, self.tokens[kept], self.top[kept])


@runtime_checkable
class Scorer(Protocol):
    """Scorer of texts under a model. `pseudo`: whether tokens are predicted from both sides, so that their bits are no code
    length; `prefix`: the context before every text."""

    @property
    def pseudo(self) -> bool: ...
    @property
    def prefix(self) -> str: ...

    def score(self, text: str) -> ScoredText:
        """Score one text."""
        ...

    def tokens(self, text: str) -> Int64[np.ndarray, " tokens"]:
        """Tokens of a text, its end the last. **Raises:** `AssayError` where they do not decode to the text."""
        ...

    def on(self, subject: Subject) -> "Scorer":
        """The same scorer on another network of the same architecture."""
        ...


def scorer_of(subject: Subject, task: object, *, window: int = MOST_WINDOW) -> Scorer:
    """The scorer of texts with this subject: by bytes where these are the task's tokens, by the task's own symbols where it has
    them (`assay.text.CodesText`), else by the tokenizer beside the weights.

    **Arguments:** `window`: the longest input of a model of transformers, in tokens; the stride is half of it.

    **Raises:** `AssayError` where there is none of these.
    """
    spec = getattr(task, "input_spec", None)
    if isinstance(spec, TokenSequence) and spec.vocab == SYMBOLS:
        return ByteScorer(subject, spec.context)
    if isinstance(task, CodesText):
        return SymbolScorer(subject, task)
    if getattr(subject.module, "name_or_path", ""):
        return TokenScorer(subject, load_tokenizer(str(subject.module.name_or_path)), window=window)
    raise AssayError(
        "bits need a network that predicts bytes, or a tokenizer beside its weights",
        given=type(subject.module).__name__,
        next_step="train one with `assay train text:tinyshakespeare`, or load a Hugging Face folder and give "
        "`text:NAME,scored=false`",
    )


class ByteScorer:
    """Scorer with a network from `tokens` `(n, t)` (`END`, then bytes) to logits `(n, t, 257)` of the byte after each."""

    pseudo, prefix = False, "the end of a text"

    def __init__(self, subject: Subject, length: int):
        self.subject, self.length = subject, length

    def on(self, subject: Subject) -> "ByteScorer":
        return ByteScorer(subject, self.length)

    def tokens(self, text: str) -> Int64[np.ndarray, " tokens"]:
        return symbols_of(text).astype(np.int64)

    def score(self, text: str) -> ScoredText:
        targets = torch.from_numpy(self.tokens(text))
        given = torch.cat([torch.tensor([END]), targets[:-1]])
        bits, top = torch.zeros(len(targets), dtype=torch.float64), torch.zeros(len(targets), dtype=torch.int64)
        spans = list(_spans(len(targets), self.length))
        for start in range(0, len(spans), _ROWS):
            some = spans[start : start + _ROWS]
            rows = torch.stack([_padded(given[first : first + self.length], self.length) for first, _, _ in some])
            logits = self.subject({"tokens": rows})
            if logits.shape[:2] != rows.shape or logits.shape[-1] != SYMBOLS:
                raise AssayError(f"a network of bytes must give {SYMBOLS} logits for every byte", given=tuple(logits.shape))
            for row, (first, scored, end) in zip(logits, some, strict=True):
                here = row[scored - first : end - first]
                bits[scored:end], top[scored:end] = _bits(here, targets[scored:end]), here.argmax(-1)
        ends = np.append(np.arange(1, len(targets)), len(targets) - 1)
        return ScoredText(bits.numpy(), ends.astype(np.int64), targets.numpy(), top.numpy())


class SymbolScorer:
    """Scorer with a network that predicts the symbols of a task one by one.

    A symbol in which the text ends costs as much as all symbols with that beginning together. The network has no symbol for the
    end of a text, which is charged as one of equally likely symbols.

    **Raises:** in `tokens` and `score`, `AssayError` for a text with other symbols.
    """

    pseudo, prefix = False, "the end of a line"

    def __init__(self, subject: Subject, task: CodesText):
        self.subject, self.task = subject, task

    def on(self, subject: Subject) -> "SymbolScorer":
        return SymbolScorer(subject, self.task)

    def tokens(self, text: str) -> Int64[np.ndarray, " tokens"]:
        allowed = self.task.coded(text).allowed
        return np.append(allowed.int().argmax(1).numpy(), allowed.shape[1])

    def score(self, text: str) -> ScoredText:
        coded = self.task.coded(text)
        found = self.subject(coded.inputs)
        if found.shape != coded.allowed.shape:
            raise AssayError(
                f"a network of symbols must give {coded.allowed.shape[1]} logits for each", given=tuple(found.shape)
            )
        logits = found.double()
        of_symbol = logits.masked_fill(~coded.allowed, -torch.inf).logsumexp(1) - logits.logsumexp(1)
        bits = np.append(-of_symbol.numpy() / np.log(2), np.log2(coded.allowed.shape[1] + 1))
        _check_bits(torch.from_numpy(bits), torch.arange(len(bits)))
        ends = np.append(coded.ends, len(text.encode()))
        return ScoredText(bits, ends.astype(np.int64), self.tokens(text), np.append(logits.argmax(1).numpy(), -1))


class TokenScorer:
    """Scorer with a causal or masked model of transformers.

    Every text is preceded by `<|endoftext|>` where the tokenizer knows it, else by its token for the beginning or the end of a
    text: without any context a model cannot predict the first word. A masked model predicts each token from all others of its
    window: pseudo-log-likelihood (Salazar et al. 2020), which is no code length.

    **Raises:** `AssayError` for a tokenizer without such a token, and in `tokens` and `score` for a text that its tokens do not
    decode to.
    """

    def __init__(self, subject: Subject, tokenizer: Any, *, window: int):
        self.subject, self.tokenizer = subject, tokenizer
        self.pseudo = "MaskedLM" in type(subject.module).__name__
        known = tokenizer.get_vocab()
        named = ["<|endoftext|>", tokenizer.bos_token, tokenizer.eos_token, tokenizer.sep_token]
        self.prefix = next((token for token in named if token and token in known), "")
        if not self.prefix:
            raise AssayError("a tokenizer must have a token for the end of a text", given=type(tokenizer).__name__)
        self.end = known[self.prefix]
        self.window = min(window, num_positions(subject.module) or window)

    def on(self, subject: Subject) -> "TokenScorer":
        return TokenScorer(subject, self.tokenizer, window=self.window)

    def tokens(self, text: str) -> Int64[np.ndarray, " tokens"]:
        return np.array([*self._cut(text)["input_ids"], self.end], dtype=np.int64)

    def _cut(self, text: str) -> Any:
        cut = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        back = self.tokenizer.decode(cut["input_ids"], clean_up_tokenization_spaces=False)
        if back.removeprefix(" ") != text.removeprefix(" "):  # a tokenizer may add a blank before the first word
            raise AssayError(
                "a tokenizer must give back the text that it cut, or bits per byte are those of another text",
                given=f"{back[:60]!r} for {text[:60]!r}",
                next_step="use a model with a byte-level or cased tokenizer; its relations can be compared all the same",
            )
        return cut

    def score(self, text: str) -> ScoredText:
        cut = self._cut(text)
        targets = torch.tensor([*cut["input_ids"], self.end])
        bits, top = (self._filled if self.pseudo else self._read)(targets)
        reached = np.cumsum([0, *(len(letter.encode()) for letter in text)])
        ends = [reached[min(end, len(text))] for _, end in cut["offset_mapping"]]
        ends = np.maximum.accumulate(np.array([*ends, reached[-1]], dtype=np.int64))
        return ScoredText(bits.numpy(), ends, targets.numpy(), top.numpy())

    def _read(self, targets: Int[Tensor, " t"]) -> tuple[Tensor, Tensor]:
        given = torch.cat([torch.tensor([self.end]), targets[:-1]])
        bits, top = torch.zeros(len(targets), dtype=torch.float64), torch.zeros(len(targets), dtype=torch.int64)
        for first, begin, end in _spans(len(targets), self.window):
            here = self._logits(given[None, first:end])[0, begin - first :]
            bits[begin:end], top[begin:end] = _bits(here, targets[begin:end]), here.argmax(-1)
        return bits, top

    def _filled(self, targets: Int[Tensor, " t"]) -> tuple[Tensor, Tensor]:
        bits, top = torch.zeros(len(targets), dtype=torch.float64), torch.zeros(len(targets), dtype=torch.int64)
        for first, begin, end in _spans(len(targets), self.window - 1):
            window = torch.cat([torch.tensor([self.end]), targets[first:end]])
            for place in range(begin, end):
                row = window[None].clone()
                row[0, place - first + 1] = self.tokenizer.mask_token_id
                here = self._logits(row)[0, place - first + 1 : place - first + 2]
                bits[place], top[place] = _bits(here, targets[place : place + 1])[0], here.argmax()
        return bits, top

    def _logits(self, rows: Int[Tensor, "n t"]) -> Tensor:
        return self.subject({"input_ids": rows, "attention_mask": torch.ones_like(rows)})


def word_bits(scored: ScoredText, ends: Sequence[int]) -> Float64[np.ndarray, " words"]:
    """Bits of stretches that end at the bytes `ends`, in order. A token belongs to the stretch in which it ends; the end of the
    text belongs to none, as under n-grams."""
    total = np.concatenate([[0.0], np.cumsum(scored.bits[:-1])])
    upto = np.searchsorted(scored.ends[:-1], np.asarray(ends), side="right")
    return np.diff(total[upto], prepend=0.0)


def _spans(num: int, window: int) -> Iterator[tuple[int, int, int]]:
    """Windows that overlap by half: for each its start, the first position scored in it, and its end."""
    yield 0, 0, min(num, window)
    stride = max(1, window // 2)
    for begin in range(window, num, stride):
        end = min(num, begin + stride)
        yield max(0, end - window), begin, end


def _padded(row: Int[Tensor, " t"], length: int) -> Int[Tensor, " length"]:
    return torch.nn.functional.pad(row, (0, length - len(row)), value=END)


def _bits(logits: Tensor, targets: Tensor) -> Tensor:
    found = -logits.double().log_softmax(-1).gather(-1, targets[:, None])[:, 0] / np.log(2)
    _check_bits(found, targets)
    return found


def _check_bits(found: Tensor, targets: Tensor) -> None:
    if not torch.isfinite(found).all():
        at = int((~torch.isfinite(found)).nonzero()[0, 0])
        why = "no number" if bool(found[at].isnan()) else "no probability at all"
        raise AssayError(
            "a model must give a probability to every token that occurs, or the text has no code length",
            given=f"{why} for token {int(targets[at])}",
            next_step="look for NaN in the weights, and for tokens that the model masks out",
        )
