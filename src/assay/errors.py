"""The exception for all mistakes of a user: rule, given value, choices, next step."""

import difflib
from collections.abc import Iterable, Sequence
from typing import Any, TypeGuard

from assay.printable import printable


class AssayError(ValueError):
    """A user's mistake, as a message of one line in which control characters are escaped.

    **Arguments:**

    - `rule`: what must hold, as a sentence without its full stop.
    - `given`: the value found instead.
    - `choices`: accepted values; the one nearest to `given` is suggested.
    - `next_step`: what to do now.

    Example::

        >>> assay.load_task("modular-additon")
        Traceback (most recent call last):
            ...
        assay.errors.AssayError: there is no such task. Given: modular-additon. ... Did you mean modular-addition? ...
    """

    def __init__(self, rule: str, *, given: object = None, choices: Iterable[str] = (), next_step: str = ""):
        choices = list(choices)
        self.rule, self.given, self.choices, self.next_step = rule, given, choices, next_step
        message = shortened(rule, _LONGEST_SENTENCE).rstrip(".") + "."
        shown = shortened(given)
        if given is not None:
            message += f" Given: {shown}."
        if choices:
            message += f" Choices: {_listed(choices)}."
            # The time to compare two texts grows with the square of their length.
            words = [one for one in choices[:1_000] if len(one) <= _LONGEST_WORD] if len(shown) <= _LONGEST_WORD else []
            near = difflib.get_close_matches(shown, words, n=1)
            if near and near[0] != shown:
                message += f" Did you mean {near[0]}?"
        if next_step:
            message += f" Next: {shortened(next_step, _LONGEST_SENTENCE).rstrip('.')}."
        super().__init__(printable(message.replace("\n", " ")))

    def __reduce__(self) -> tuple[Any, ...]:
        # Raised in one process and reported in another, so its parts are pickled, not the message alone.
        return _rebuilt, (type(self), self.rule, self.given, self.choices, self.next_step)


def _rebuilt(kind: type["AssayError"], rule: str, given: object, choices: list[str], next_step: str) -> "AssayError":
    return kind(rule, given=given, choices=choices, next_step=next_step)


LONGEST, _LONGEST_SENTENCE, _LONGEST_WORD = 300, 1_000, 200
_MOST_ITEMS = 8


def shortened(given: object, limit: int = LONGEST) -> str:
    """A user's value for a message, in about `limit` characters at most: both ends of a long text, the first items of a long
    list, the shape of an array."""
    if _is_long(given):
        first = [f"a list of {len(one):,}" if _is_long(one) else shortened(one, 40) for one in given[:3]]
        return f"[{', '.join(first)}, ...] ({len(given):,} values)"
    shape, dtype = getattr(given, "shape", None), getattr(given, "dtype", None)
    if shape and dtype is not None:
        return f"{dtype} of shape {tuple(shape)}"
    try:
        text = str(given)
    except ValueError:
        return "a whole number of more than 4,300 digits"
    except RecursionError:
        return "a value nested too deeply to be shown"
    return text if len(text) <= limit else f"{text[: limit // 2]} ... {text[-limit // 2 :]} ({len(text):,} characters)"


def _is_long(given: object) -> TypeGuard[Sequence[object]]:
    return isinstance(given, list | tuple) and len(given) > _MOST_ITEMS


def _listed(choices: list[str], limit: int = 40) -> str:
    shown = ", ".join(shortened(choice) for choice in choices[:limit])
    return shown if len(choices) <= limit else f"{shown}, and {len(choices) - limit} more"
