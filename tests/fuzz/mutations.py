"""Damaged files: strategies that start from a valid one and change its structure, its text or its bytes."""

import copy
import json
from typing import Any

from hypothesis import strategies as st

RAW = {
    "NaN": "NaN",
    "inf": "Infinity",
    "-inf": "-Infinity",
    "1e999": "1e999",
    "10^400": "1" + "0" * 400,
    "5,000 digits": "9" * 5_000,
    "nested": "[" * 90 + "]" * 90,
    "deep": "[" * 50_000 + "]" * 50_000,
    "deep tables": '{"a":' * 5_000 + "1" + "}" * 5_000,
    "unclosed": "[" * 50_000,
    "long": "[" + "0," * 20_000 + "0]",
}
"""What Python does not write as JSON, by a name that stands for it until it is written."""
EXTREMES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2, 2.5, 2**31, 2**62, 2**63 - 1, 2**63, -(2**63) - 1, 2**64, 10**9, 10**30),
    *(1e300, 1.7e308, -1e308, 5e-324, -0.0, 0.5, "", "a", "0", "NaN", "../..", "\0", "\ud800", "\u202e"),
    *("x" * 5_000, "1" * 5_000),
    *([], {}, [[]], [None], [0, 0], {"a": 1}, {"": {}}, [["a", 1]], "train", "novel", "modular:p=3"),
    *(f"@raw {name}@" for name in RAW),
)


def written(value: object) -> bytes:
    """As JSON, with what stands for text that is none put in."""
    text = json.dumps(value)
    for name, raw in RAW.items():
        text = text.replace(f'"@raw {name}@"', raw)
    return text.encode()


@st.composite
def changed(draw: st.DrawFn, value: Any) -> Any:
    """A JSON value with one to three changes: a member dropped, repeated, renamed, exchanged, nested or replaced."""
    value = json.loads(json.dumps(value))
    for _ in range(draw(st.integers(1, 3))):
        places = list(_places(value))
        if not places:
            return copy.deepcopy(draw(st.sampled_from(EXTREMES)))
        node, key = places[draw(st.integers(0, len(places) - 1))]
        match draw(st.sampled_from(("replace", "replace", "replace", "drop", "repeat", "rename", "exchange", "nest"))):
            case "replace":
                other = draw(st.sampled_from(EXTREMES) | st.integers() | st.floats() | st.text(max_size=5))
                node[key] = copy.deepcopy(other)
            case "drop":
                del node[key]
            case "repeat" if isinstance(node, list):
                node[key:key] = [node[key]] * draw(st.sampled_from((1, 2, 100)))
            case "rename" if isinstance(node, dict):
                node[draw(st.sampled_from(("", "a", "\0", "x" * 1_000, "schema_version", "seed")))] = node.pop(key)
            case "exchange":
                other, place = places[draw(st.integers(0, len(places) - 1))]
                node[key] = json.loads(json.dumps(other[place]))
            case _:
                node[key] = [node[key]] if draw(st.booleans()) else {"a": node[key]}
    return value


def _places(value: Any) -> Any:
    """Every container with each of its keys, without recursion into what is replaced."""
    level = [value]
    while level:
        node = level.pop()
        if isinstance(node, dict | list):
            for key in list(node) if isinstance(node, dict) else range(len(node)):
                yield node, key
                level.append(node[key])


@st.composite
def cut(draw: st.DrawFn, content: bytes) -> bytes:
    """Bytes with one to three changes: flipped, cut off, taken out, repeated or put in."""
    for _ in range(draw(st.integers(1, 3))):
        if not content:
            return draw(st.binary(max_size=20))
        at = draw(st.integers(0, len(content) - 1))
        to = min(len(content), at + draw(st.sampled_from((1, 2, 4, 8, 64, 1_000))))
        match draw(st.sampled_from(("flip", "flip", "end", "out", "repeat", "in", "number"))):
            case "flip":
                content = content[:at] + bytes([content[at] ^ (1 << draw(st.integers(0, 7)))]) + content[at + 1 :]
            case "end":
                content = content[:at]
            case "out":
                content = content[:at] + content[to:]
            case "repeat":
                content = content[:to] + content[at:to] * draw(st.sampled_from((1, 2, 50))) + content[to:]
            case "in":
                content = content[:at] + draw(st.binary(min_size=1, max_size=9)) + content[at:]
            case _:
                number = draw(st.sampled_from((0, 1, 2**31 - 1, 2**32 - 1, 2**63 - 1, 2**64 - 1))).to_bytes(8, "little")
                content = content[:at] + number[: to - at] + content[min(len(content), to) :]
    return content


def json_files(value: Any) -> st.SearchStrategy[bytes]:
    """Damaged JSON files: mostly by structure, some besides by bytes."""
    by_structure = changed(value).map(written)
    return st.one_of(by_structure, by_structure, cut(json.dumps(value).encode()))


@st.composite
def lines_of(draw: st.DrawFn, content: bytes, tokens: tuple[bytes, ...], *, separator: bytes) -> bytes:
    """Text of lines and cells with one to three changes: a line dropped, repeated or moved, a cell replaced."""
    lines = content.split(b"\n")
    for _ in range(draw(st.integers(1, 3))):
        row = draw(st.integers(0, len(lines) - 1))
        match draw(st.sampled_from(("cell", "cell", "cell", "drop", "repeat", "move", "bytes"))):
            case "cell":
                cells = lines[row].split(separator)
                cells[draw(st.integers(0, len(cells) - 1))] = draw(st.sampled_from(tokens) | st.binary(max_size=6))
                lines[row] = separator.join(cells)
            case "drop" if len(lines) > 1:
                del lines[row]
            case "repeat":
                lines[row:row] = [lines[row]] * draw(st.sampled_from((1, 2, 300)))
            case "move":
                lines.insert(draw(st.integers(0, len(lines))), lines[row])
            case _:
                return draw(cut(b"\n".join(lines)))
    return b"\n".join(lines)
