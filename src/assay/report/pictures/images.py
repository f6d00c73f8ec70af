"""Small pictures beside each other: pixels in their own colours, segments in one colour each."""

from collections.abc import Sequence

from assay.figure import GridImage, ImageGrid
from assay.report.canvas import CARRIED, FAINT, FAULT, MUTED, RESTORED, SERIES, WIDTH, Canvas, Panel, shortened
from assay.report.pictures.picture import DrawnFigure
from assay.report.words import counted

MOST_ROWS, MOST_PIXELS = 12, 64
ACROSS, GAP, WORDS = 4, 6, 26
SEGMENTS = (FAINT, *SERIES, CARRIED, RESTORED, FAULT, MUTED)
"""Colours of segments by number; the background is faint."""


def images_picture(images: ImageGrid) -> DrawnFigure | None:
    """A panel for each row, of which the reader opens one at a time; None without any. Of large pictures every so many pixels
    are drawn."""
    shown = [row for row in images.rows if row][:MOST_ROWS]
    if not shown:
        return None
    names = tuple(f"row {k + 1}" for k in range(len(shown)))
    left_out = len(images.rows) - len(shown)
    return DrawnFigure(
        images.name,
        images.caption,
        tuple(_panel(f"{images.name}, {name}", row) for name, row in zip(names, shown, strict=True)),
        choices=names if len(shown) > 1 else (),
        left_out=f"{counted(left_out, 'more row')} in report.json." if left_out else "",
    )


def _panel(title: str, row: Sequence[GridImage]) -> Panel:
    wide = (WIDTH + GAP) / ACROSS
    lines = -(-len(row) // ACROSS)
    canvas = Canvas(lines * (wide - GAP + WORDS + GAP))
    for k, image in enumerate(row):
        x, y = wide * (k % ACROSS), (wide + WORDS) * (k // ACROSS)
        every = max(1, -(-max(len(image.pixels), *map(len, image.pixels), 1) // MOST_PIXELS))
        drawn = [[_colour(pixel, image) for pixel in line[::every]] for line in image.pixels[::every]]
        side = (wide - GAP) / max(len(drawn), *map(len, drawn), 1)
        description = ": ".join(filter(None, (image.name, image.note)))
        canvas.pixels(x, y, side, drawn, description=description)
        for place, words in enumerate((image.name, image.note)):
            canvas.text(shortened(words, wide - GAP, 9), x, y + wide - GAP + 7 + 11 * place, size=9, colour=MUTED)
    description = "; ".join(": ".join(filter(None, (image.name, image.note))) for image in row)
    return canvas.panel(title, "", f"{title}. {description}.")


def _colour(pixel: int, image: GridImage) -> str:
    if not image.labels:
        return f"#{pixel:06x}"
    return SEGMENTS[0] if pixel == 0 else SEGMENTS[1 + (pixel - 1) % (len(SEGMENTS) - 1)]
