"""Corpora: training and held-out documents, as text and as symbols (bytes, and the end of a text)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Int, Int16
from torch import Tensor

from assay.bounds import check_real, read_bytes
from assay.display import brief
from assay.errors import AssayError

END = 256
"""The symbol after the last byte of a text. A model of a text predicts its end too."""
SYMBOLS = 257
MOST_TEXT = 2**27
"""The most bytes of a text file (128 MiB): its n-grams take about thirty times as much memory."""


@dataclass(frozen=True)
class Corpus:
    """Training documents and held-out documents.

    **Attributes:**

    - `name`: used in reports.
    - `train`, `test`: documents, none of them empty.

    **Raises:** `AssayError` where either side is empty; for a corpus of a single line, which has neither sentences to shuffle
    nor words within sentences; and for lone surrogates, which UTF-8 cannot encode.

    Example::

        Corpus("two books", train=("One.\nTwo.",), test=("Three.\n",))
    """

    __repr__ = brief

    name: str
    train: tuple[str, ...]
    test: tuple[str, ...]

    def __post_init__(self):
        for side in ("train", "test"):
            texts = getattr(self, side)
            if not texts or not all(text.strip() for text in texts):
                raise AssayError(
                    "a corpus must have texts to learn from and texts held out, none of them empty",
                    given=f"{self.name}: {len(texts)} texts to {'learn from' if side == 'train' else 'hold out'}"
                    + (", of which one is empty" if texts else ""),
                    next_step="give a longer text, or leave empty ones out",
                )
            for text in texts:
                try:
                    text.encode()
                except UnicodeEncodeError as error:
                    raise AssayError(
                        "a text must be one that UTF-8 can hold",
                        given=f"{self.name}, with {text[error.start]!a} at character {error.start:,}",
                        next_step="read the file with `assay.text.decoded`, or leave such characters out",
                    ) from error
        if sum(bool(line.strip()) for text in self.train for line in text.splitlines()) < 2:
            raise AssayError(
                "a corpus must have more than one line to learn from",
                given=f"{self.name}, one line of {sum(map(len, self.train)):,} characters",
                next_step="put each sentence or paragraph on a line of its own",
            )

    @property
    def num_bytes(self) -> int:
        """Bytes of the held-out texts in UTF-8, without the ends of texts."""
        return sum(len(text.encode()) for text in self.test)

    @classmethod
    def divided(cls, name: str, texts: Sequence[str], *, held_out: float = 0.1) -> "Corpus":
        """A corpus that holds out the last `held_out` of the characters of every text, from the beginning of a line where one
        begins nearby."""
        check_real("held_out", held_out, above=0.0)
        if held_out >= 1:
            raise AssayError("held_out must be a share below 1", given=held_out)
        train, test = [], []
        for text in texts:
            cut = round(len(text) * (1 - held_out))
            train.append(text[:cut])
            test.append(text[cut:])
        return cls(name, tuple(train), tuple(test))


@runtime_checkable
class GivesCorpus(Protocol):
    """What a task must offer: the corpus that its texts come from."""

    def corpus(self) -> Corpus:
        """Texts to learn from and texts held out."""
        ...


class CodedText(NamedTuple):
    """A text as inputs to a network that predicts one symbol of a task at a time.

    **Attributes:**

    - `inputs`: keyword arguments of its forward, each `(n, ...)`; row k predicts symbol k.
    - `allowed`: `(n, classes)`, the outputs consistent with the text: one, or, where the text ends within a symbol, all symbols
      that begin so.
    - `ends`: `(n,)`, the byte at which each symbol ends.
    """

    inputs: Mapping[str, Tensor]
    allowed: Bool[Tensor, "n classes"]
    ends: Int[np.ndarray, " n"]


@runtime_checkable
class CodesText(Protocol):
    """What a task must offer beside `GivesCorpus`: tokenisation of a text into the task's own symbols, without a tokenizer.

    Example::

        >>> from assay.text import CodesText
        >>> task = assay.load_task("language")
        >>> text = task.corpus().test[0][:200]
        >>> isinstance(task, CodesText), len(task.coded(text).ends) < len(text)  # fewer symbols than characters
        (True, True)
    """

    def coded(self, text: str) -> CodedText:
        """Every symbol of the text. **Raises:** `AssayError` naming characters outside the task's symbols."""
        ...


def _guessed(content: bytes) -> str:
    """The likely encoding of bytes that are not UTF-8: UTF-16 by its mark, else a guess."""
    return "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "latin1"


def decoded(content: bytes, where: Path | str) -> str:
    """UTF-8 bytes as text. **Raises:** `AssayError` naming the first invalid byte, and for a text without a visible
    character."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise AssayError(
            "a text must be UTF-8",
            given=f"{where}, whose byte {error.start:,} in line {line:,} is 0x{content[error.start]:02x}",
            next_step=f"convert it, as with `iconv -f {_guessed(content)} -t utf-8 {where}`",
        ) from error
    if not text.strip():
        raise AssayError("a text must not be empty", given=f"{where}, {len(content):,} bytes", next_step="name another file")
    return text


def read_text(path: Path | str) -> str:
    """The content of a text file. **Raises:** `AssayError` where it cannot be read, is too long, empty, or not UTF-8."""
    return decoded(read_bytes(path, most=MOST_TEXT, next_step="check the path"), path)


def symbols_of(text: str) -> Int16[np.ndarray, " n"]:
    """The bytes of a text in UTF-8, followed by `END`."""
    found = np.frombuffer(text.encode(), dtype=np.uint8)
    return np.append(found.astype(np.int16), np.int16(END))


_LINE = re.compile(r"[^\r\n]+\s*")
_STRETCH = 500


def alternate_lines(texts: Sequence[str]) -> tuple[list[str], list[str]]:
    """Two halves of the texts: every other line, empty ones counted with the line before them, and the lines between.

    Where one half has less than a third of the characters, as in a text of one long line, stretches of 500 characters alternate
    instead, or of a tenth of the text where that is shorter.

    Example::

        assert alternate_lines(["one\n\ntwo\n\nsix\n"]) == (["one\n\nsix\n"], ["two\n\n"])
    """
    total = sum(map(len, texts))
    size = max(1, min(_STRETCH, total // 10))
    halves: tuple[list[str], list[str]] = ([], [])
    stretches = [[text[start : start + size] for start in range(0, len(text), size)] for text in texts]
    for pieces in ([_LINE.findall(text) for text in texts], stretches):
        halves, number = ([], []), 0
        for some in pieces:
            for half, found in enumerate(halves):
                found.append("".join(some[(number + half) % 2 :: 2]))
            number += len(some)
        if total <= 3 * sum(map(len, halves[0])) <= 2 * total:
            break
    first, second = ([text for text in found if text] for found in halves)
    return first, second
