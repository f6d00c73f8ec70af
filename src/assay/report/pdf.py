"""Conversion of a figure's SVG to PDF, as vectors, with text in Helvetica, which every PDF viewer has.

Supported is what a canvas draws: translated groups, rectangles, circles, text, and paths of straight lines. Characters outside
the standard encoding become question marks, so use SVG for names in other scripts.
"""

import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from xml.etree.ElementTree import Element

_ARC = 0.5522847498  # control points of a circle as four Bezier curves, with an error below .03 %
_LIKE = str.maketrans({"\N{MINUS SIGN}": "\N{EN DASH}", "\N{LESS-THAN OR EQUAL TO}": "<", "\N{GREATER-THAN OR EQUAL TO}": ">"})
# Advance widths of the characters 32 to 126, in thousandths of the size, from Adobe's font metrics.
_PLAIN = (
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, *[556] * 10, 278, 278, 584, 584, 584, 556,
    1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833, 722, 778, 667, 778, 722, 667, 611, 722, 667, 944,
    667, 667, 611, 278, 278, 278, 469, 556, 333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556,
    556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584,
)  # fmt: skip
_BOLD = (
    278, 333, 474, 556, 556, 889, 722, 238, 333, 333, 389, 584, 278, 333, 278, 278, *[556] * 10, 333, 333, 584, 584, 584, 611,
    975, 722, 722, 722, 722, 667, 611, 778, 722, 278, 556, 722, 611, 833, 722, 778, 667, 778, 722, 667, 611, 722, 667, 944,
    667, 667, 611, 333, 278, 333, 584, 556, 333, 556, 611, 556, 611, 556, 333, 611, 611, 278, 278, 556, 278, 889, 611, 611,
    611, 611, 389, 556, 333, 611, 556, 778, 556, 556, 500, 389, 280, 389, 584,
)  # fmt: skip
_OTHER = 556


def pdf_of(svg: Element) -> bytes:
    """The PDF file: one page of the size of the figure, one point for each pixel. The same figure gives the same bytes."""
    width, height = (float(svg.get(side, "0")) for side in ("width", "height"))
    opacities: dict[float, str] = {}
    drawn = "\n".join([f"1 0 0 -1 0 {_number(height)} cm", *_drawn(svg, {}, opacities, (width, height))])
    states = " ".join(f"/{name} << /ca {opacity:g} >>" for opacity, name in opacities.items())
    fonts = " ".join(f"/{name} {number} 0 R" for name, number in (("F1", 4), ("F2", 5)))
    content = zlib.compress(drawn.encode("cp1252"), 9)
    page = f"/MediaBox [0 0 {_number(width)} {_number(height)}] /Contents 6 0 R"
    return _file(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            f"<< /Type /Page /Parent 2 0 R {page} /Resources << /Font << {fonts} >> /ExtGState << {states} >> >> >>".encode(),
            *(
                f"<< /Type /Font /Subtype /Type1 /BaseFont /{name} /Encoding /WinAnsiEncoding >>".encode()
                for name in ("Helvetica", "Helvetica-Bold")
            ),
            b"<< /Length %d /Filter /FlateDecode >>\nstream\n%b\nendstream" % (len(content), content),
        ]
    )


def _file(objects: Sequence[bytes]) -> bytes:
    """Numbered objects with the cross-reference table of their offsets (ISO 32000-1, 7.5)."""
    found, places = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(found))
        found += b"%d 0 obj\n%b\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    size = len(objects) + 1
    trailer = b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (size, len(found))
    return found + b"xref\n0 %d\n0000000000 65535 f \n" % size + table + trailer


def _drawn(element: Element, above: Mapping[str, str], opacities: dict[float, str], size: tuple[float, float]) -> Iterator[str]:
    """PDF operators of an element and its children; `above`: inherited attributes."""
    tag, own = element.tag.rpartition("}")[2], {**above, **element.attrib}
    if tag in ("svg", "g"):
        moved = re.fullmatch(r"translate\((\S+) (\S+)\)", own.pop("transform", ""))
        yield "q"
        if moved:
            yield f"1 0 0 1 {moved[1]} {moved[2]} cm"
        for child in element:
            yield from _drawn(child, own, opacities, size)
        yield "Q"
    elif tag == "text":
        yield from _text(element.text or "", own)
    elif tag in ("rect", "circle", "path"):
        yield from _shape(tag, own, opacities, size)
    elif tag != "title":
        raise ValueError(f"a figure holds no {tag}")


