"""Reader of CoNLL-U, the format of Universal Dependencies: one word a line, ten columns, a blank line after every sentence.

ID, FORM, UPOS, HEAD and DEPREL are read. A line of several words (`8-9`, French `du` = `de` + `le`) and an empty node (`8.1`)
are no words of the tree and are skipped; the indices of the others stay. Columns other than these ten are read where the file
names them in a comment `# global.columns = ID FORM ...`, as in CoNLL-U Plus. https://universaldependencies.org/format.html,
https://universaldependencies.org/ext-format.html
"""

import gzip
import io
import re
import unicodedata
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from assay.bounds import MOST_TABLE, open_file, read_at_most
from assay.errors import AssayError
from assay.graph import Graph, coarse, tree

COLUMNS = ("ID", "FORM", "LEMMA", "UPOS", "XPOS", "FEATS", "HEAD", "DEPREL", "DEPS", "MISC")
_READ = ("ID", "FORM", "UPOS", "HEAD", "DEPREL")
PUNCTUATION = "PUNCT"
WITHHELD = "_"
"""The form of every word in a treebank whose text may not be redistributed."""
_UNIVERSAL = (
    *("ADJ", "ADP", "ADV", "AUX", "CCONJ", "DET", "INTJ", "NOUN", "NUM", "PART", "PRON", "PROPN", "PUNCT", "SCONJ", "SYM"),
    *("VERB", "X"),
)
_BRACKETS = ("-LRB-", "-RRB-", "-LCB-", "-RCB-", "-LSB-", "-RSB-")  # spellings of brackets in the Penn Treebank
_SEVERAL, _EMPTY = re.compile(r"([1-9]\d{0,8})-([1-9]\d{0,8})"), re.compile(r"(\d{1,9})\.([1-9]\d{0,8})")
MOST_WORDS = 4_096
"""The most words of a sentence: the longest in Universal Dependencies have a few hundred, and distances fill a square table."""


class _Word(NamedTuple):
    line: int
    form: str
    tag: str
    head: int
    relation: str


def read_conllu(path: Path) -> tuple[Graph, ...]:
    """The sentences of a file, plain or gzipped, as trees, with text and `sent_id` where comments give them.

    Words with the universal tag `PUNCT` are punctuation. A word without a universal tag, as in the Penn Treebank or untagged
    files, is punctuation where its relation is `punct` or its form has punctuation characters only.

    **Raises:** `AssayError` naming file, line and column of malformed content: a wrong number of columns, an id out of order, a
    head that is no word of the sentence, no root or several, a cycle; and for a file whose words are all withheld.
    """
    next_step = "name a CoNLL-U file that can be read, plain or ending in .gz"
    with open_file(path, most=MOST_TABLE, next_step=next_step) as file:
        content = _unpacked(path, file, next_step) if path.suffix == ".gz" else read_at_most(file, path, most=MOST_TABLE)
    try:
        # Not splitlines, which also splits at characters that a form may contain.
        lines = [line.removesuffix("\r") for line in content.decode("utf-8-sig").split("\n")]
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise AssayError(f"{path} must be UTF-8", given=f"byte {content[error.start]:#04x} in line {line}") from error
    columns = _columns(path, lines)
    sentences = tuple(_sentence(path, number, block, columns) for number, block in _blocks(lines))
    if sentences and all(map(withheld, sentences)):
        raise AssayError(
            f"{path} must hold the words of its sentences",
            given=f"withheld words: all forms are {WITHHELD}, as where the licence of the text forbids to publish it",
            next_step="merge the words in from the original text, as the README of the treebank describes",
        )
    return sentences


def withheld(sentence: Graph) -> bool:
    """Whether only the tree of a sentence is published."""
    return all(word == WITHHELD for word in sentence.words)


def _columns(path: Path, lines: list[str]) -> tuple[str, ...]:
    """Names of the columns: those of the file, by default those of CoNLL-U."""
    for number, line in enumerate(lines, start=1):
        if not line.startswith("#"):
            break
        key, _, value = line[1:].partition("=")
        if key.strip() == "global.columns":
            columns = tuple(value.split())
            if missing := [name for name in _READ if columns.count(name) != 1]:
                rule = f"{path}, line {number}: the columns must hold {', '.join(_READ)} once each"
                raise AssayError(rule, given=f"{', '.join(columns)}, without one {', '.join(missing)}")
            return columns
    return COLUMNS


def _unpacked(path: Path, file: io.BufferedIOBase, next_step: str) -> bytes:
    try:
        with gzip.open(file) as stream:
            return read_at_most(stream, path, most=MOST_TABLE, next_step=next_step)
    except (EOFError, zlib.error) as error:
        raise AssayError(f"{path} must be a file that can be read", given=error, next_step=next_step) from error


