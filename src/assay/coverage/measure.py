"""`coverage(train, test)`: which novel combinations of a data set follow from its training data, without a model."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Int

from assay.arguments import checked
from assay.coverage.result import Count, Coverage, Predictor, ValueCounts
from assay.coverage.sides import PartsOf, Sides, read_sides
from assay.novelty import ENOUGH
from assay.substitution import KS, NO_ANSWER, Reach, Trained, k_coverage, synonyms
from assay.substitution.keys import distinct, key_of
from assay.substitution.predictors import predictions
from assay.substitution.trained import components

if TYPE_CHECKING:
    from collections.abc import Mapping

    from assay.task import Task


@checked
def coverage(
    train: "Path | str | Task | Mapping[str, Sequence[object]] | Sequence[Mapping[str, object]]",
    test: "Path | str | Mapping[str, Sequence[object]] | Sequence[Mapping[str, object]] | None" = None,
    *,
    parts: Sequence[str] | PartsOf | None = None,
    answer: str | None = None,
) -> Coverage:
    """Coverage of a data set: how many of its novel combinations are synonyms of trained ones, inside k-coverage, or outside.

    **Arguments:**

    - `train`, `test`: files (`.jsonl`, `.csv`, `.parquet`), columns by name, or rows. A task, a task address, a published data
      set (`cogs`, `slog:CP_3`) or a TOML table contains both, so `test` is left out.
    - `parts`: names of the columns that are combined; or a function from a row to its parts, whose docstring is printed.
      Default: all columns but the answer.
    - `answer`: the column of the answer. Default: the last one.

    **Raises:** `AssayError` for files that cannot be read or are empty, missing columns, fewer than two parts, and more than
    16 parts that vary.

    Example::

        >>> train = [{"a": 0, "b": 0, "y": 1}, {"a": 1, "b": 0, "y": 1}, {"a": 0, "b": 1, "y": 2}]
        >>> found = assay.coverage(train, [{"a": 1, "b": 1, "y": 2}])
        >>> found.synonyms.count, found.outside_1.count
        (1, 0)
    """
    return measured(read_sides(train, test, parts=parts, answer=answer))


def measured(sides: Sides) -> Coverage:
    """Coverage of two sides that were read."""
    sizes = [len(names) for names in sides.values]
    trained = Trained.of(sides.train, sides.train_answers, sizes)
    tested = Trained.of(sides.test, sides.test_answers, sizes)
    known = trained.find(_keys(tested, trained))
    shared = np.flatnonzero(known >= 0)
    new = np.flatnonzero(known < 0)
    novel = tested.values[new]
    alike = synonyms(trained, novel)
    reach = reach_of(trained, novel)
    inside = reach[1].inside
    outside = ~inside
    assert not (alike.many & outside).any(), "every synonym lies inside 1-coverage"
    total = len(novel)

    def count(where: Bool[np.ndarray, " m"]) -> Count:
        return Count(int(where.sum()), float(where.mean()) if total else None)

    labels = np.where(alike.many, "synonym", np.where(inside, "inside", "outside"))
    usage, groups = _usage(trained, novel, sides)
    determined = _determined(trained, sides.parts)
    right = tested.votes[new]
    answers = sides.num_trained_answers
    found = predictions(trained, novel, synonyms=alike, reach=reach, names=answers) if total else []
    commonest = np.bincount(trained.votes).argmax()
    undecided = {k: int(reached.undecided.sum()) for k, reached in reach.items()}
    return Coverage(
        title=sides.title,
        definition=sides.definition,
        parts=sides.parts,
        answer=sides.answer,
        rows={"train": len(sides.train), "test": len(sides.test)},
        num_trained=len(trained),
        num_novel=total,
        num_answers=answers,
        synonyms=count(alike.many),
        one_exchange=count(alike.one_exchange),
        inside_1=count(inside & ~alike.many),
        outside_1=count(outside),
        inside_k={k: count(reached.inside) for k, reached in reach.items()},
        undecided_k=undecided,
        shared=len(shared),
        contradictions=int(trained.contradicted.sum()),
        determined=determined,
        groups=groups,
        usage=usage,
        predictors=tuple(
            Predictor(
                name=each.name,
                how=each.how,
                answers=float((each.answers != NO_ANSWER).mean()),
                accuracy=float((each.answers == right)[each.answers != NO_ANSWER].mean())
                if (each.answers != NO_ANSWER).any()
                else None,
                right=float((each.answers == right).mean()),
            )
            for each in found
        ),
        chance={
            "commonest": float((right == commonest).mean()) if total else None,
            "uniform": 1 / answers if total else None,
        },
        notes=tuple(_notes(sides, trained, tested, shared, new, determined, usage, groups, undecided, labels)),
        values=sides.values,
        trained=trained.values,
        novel=novel,
        cells=tuple(labels.tolist()),
    )


def reach_of(trained: Trained, novel: Int[np.ndarray, "m p"]) -> dict[int, Reach]:
    """k-coverage for every k. A combination outside at one k is outside at every larger one and is not searched again."""
    found: dict[int, Reach] = {}
    rows = np.arange(len(novel))
    for k in KS:
        part = k_coverage(trained, novel[rows], k)
        inside, undecided, answer = np.zeros(len(novel), bool), np.zeros(len(novel), bool), np.full(len(novel), NO_ANSWER)
        inside[rows], undecided[rows], answer[rows] = part.inside, part.undecided, part.answer
        found[k] = Reach(inside, undecided, answer)
        rows = rows[part.inside | part.undecided]
    return found


def _keys(rows: Trained, like: Trained) -> np.ndarray:

    return key_of(rows.values, like.tables)


def _usage(trained: Trained, novel: Int[np.ndarray, "m p"], sides: Sides) -> tuple[tuple[ValueCounts, ...], int]:
    """Counts of every value, and the number of connected groups of trained values."""
    starts = np.cumsum([0, *trained.sizes])
    nodes = trained.values + starts[:-1]
    label = components(int(starts[-1]), np.repeat(nodes[:, 0], nodes.shape[1] - 1), nodes[:, 1:].ravel())
    main = np.bincount(label[nodes[:, 0]]).argmax()
    used = np.unique(label[nodes[:, 0]])
    values = []
    for part, (name, names) in enumerate(zip(sides.parts, sides.values, strict=True)):
        counts = [np.bincount(side[:, part], minlength=len(names)).tolist() for side in (trained.values, novel)]
        groups = label[starts[part] : starts[part + 1]].tolist()
        for value, in_trained, in_novel, group in zip(names, *counts, groups, strict=True):
            doomed = bool(in_novel > 0 and (in_trained == 0 or group != main))
            values.append(ValueCounts(name, value, in_trained, in_novel, doomed))
    return tuple(values), len(used)


def _determined(trained: Trained, parts: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Pairs of varying parts, of which the first determines the second."""
    found = []
    for a in trained.varying:
        for b in trained.varying:
            if a != b:
                pairs = distinct((trained.values[:, a] * trained.sizes[b] + trained.values[:, b]).astype(np.uint64))
                if len(pairs) == np.count_nonzero(np.bincount(trained.values[:, a])):
                    found.append((parts[a], parts[b]))
    return tuple(found)


