"""COGS by case of generalisation: exact match, and equivalence of logical forms, for a file of predictions.

Run `python experiments/cogs_rows.py PREDICTIONS`, where the file has one logical form for every line of `data/gen.tsv`, in its
order, as a network wrote them. The script prints both scores of all 21 cases with intervals. The null needs no network: the
logical form of the trained sentence that shares most words with the test sentence, of equally long ones the first. Without a
file only the null is scored, on the first `--num` sentences of every case. Forms that exact match counts as wrong although they
are equivalent make the difference of the two columns. Needs the data set `cogs` (`assay data`).
"""

import argparse
from pathlib import Path

from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer

from assay.data.registry import fetch
from assay.errors import AssayError
from assay.logical_forms import CaseScore, score_forms

CHUNK = 500


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("predictions", type=Path, nargs="?")
    parser.add_argument(
        "--num", type=int, default=100, help="number of sentences of every case; all of them if a file is given"
    )
    given = parser.parse_args()
    train, asked = rows_of("train"), rows_of("gen")
    forms = None
    if given.predictions:
        forms = given.predictions.read_text(encoding="utf-8").splitlines()
        if len(forms) != len(asked):
            raise AssayError(
                "a file of predictions has a line for every sentence of data/gen.tsv", given=f"{len(forms)} of {len(asked)}"
            )
    else:
        asked = first_of_each(asked, given.num)
    wanted, cases = [form for _, form, _ in asked], [case for _, _, case in asked]
    null = score_forms(nearest([one[0] for one in asked], train), wanted, cases)
    own = score_forms(forms, wanted, cases) if forms else null
    print("| case | sentences | exact | canonical | nearest trained sentence, canonical |\n| --- | --- | --- | --- | --- |")
    for case, score in own.items():
        print(f"| {case} | {score.num} | {told(score, 'exact')} | {told(score, 'canonical')} | {null[case].canonical:.3f} |")


def rows_of(side: str) -> list[tuple[str, str, str]]:
    """Rows of sentence, logical form and case."""
    lines = fetch("cogs", f"data/{side}.tsv").read_text(encoding="utf-8").splitlines()
    return [(sentence, form, case) for sentence, form, case in (line.split("\t") for line in lines)]


def first_of_each(rows: list[tuple[str, str, str]], num: int) -> list[tuple[str, str, str]]:
    """The first rows of every case, in the order of cases."""
    found: dict[str, list[tuple[str, str, str]]] = {}
    for row in rows:
        found.setdefault(row[2], []).append(row)
    return [row for each in found.values() for row in each[:num]]


def nearest(sentences: list[str], train: list[tuple[str, str, str]]) -> list[str]:
    """The form of the trained sentence with the most words in common, minus the words that only it has."""
    words = CountVectorizer(token_pattern=r"\S+", binary=True, lowercase=False).fit([row[0] for row in train])
    table = sparse.csr_matrix(words.transform([row[0] for row in train]), dtype=float)
    length = table.sum(1).A1
    found = []
    for start in range(0, len(sentences), CHUNK):
        asked = sparse.csr_matrix(words.transform(sentences[start : start + CHUNK]), dtype=float)
        common = (asked @ table.T).toarray() - 0.5 * length
        found += [train[row][1] for row in common.argmax(1)]
    return found


def told(score: CaseScore, which: str) -> str:
    value, interval = getattr(score, which), getattr(score, f"{which}_interval")
    return f"{value:.3f} [{interval.low:.3f}, {interval.high:.3f}]"


if __name__ == "__main__":
    main()