def _blocks(lines: list[str]) -> Iterator[tuple[int, list[str]]]:
    """The lines of every sentence, with the number of the first."""
    start = 0
    for number, line in enumerate([*lines, ""]):
        if not line.strip():
            block = lines[start:number]
            if any(not other.startswith("#") for other in block):
                yield start + 1, block
            start = number + 1


def _sentence(path: Path, first: int, block: list[str], columns: tuple[str, ...]) -> Graph:
    comments: dict[str, str] = {}
    words: list[_Word] = []
    for number, line in enumerate(block, start=first):
        if line.startswith("#"):
            key, equals, value = line[1:].partition("=")
            comments.update({key.strip(): value.strip()} if equals else {})
        elif word := _word(path, number, line, words, columns):
            words.append(word)
    if len(words) > MOST_WORDS:
        raise _fault(path, first, "ID", f"a sentence has at most {MOST_WORDS:,} words", f"{len(words):,}")
    if not words:
        raise _fault(path, first, "ID", "a sentence has at least one word", "none")
    _check_heads(path, words)
    return tree(
        [word.form for word in words],
        [word.head - 1 for word in words],
        relation=[word.relation for word in words],
        punctuation=[_is_punctuation(word) for word in words],
        tags=[word.tag for word in words],
        text=comments.get("text", ""),
        sentence_id=comments.get("sent_id", ""),
    )


def _is_punctuation(word: _Word) -> bool:
    if word.tag in _UNIVERSAL:
        return word.tag == PUNCTUATION
    only_signs = all(unicodedata.category(sign).startswith("P") for sign in word.form)
    return coarse(word.relation) == "punct" or (only_signs and word.form != WITHHELD) or word.form in _BRACKETS


def _word(path: Path, number: int, line: str, before: list[_Word], columns: tuple[str, ...]) -> _Word | None:
    """The word of a line; None for a line that is no word."""
    cells = line.split("\t")
    if len(cells) != len(columns):
        rule = f"a line has {len(columns)} columns, separated by tabs"
        next_step = (
            "" if len(cells) < len(COLUMNS) else "name other columns in the first line, `# global.columns = ID FORM ...`"
        )
        raise AssayError(f"{path}, line {number}: {rule}", given=f"{len(cells)}: {line[:60]}", next_step=next_step)
    number_of, form, tag, head, relation = (cells[columns.index(name)] for name in _READ)
    following = len(before) + 1
    if number_of != str(following):
        return _no_word(path, number, number_of, following)
    if not (head.isascii() and head.isdecimal() and len(head) < 10):
        raise _fault(path, number, "HEAD", "a head is the number of a word, or 0", head)
    for column, cell in (("FORM", form), ("DEPREL", relation)):
        if not cell or cell.isspace():
            raise _fault(path, number, column, "the cell must not be empty", repr(cell))
    return _Word(number, form, tag, int(head), relation)


def _no_word(path: Path, number: int, given: str, following: int) -> None:
    """Check that a line that is no word is one of several words or an empty node, at its place."""
    if several := _SEVERAL.fullmatch(given):
        if int(several[1]) != following or int(several[2]) <= int(several[1]):
            raise _fault(path, number, "ID", f"several words start at the next one, {following}", given)
    elif empty := _EMPTY.fullmatch(given):
        if int(empty[1]) != following - 1:
            raise _fault(path, number, "ID", f"an empty node follows the word before it, {following - 1}", given)
    else:
        raise _fault(path, number, "ID", f"words are numbered in order, so {following} is next", given)


def _check_heads(path: Path, words: list[_Word]) -> None:
    """Check that every head is another word of the sentence, that one word is the root, and that heads lead from every word to
    it."""
    for position, word in enumerate(words, start=1):
        if word.head > len(words):
            raise _fault(path, word.line, "HEAD", f"a head is at most the number of words, {len(words)}", word.head)
        if word.head == position:
            raise _fault(path, word.line, "HEAD", "no word is its own head", word.head)
    roots = [word for word in words if word.head == 0]
    if len(roots) != 1:
        at = roots[1] if roots else words[0]
        raise _fault(path, at.line, "HEAD", "one word of a sentence has head 0", f"{len(roots)} have")
    leads = [True] + [False] * len(words)  # whether the heads of each word lead to the root
    for start in range(1, len(words) + 1):
        passed, position = [], start
        while not leads[position] and len(passed) <= len(words):
            passed.append(position)
            position = words[position - 1].head
        if not leads[position]:
            raise _fault(path, words[start - 1].line, "HEAD", "heads lead to the root", f"a circle from word {start}")
        for position in passed:
            leads[position] = True


def _fault(path: Path, line: int, column: str, rule: str, given: object) -> AssayError:
    place = f"{path}, line {line}, column {COLUMNS.index(column) + 1} ({column})"
    return AssayError(f"{place}: {rule}", given=given, next_step="correct the line; nothing of the file was taken")
