"""Escaping of control characters in text from files and networks, for display and storage.

A name may hold control and format characters, which move a terminal's cursor, reverse the direction of text or crash a
renderer, and lone surrogates, which UTF-8 cannot encode. `printable` is for text that a person reads, `storable` for data
written to a file that is read again.
"""

import unicodedata
from typing import Any

_ESCAPED_CATEGORIES = ("Cc", "Cf", "Cs", "Zl", "Zp")  # control, format, surrogate, line and paragraph separators
_JOINERS = "\u200c\u200d"  # joiners, needed by some scripts and emoji
_NONCHARACTERS = "\ufffe\uffff"  # noncharacters, which XML forbids
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def printable(text: str, *, keep: str = "") -> str:
    r"""The text with every control, format and surrogate character as its JSON escape.

    In a JSON text such characters occur in strings only, so its meaning stays the same.

    **Arguments:** `keep`: characters to leave as they are, such as newlines.

    **Example:** `printable("\x1b[31mred")` is `\u001b[31mred`.
    """
    if text.isprintable():
        return text
    return "".join(_escaped(letter) if _must_be_escaped(letter) and letter not in keep else letter for letter in text)


def storable(value: Any) -> Any:
    """The nested dictionaries, lists and tuples with lone surrogates as escapes; all else is unchanged."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {storable(key): storable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)([storable(item) for item in value])
    return value


def _must_be_escaped(letter: str) -> bool:
    return letter in _NONCHARACTERS or (unicodedata.category(letter) in _ESCAPED_CATEGORIES and letter not in _JOINERS)


def _escaped(letter: str) -> str:
    if letter in _SHORT:
        return _SHORT[letter]
    units = letter.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
