"""Parts of sentences: a template and its fillers, for the published data sets COGS and SLOG."""

import zipfile
from collections.abc import Iterable
from dataclasses import dataclass

from assay.data.registry import fetch
from assay.errors import AssayError

NONE = "none"
# All function words of COGS and SLOG.
FUNCTION_WORDS = (
    "a",
    "an",
    "the",
    "that",
    "to",
    "by",
    "was",
    "were",
    "in",
    "on",
    "beside",
    "who",
    "whom",
    "what",
    "which",
    "did",
)


@dataclass(frozen=True)
class _Published:
    """A data set of sentences and logical forms: its files, and its test sets besides `gen`."""

    train: str
    tests: dict[str, str]
    gen: str
    password: bytes = b""


PUBLISHED = {
    "cogs": _Published("data/train.tsv", {"dev": "data/dev.tsv", "test": "data/test.tsv"}, "data/gen.tsv"),
    # The password is printed in the authors' README; it keeps the test set out of text collections.
    "slog": _Published(
        "varfree_train.tsv",
        {"dev": "varfree_dev.tsv", "test": "varfree_test.tsv"},
        "data/generalization_sets.zip",
        b"SLOG",
    ),
}
DEFINITION = (
    f"Parts: the template, the sentence with every word blanked except {', '.join(FUNCTION_WORDS)} and the full stop or "
    "question mark; and word1, word2, ..., which fill the blanks from left to right (none where there are fewer). Answer: "
    "the logical form."
)


def read_published(address: str) -> tuple[dict[str, list[str]], dict[str, list[str]], str]:
    """Train and test side of `cogs`, `cogs:test`, `cogs:pp_recursion` and the like: columns of parts, then the answer.

    By default the test side is the whole generalisation set; `dev` and `test` are the in-distribution sets, any other word is a
    case of the generalisation set.

    **Raises:** `AssayError` for an unknown case, and when a file is not available.
    """
    name, _, wanted = address.partition(":")
    published = PUBLISHED[name]
    train = _lines(fetch(name, published.train).read_text(encoding="utf-8"))
    if wanted in published.tests:
        test = _lines(fetch(name, published.tests[wanted]).read_text(encoding="utf-8"))
    else:
        path = fetch(name, published.gen)
        if published.password:
            with zipfile.ZipFile(path) as archive:
                text = archive.read("generalization_sets/gen_varfreeLF.tsv", pwd=published.password).decode()
        else:
            text = path.read_text(encoding="utf-8")
        test = _lines(text)
        cases = sorted({case for _, _, case in test})
        if wanted not in ("", "gen", *cases):
            raise AssayError(f"{name} has no such test", given=wanted, choices=["gen", *published.tests, *cases])
        test = [line for line in test if wanted in ("", "gen", line[2])]
    blanks = max(len(filled_template(sentence)[1]) for sentence, _, _ in (*train, *test))
    return _columns(train, blanks), _columns(test, blanks), DEFINITION


def _lines(text: str) -> list[tuple[str, str, str]]:
    found = []
    for line in text.splitlines():
        sentence, answer, case = line.split("\t")
        found.append((sentence, answer, case))
    return found


def filled_template(sentence: str) -> tuple[str, list[str]]:
    """The sentence with its content words blanked, and these words.

    ```python
    assert filled_template("A cat liked Emma .") == ("a _ _ _ .", ["cat", "liked", "Emma"])
    ```
    """
    words = sentence.split()
    blank = [word.lower() not in FUNCTION_WORDS and word not in (".", "?") for word in words]
    template = " ".join("_" if gap else word.lower() for word, gap in zip(words, blank, strict=True))
    return template, [word for word, gap in zip(words, blank, strict=True) if gap]


def _columns(lines: Iterable[tuple[str, str, str]], blanks: int) -> dict[str, list[str]]:
    filled = [(*filled_template(sentence), answer) for sentence, answer, _ in lines]
    return {
        "template": [template for template, _, _ in filled],
        **{f"word{k + 1}": [words[k] if k < len(words) else NONE for _, words, _ in filled] for k in range(blanks)},
        "logical form": [answer for _, _, answer in filled],
    }
