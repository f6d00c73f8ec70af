"""Semantic comparison of COGS logical forms (Kim and Linzen 2020, arXiv 2010.05465), up to variable names and conjunct order.

Exact match rejects a form whose variables are numbered differently, or whose conjuncts are in another order, although the
meaning is the same (Wu, Manning and Potts 2023, arXiv 2303.13716). Two forms are equivalent when a renaming of variables makes
their sets of conjuncts equal.
"""

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from assay.errors import AssayError
from assay.evidence import Interval
from assay.stats import share_interval

_CONJUNCT = re.compile(r"(?P<definite>\* )?(?P<name>[^\s()]+(?: \. [^\s()]+)*) \( (?P<arguments>[^()]+) \)")
_VARIABLE = re.compile(r"x _ \d+|[a-z]")
_BOUND = re.compile(r"LAMBDA ([a-z]) \. ")
MOST_ORDERS = 5_040
"""Orders of indistinguishable variables to try; a form with more is compared as text."""

Atom = tuple[str, ...]
"""A predicate, preceded by `*` if definite, and its arguments."""


def canonical(form: str) -> str | None:
    """Canonical text of a form, independent of variable names and conjunct order; None where it is no form.

    Example::

        one = canonical("* cat ( x _ 1 ) ; run . agent ( x _ 2 , x _ 1 )")
        assert one == canonical("run . agent ( x _ 9 , x _ 4 ) AND * cat ( x _ 4 )")
    """
    atoms = _atoms(form)
    if atoms is None:
        return None
    variables = sorted({argument for _, *arguments in atoms for argument in arguments if _VARIABLE.fullmatch(argument)})
    groups = _indistinguishable(atoms, variables)
    num_orders = 1
    for group in groups:
        for k in range(2, len(group) + 1):
            num_orders *= k
    if num_orders > MOST_ORDERS:
        return None
    orders = itertools.product(*(itertools.permutations(group) for group in groups))
    return min(_renamed(atoms, [variable for group in order for variable in group]) for order in orders)


def _atoms(form: str) -> frozenset[Atom] | None:
    text, bound = form.strip(), 0
    found: set[Atom] = set()
    while match := _BOUND.match(text):
        found.add((f"LAMBDA {bound}", match[1]))
        text, bound = text[match.end() :], bound + 1
    for conjunct in re.split(r" ; | AND ", text):
        match = _CONJUNCT.fullmatch(conjunct.strip())
        if match is None:
            # A proper name alone is a form.
            return frozenset({(text,)}) if re.fullmatch(r"\w+", text) and not found else None
        arguments = tuple(argument.strip() for argument in match["arguments"].split(" , "))
        found.add((f"{match['definite'] or ''}{match['name']}", *arguments))
    return frozenset(found)


def _indistinguishable(atoms: frozenset[Atom], variables: Sequence[str]) -> list[list[str]]:
    """Variables grouped by colour refinement over the predicates they occur in, in a canonical order of groups."""
    colours: dict[str, object] = dict.fromkeys(variables, 0)
    for _ in range(len(variables) + 1):
        said = {
            variable: (
                colours[variable],
                tuple(
                    sorted(
                        (name, place, tuple(str(colours.get(other, other)) for other in arguments))
                        for name, *arguments in atoms
                        for place, argument in enumerate(arguments)
                        if argument == variable
                    )
                ),
            )
            for variable in variables
        }
        numbers = {what: k for k, what in enumerate(sorted(set(map(str, said.values()))))}
        found = {variable: numbers[str(what)] for variable, what in said.items()}
        if len(set(found.values())) == len(set(colours.values())):
            colours = dict(found)
            break
        colours = dict(found)
    groups: dict[object, list[str]] = {}
    for variable in variables:
        groups.setdefault(colours[variable], []).append(variable)
    return [groups[colour] for colour in sorted(groups, key=str)]


def _renamed(atoms: frozenset[Atom], order: Sequence[str]) -> str:
    number = {variable: f"x{k}" for k, variable in enumerate(order)}
    renamed = (f"{name}({','.join(number.get(argument, argument) for argument in arguments)})" for name, *arguments in atoms)
    return " & ".join(sorted(renamed))


def same_form(a: str, b: str) -> bool:
    """Whether two forms are equivalent; texts that are no forms are compared as they are."""
    if a == b:
        return True
    one = canonical(a)
    return one is not None and one == canonical(b)


@dataclass(frozen=True)
class CaseScore:
    """One generalisation case: number of examples, and shares of exact and of equivalent forms, with intervals."""

    case: str
    num: int
    exact: float
    exact_interval: Interval
    canonical: float
    canonical_interval: Interval


def score_forms(predicted: Sequence[str], wanted: Sequence[str], cases: Sequence[str]) -> Mapping[str, CaseScore]:
    """Scores by generalisation case, in order of first appearance.

    **Raises:** `AssayError` for sequences of different lengths.
    """
    if not len(predicted) == len(wanted) == len(cases):
        raise AssayError(
            "every logical form needs its prediction and its case", given=f"{len(predicted)}, {len(wanted)} and {len(cases)}"
        )
    found = {}
    for case in dict.fromkeys(cases):
        pairs = [(p, w) for p, w, c in zip(predicted, wanted, cases, strict=True) if c == case]
        exact, same = sum(p == w for p, w in pairs), sum(same_form(p, w) for p, w in pairs)
        found[case] = CaseScore(
            case, len(pairs), exact / len(pairs), share_interval(exact, len(pairs)), same / len(pairs),
            share_interval(same, len(pairs)),
        )  # fmt: skip
    return found