def _shape(tag: str, own: Mapping[str, str], opacities: dict[float, str], size: tuple[float, float]) -> Iterator[str]:
    fill, stroke = own.get("fill", "none"), own.get("stroke", "none")
    outline = {"rect": lambda: _box(own, size), "circle": lambda: _circle(own), "path": lambda: _path(own["d"])}[tag]()
    yield "q"
    if fill != "none":
        opacity = round(float(own.get("fill-opacity", "1")), 2)
        yield f"/{opacities.setdefault(opacity, f'A{len(opacities)}')} gs {_colour(fill)} rg"
    if stroke != "none":
        yield f"{_colour(stroke)} RG {own.get('stroke-width', '1')} w [{own.get('stroke-dasharray', '')}] 0 d"
    yield outline
    yield {(True, True): "B", (True, False): "f", (False, True): "S", (False, False): "n"}[fill != "none", stroke != "none"]
    yield "Q"


def _box(own: Mapping[str, str], size: tuple[float, float]) -> str:
    sides = ("width", "height")
    wide = [_number(whole) if own[side] == "100%" else own[side] for side, whole in zip(sides, size, strict=True)]
    return f"{own.get('x', '0')} {own.get('y', '0')} {wide[0]} {wide[1]} re"


def _circle(own: Mapping[str, str]) -> str:
    x, y, r = (float(own[name]) for name in ("cx", "cy", "r"))
    k = _ARC * r
    turns = [
        (x + r, y + k, x + k, y + r, x, y + r),
        (x - k, y + r, x - r, y + k, x - r, y),
        (x - r, y - k, x - k, y - r, x, y - r),
        (x + k, y - r, x + r, y - k, x + r, y),
    ]
    curves = (" ".join(map(_number, turn)) + " c" for turn in turns)
    return f"{_number(x + r)} {_number(y)} m {' '.join(curves)} h"


def _path(commands: str) -> str:
    """Path operators for straight lines: to a point (M, L), along an axis (h, v), and back to the start (Z)."""
    found, x, y = [], 0.0, 0.0
    for letter, rest in re.findall(r"([MLhvZ])([^MLhvZ]*)", commands):
        numbers = [float(one) for one in re.findall(r"-?[\d.]+(?:e-?\d+)?", rest)]
        if letter in "ML":
            x, y = numbers
        elif letter == "h":
            x += numbers[0]
        elif letter == "v":
            y += numbers[0]
        found.append("h" if letter == "Z" else f"{_number(x)} {_number(y)} {'m' if letter == 'M' else 'l'}")
    return " ".join(found)


def _text(words: str, own: Mapping[str, str]) -> Iterator[str]:
    """Text operators; an outline, if any, is drawn below the text."""
    words = words.translate(_LIKE).encode("cp1252", "replace").decode("cp1252")
    size, is_bold = float(own.get("font-size", "11")), own.get("font-weight") == "bold"
    widths = _BOLD if is_bold else _PLAIN
    width = sum(widths[ord(one) - 32] if 32 <= ord(one) < 127 else _OTHER for one in words) * size / 1000
    x = float(own["x"]) - width * {"middle": 0.5, "end": 1.0}.get(own.get("text-anchor", ""), 0.0)
    escaped = re.sub(r"([()\\])", r"\\\1", words)
    shown = f"/{'F2' if is_bold else 'F1'} {_number(size)} Tf 1 0 0 -1 {_number(x)} {own['y']} Tm ({escaped}) Tj"
    yield "q"
    if own.get("stroke", "none") != "none":
        yield f"{_colour(own['stroke'])} RG {own['stroke-width']} w 1 j BT 1 Tr {shown} ET"
    yield f"{_colour(own.get('fill', '#000000'))} rg BT 0 Tr {shown} ET"
    yield "Q"


def _colour(code: str) -> str:
    """`#rrggbb` as three numbers in [0, 1]."""
    return " ".join(_number(int(code[k : k + 2], 16) / 255) for k in (1, 3, 5))


def _number(value: float) -> str:
    return f"{round(value, 3) + 0.0:g}" if abs(value) < 1e5 else f"{value:.0f}"
