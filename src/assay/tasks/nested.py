"""English sentences with subject-verb agreement over increasing distances, as a test of the use of syntax.

Families after Diego-Simon, Chemla, King and Lakretz 2025 (arXiv 2508.03211): short, with a relative clause, long and nested,
and one with a prepositional phrase between. Their sentences are not published; templates and words here are ours.
"""

from dataclasses import dataclass

import torch
from torch import Generator

from assay.graph import Continuation, tree

NOUNS = (
    "farmer",
    "teacher",
    "driver",
    "singer",
    "lawyer",
    "doctor",
    "student",
    "neighbor",
    "soldier",
    "writer",
    "banker",
    "baker",
)
MAIN_VERBS = ("laugh", "talk", "work", "wait", "sleep", "sing", "walk", "travel", "smile", "read")
INNER_VERBS = ("know", "love", "like", "need", "help", "see", "hate", "follow", "remember", "trust")
PREPOSITIONS = ("near", "behind", "beside", "with", "opposite")
WORD_OF = {"det": "DET", "noun": "NOUN", "adp": "ADP", "pron": "PRON", "verb": "VERB", "inner": "VERB", "punct": "PUNCT"}


@dataclass(frozen=True)
class Template:
    """A sentence template. `slots`: the kind of word at each position; a noun's number is random, a verb agrees with the noun
    named in `agrees`.

    Heads count from 0, -1 is the root; the first noun is the subject of the main verb.
    """

    name: str
    slots: tuple[str, ...]
    head: tuple[int, ...]
    relation: tuple[str, ...]
    agrees: dict[int, int]

    @property
    def nouns(self) -> tuple[int, ...]:
        return tuple(place for place, slot in enumerate(self.slots) if slot == "noun")


FAMILIES = (
    Template("short", ("det", "noun", "verb", "punct"), (1, 2, -1, 2), ("det", "nsubj", "root", "punct"), {2: 1}),
    Template(  # the farmers near the driver laugh .
        "interposed",
        ("det", "noun", "adp", "det", "noun", "verb", "punct"),
        (1, 5, 4, 4, 1, -1, 5),
        ("det", "nsubj", "case", "det", "nmod", "root", "punct"),
        {5: 1},
    ),
    Template(  # the farmers that the driver knows laugh .
        "relative",
        ("det", "noun", "pron", "det", "noun", "inner", "verb", "punct"),
        (1, 6, 5, 4, 5, 1, -1, 6),
        ("det", "nsubj", "obj", "det", "nsubj", "acl:relcl", "root", "punct"),
        {5: 4, 6: 1},
    ),
    Template(  # the farmers that the driver near the singers knows laugh .
        "nested",
        ("det", "noun", "pron", "det", "noun", "adp", "det", "noun", "inner", "verb", "punct"),
        (1, 9, 8, 4, 8, 7, 7, 4, 1, -1, 9),
        ("det", "nsubj", "obj", "det", "nsubj", "case", "det", "nmod", "acl:relcl", "root", "punct"),
        {8: 4, 9: 1},
    ),
)


def nested_sentences(n: int, *, generator: Generator) -> tuple[Continuation, ...]:
    """At most `n` different sentences, cycling through families and, within each, through all numbers of its nouns.

    The main verb is predicted in every sentence. All nouns between it and its subject have one number, so that they pull in the
    same direction.

    Example::

        >>> from assay.tasks.nested import nested_sentences
        >>> sentences = nested_sentences(8, generator=torch.Generator().manual_seed(0))
        >>> [(one.family, " ".join(one.graph.words)) for one in sentences[:2]]
        [('short', 'the soldier walks .'), ('interposed', 'the farmer opposite the student sleeps .')]
    """
    found: dict[tuple[str, ...], Continuation] = {}
    for turn in range(4 * n):  # there are few short sentences, so some are drawn twice
        if len(found) == n:
            break
        family = FAMILIES[turn % len(FAMILIES)]
        numbers = divmod(turn // len(FAMILIES), 2)
        made = _filled(family, subject_many=bool(numbers[1]), between_many=bool(numbers[0] % 2), generator=generator)
        found.setdefault(made.graph.words, made)
    return tuple(found.values())


def _filled(family: Template, *, subject_many: bool, between_many: bool, generator: Generator) -> Continuation:
    subject, *between = family.nouns
    many = {subject: subject_many, **dict.fromkeys(between, between_many)}
    order = torch.randperm(len(NOUNS), generator=generator).tolist()
    nouns = {place: NOUNS[row] for place, row in zip(family.nouns, order, strict=False)}
    lists = {"verb": MAIN_VERBS, "inner": INNER_VERBS, "adp": PREPOSITIONS}
    words, main = [], family.slots.index("verb")
    for place, slot in enumerate(family.slots):
        if slot == "noun":
            words.append(nouns[place] + "s" * many[place])
        elif slot in lists:
            word = lists[slot][int(torch.randint(len(lists[slot]), (1,), generator=generator))]
            words.append(word + "s" * (place in family.agrees and not many[family.agrees[place]]))
        else:
            words.append({"det": "the", "pron": "that", "punct": "."}[slot])
    right = words[main]
    graph = tree(
        words,
        family.head,
        relation=family.relation,
        punctuation=[slot == "punct" for slot in family.slots],
        tags=[WORD_OF[slot] for slot in family.slots],
        sentence_id=family.name,
    )
    return Continuation(
        graph=graph,
        place=main,
        right=right,
        wrong=right.removesuffix("s") if not subject_many else right + "s",
        decides=subject,
        family=family.name,
        attractor="none" if not between else "same" if subject_many == between_many else "other",
    )