def _notes(
    sides: Sides,
    trained: Trained,
    tested: Trained,
    shared: Int[np.ndarray, " s"],
    new: Int[np.ndarray, " m"],
    determined: tuple[tuple[str, str], ...],
    usage: Sequence[ValueCounts],
    groups: int,
    undecided: "Mapping[int, int]",
    labels: np.ndarray,
) -> "list[str]":
    def named(row: Sequence[int]) -> str:
        return ", ".join(f"{part}={names[value]}" for part, names, value in zip(sides.parts, sides.values, row, strict=True))

    def count_of(number: int, thing: str) -> str:
        return f"{number:,} {thing}{'' if number == 1 else 's'}"

    notes = []
    if len(shared):
        first = named(tested.values[shared[0]].tolist())
        notes.append(f"{count_of(len(shared), 'combination')} of the test data are trained and left out, such as {first}.")
    if trained.contradicted.any():
        at = int(np.flatnonzero(trained.contradicted)[0])
        rows = np.flatnonzero((sides.train == trained.values[at]).all(1))
        different = list(dict.fromkeys(sides.answers[answer] for answer in sides.train_answers[rows].tolist()))[:3]
        notes.append(
            f"{count_of(int(trained.contradicted.sum()), 'trained combination')} with contradicting answers, "
            f"evidence for no equivalence: first {named(trained.values[at].tolist())} with {' and '.join(map(repr, different))}"
        )
    if tested.contradicted[new].any():
        at = new[np.flatnonzero(tested.contradicted[new])[0]]
        notes.append(
            f"{count_of(int(tested.contradicted[new].sum()), 'novel combination')} with contradicting answers; the "
            f"commonest counts: first {named(tested.values[at].tolist())}."
        )
    for first, second in determined[:3]:
        notes.append(f"In training, {first} determines {second}, so their effects cannot be separated.")
    if len(determined) > 3:
        notes.append(f"{count_of(len(determined) - 3, 'more pair')} of parts, of which the first determines the second.")
    if constant := [sides.parts[part] for part in range(len(sides.parts)) if part not in trained.varying]:
        notes.append(f"In training, {', '.join(constant)} never {'varies' if len(constant) == 1 else 'vary'}.")
    doomed = [value for value in usage if value.doomed]
    unseen = [value for value in doomed if not value.trained]
    if unseen:
        notes.append(
            f"{count_of(len(unseen), 'value')} of novel combinations never trained, such as {unseen[0].part}={unseen[0].value}."
        )
    if len(doomed) > len(unseen):
        apart = next(value for value in doomed if value.trained)
        notes.append(
            f"{count_of(len(doomed) - len(unseen), 'value')} not connected to most other values by trained combinations, such "
            f"as {apart.part}={apart.value}."
        )
    if groups > 1:
        notes.append(f"The trained values fall into {groups:,} groups that never occur together.")
    for k, number in undecided.items():
        if number:
            notes.append(
                f"{count_of(number, 'novel combination')} with more chains of replacements for k = {k} than were searched. "
                "They count as outside, though some may be inside."
            )
    outside = int((labels == "outside").sum())
    if 0 < outside < ENOUGH:
        notes.append(
            f"{count_of(outside, 'combination')} outside 1-coverage: fewer than {ENOUGH}, not enough data for a score on them."
        )
    return notes
