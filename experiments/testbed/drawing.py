"""A square matrix of rank correlations as SVG: blue above 0, orange below, the number in every cell."""

import math
from collections.abc import Sequence
from xml.sax.saxutils import escape

import numpy as np
from jaxtyping import Float

_CELL, _NAMES = 26, 300
_ABOVE, _BELOW = (33, 102, 172), (209, 111, 20)


def heat_map(names: Sequence[str], values: Float[np.ndarray, "k k"]) -> str:
    """The picture. A cell without a value stays empty."""
    side = _NAMES + _CELL * len(names)
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {side} {side}" width="{side}" font-family="sans-serif" '
        f'font-size="11"><title>Rank correlation between measures over networks</title><rect width="{side}" height="{side}" '
        'fill="white"/>'
    ]
    for i, name in enumerate(names):
        middle = _NAMES + _CELL * (i + 0.5)
        drawn.append(f'<text x="{_NAMES - 6}" y="{middle + 4}" text-anchor="end">{escape(name)}</text>')
        drawn.append(f'<text transform="translate({middle + 4} {_NAMES - 6}) rotate(-90)">{escape(name)}</text>')
        for j, value in enumerate(values[i]):
            if not math.isfinite(value):
                continue
            x, y = _NAMES + _CELL * j, _NAMES + _CELL * i
            ink = "white" if abs(value) > 0.6 else "black"
            drawn.append(f'<rect x="{x}" y="{y}" width="{_CELL - 1}" height="{_CELL - 1}" fill="{_colour(value)}"/>')
            told = f"{round(value, 1) + 0:.1f}".replace("0.", ".")  # + 0: no minus before 0
            drawn.append(f'<text x="{x + _CELL / 2}" y="{y + 17}" text-anchor="middle" fill="{ink}">{told}</text>')
    return "\n".join([*drawn, "</svg>", ""])


def _colour(value: float) -> str:
    full = _ABOVE if value > 0 else _BELOW
    return "#" + "".join(f"{round(255 + (one - 255) * abs(value)):02x}" for one in full)
