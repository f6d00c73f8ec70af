"""Figures as PDF: whole files, with every word and mark of the SVG, at its place."""

import re
import zlib

import pytest

from assay.report import figures_of, write_comparison, write_report
from assay.report.canvas import LIGHT, PAPER, VALUE, Canvas, Svg, standalone_svg


def content(pdf):
    """The operators of the page."""
    found = re.search(rb"<< /Length (\d+) /Filter /FlateDecode >>\nstream\n", pdf)
    assert found
    return zlib.decompress(pdf[found.end() : found.end() + int(found[1])]).decode("cp1252")


def drawn(draw, height=40):
    canvas = Canvas(height)
    draw(canvas)
    return standalone_svg([canvas.panel("", "", "")], "t")


def test_every_object_begins_where_the_table_says(examples):
    pdf = figures_of(examples.systematicity())["measures"].pdf()
    assert pdf.startswith(b"%PDF-1.4\n")
    assert pdf.endswith(b"%%EOF\n")
    start = int(re.search(rb"startxref\n(\d+)\n", pdf)[1])
    places = [int(place) for place in re.findall(rb"(\d{10}) 00000 n ", pdf[start:])]
    assert len(places) == 6
    for number, place in enumerate(places, 1):
        assert pdf[place:].startswith(b"%d 0 obj\n" % number)


def test_every_figure_of_every_type_has_the_words_of_its_svg(examples, pictured):
    figures = {**figures_of(examples.decodability()), **figures_of(pictured.of_every_type())}
    assert len(figures) > 5
    for svg in figures.values():
        words = re.findall(r"<text[^>]*>([^<]+)</text>", svg)
        told = content(svg.pdf())
        assert len(re.findall(r"0 Tr /F", told)) == len(words)
        assert told.count("q\n") == told.count("Q\n") + told.endswith("Q")
        ascii_words = [one for one in words if one.isascii() and not set(one) & set("()\\&")]
        assert ascii_words
        assert all(f"({one}) Tj" in told for one in ascii_words)


def test_same_figure_same_bytes(examples):
    (one, other) = (figures_of(examples.systematicity())["measures"].pdf() for _ in range(2))
    assert one == other


def test_marks_stand_where_the_svg_has_them():
    svg = drawn(lambda canvas: (canvas.fill(10, 5, 20, 8, share=0.5, description=""), canvas.dot(50, 20, size=64)))
    told = content(svg.pdf())
    height = float(re.search(r'height="([\d.]+)"', svg)[1])
    assert told.startswith(f"1 0 0 -1 0 {height:g} cm")
    (moved,) = re.findall(r"1 0 0 1 (\S+ \S+) cm\nq\n/A1 gs", told)
    assert f"translate({moved})" in svg
    assert "10 5 20 8 re\nf" in told
    assert "54 20 m " in told, "a dot of 64 square pixels has a radius of 4"
    assert "/A1 << /ca 0.52 >>" in svg.pdf().decode("latin-1")
    blue = " ".join(f"{round(int(LIGHT[VALUE][k : k + 2], 16) / 255, 3):g}" for k in (1, 3, 5))
    assert f"{blue} rg" in told


def test_paths_along_an_axis_end_where_they_should():
    svg = drawn(lambda canvas: canvas.pixels(0, 0, 4, [["#000000", "#000000"]], description=""))
    assert "0 0 m 8 0 l 8 4 l 0 4 l h" in content(svg.pdf())


@pytest.mark.parametrize(("align", "start"), [("left", 100), ("center", 100 - 5.5), ("right", 100 - 11)])
def test_words_stand_on_their_anchor(align, start):
    """Of two characters of 500 thousandths each at 11 pixels: 11 wide."""
    told = content(drawn(lambda canvas: canvas.text("cc", 100, 10, align=align)).pdf())
    (x,) = re.findall(r"0 Tr /F1 11 Tf 1 0 0 -1 (\S+) \S+ Tm \(cc\)", told)
    assert float(x) == pytest.approx(start)


def test_letters_that_pdf_reads_otherwise_are_escaped_or_replaced():
    told = content(
        drawn(
            lambda canvas: canvas.text(
                "a(b)\\ \N{MINUS SIGN}1 \N{CJK UNIFIED IDEOGRAPH-4E00} \N{LATIN SMALL LETTER E WITH ACUTE}", 0, 9
            )
        ).pdf()
    )
    assert "(a\\(b\\)\\\\ \N{EN DASH}1 ? \N{LATIN SMALL LETTER E WITH ACUTE}) Tj" in told


def test_what_no_canvas_draws_is_refused():
    with pytest.raises(ValueError, match="image"):
        Svg(f'<svg width="9" height="9"><image fill="{LIGHT[PAPER]}"/></svg>').pdf()


def test_a_report_and_a_comparison_have_both_of_every_figure(tmp_path, examples):
    write_report(tmp_path / "one", examples.audit())
    write_comparison(tmp_path / "two", examples.three())
    for folder in ("one", "two"):
        stems = {kind: {path.stem for path in (tmp_path / folder / "figures").glob(f"*.{kind}")} for kind in ("svg", "pdf")}
        assert stems["svg"] == stems["pdf"] != set()
