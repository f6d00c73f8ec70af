"""Size of the package without the files that docs/lines.txt names as belonging to later lines of evidence."""

from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "src" / "assay"
LATER = Path(__file__).parents[1] / "docs" / "lines.txt"
MOST = 35_600  # lines of all other files; 22,000 were aimed at


def later() -> list[str]:
    lines = LATER.read_text().split("\n\n", 1)[1].splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def test_every_named_file_is_there_once():
    assert len(set(later())) == len(later())
    assert [name for name in later() if not (PACKAGE / name).exists()] == []


def test_all_other_files_stay_within_their_size():
    named = later()
    others = [
        path
        for path in PACKAGE.rglob("*.py")
        if not any(path.relative_to(PACKAGE).as_posix().startswith(name) for name in named)
    ]
    assert 0 < sum(len(path.read_text().splitlines()) for path in others) <= MOST
