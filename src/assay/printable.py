"""Text from files and networks as it may be shown or stored: characters that act instead of being read are written as escapes.

A name may hold characters that move a terminal's cursor, turn the direction of what follows, or end a program that draws
(control and format characters), and halves of characters that no file in UTF-8 can hold (lone surrogates). `printable` is for
everything that a person reads, `storable` for what is written to a file that is read again.
"""

import unicodedata
from typing import Any

_ACTING = ("Cc", "Cf", "Cs", "Zl", "Zp")  # control, format, surrogate, line and paragraph separators
_JOINERS = "\u200c\u200d"  # format characters without which words of some scripts and emoji fall apart
_NEVER = "\ufffe\uffff"  # no characters at all, which no XML can hold
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def printable(text: str, *, keep: str = "") -> str:
    r"""The text, with every character that acts instead of being read as the escape that JSON has for it.

    Within a JSON text such characters occur in strings alone, so that its meaning stays the same.

    **Arguments:** `keep`: characters to leave alone, such as the newline of a text of several lines.

    **Example:** `printable("\x1b[31mred")` is `\u001b[31mred`.
    """
    if text.isprintable():
        return text
    return "".join(_escaped(letter) if _acts(letter) and letter not in keep else letter for letter in text)


def storable(value: Any) -> Any:
    """Nested dictionaries, lists and tuples in which lone surrogates are written as escapes; all else is as it was."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {storable(key): storable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)([storable(item) for item in value])
    return value


def _acts(letter: str) -> bool:
    return letter in _NEVER or (unicodedata.category(letter) in _ACTING and letter not in _JOINERS)


def _escaped(letter: str) -> str:
    if letter in _SHORT:
        return _SHORT[letter]
    units = letter.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
