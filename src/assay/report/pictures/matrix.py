"""Shares by row and column, the darker the larger."""

from assay.figure import ITSELF, Matrix
from assay.report.canvas import MUTED, WIDTH, Canvas, shortened, width_of
from assay.report.pictures.picture import DrawnFigure
from assay.report.words import NOT_ENOUGH, number

CELL, HEAD, FOOT = 24, 6, 34
MOST = 24  # rows or columns that are drawn
NAMES = 84  # most pixels of the names of rows


def matrix_picture(matrix: Matrix) -> DrawnFigure | None:
    """One panel; None without a cell. Rows and columns beyond `MOST` are left to the table."""
    rows, columns = matrix.rows[:MOST], matrix.columns[:MOST]
    if not rows or not columns:
        return None
    left = min(NAMES, max(map(width_of, rows)) + 8)
    wide = (WIDTH - left) / len(columns)
    canvas = Canvas(HEAD + CELL * len(rows) + FOOT, halo=False)
    for k, row in enumerate(rows):
        y = HEAD + CELL * k
        canvas.text(shortened(row, left - 6), left - 6, y + CELL / 2, align="right")
        for j, column in enumerate(columns):
            value, note = matrix.values[k][j], matrix.notes[k][j]
            if value is None:
                continue
            description = f"{matrix.down} {row}, {matrix.across} {column}: {number(value)}" + (f", {note}" if note else "")
            canvas.fill(left + wide * j + 1, y + 1, wide - 2, CELL - 2, share=value, description=description)
            if wide >= width_of("0.00") + 2:
                colour = "paper" if value > 0.5 else "ink"
                canvas.text(f"{value:.2f}", left + wide * (j + 0.5), y + CELL / 2, align="center", colour=colour)
    foot = HEAD + CELL * len(rows)
    every = max(1, round((max(map(width_of, columns)) + 4) / wide + 0.5))
    for j, column in enumerate(columns):
        if j % every == 0:
            canvas.text(column, left + wide * (j + 0.5), foot + 10, align="center", colour=MUTED)
    canvas.text(matrix.across, left + (WIDTH - left) / 2, foot + 26, align="center", colour=MUTED)
    description = "; ".join(
        f"{row} and {column} {NOT_ENOUGH if value is None else number(value)}"
        for row, values, notes in zip(matrix.rows, matrix.values, matrix.notes, strict=True)
        for column, value, note in zip(matrix.columns, values, notes, strict=True)
        if note != ITSELF
    )
    panel = canvas.panel(matrix.name, f"{matrix.down} down, {matrix.across} across", f"{matrix.name}. {description}.")
    missing = len(rows) < len(matrix.rows) or len(columns) < len(matrix.columns)
    return DrawnFigure(matrix.name, matrix.caption, (panel,), left_out="The rest is in the table." if missing else "")
