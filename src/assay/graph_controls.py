"""Baselines for structural probes: chain graphs, permuted nodes, nonsense words, and control tasks.

Each maps graphs to graphs of the same sizes, so that any measure of the declared graphs applies to them.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import torch
from torch import Generator

from assay.graph import Edge, Graph
from assay.stats import keyed_generator

NEXT, CONTROL = "next", "control"
CONTENT_TAGS = ("NOUN", "PROPN", "VERB", "ADJ", "ADV")
"""Parts of speech of content words (the open classes without interjections), which are replaced."""

Replacement = Literal["words", "nonsense"]
HEAD_RULES = ("self", "first", "last")

_ONSETS = (*"bdfgklmnprtvz", "bl", "br", "dr", "fl", "gl", "gr", "kl", "pl", "pr", "sk", "sn", "tr")
_VOWELS = ("a", "e", "i", "o", "u", "ai", "oo")
_LETTERS_OF_VOWELS = ("", *"aeiouy")
_CODAS = (*"bdfgklmnptvx", "nd", "nk", "rk", "rm", "sk", "st")


def chain(graph: Graph) -> Graph:
    """Baseline of linear order: the head of every node is the one before it.

    Example::

        >>> from assay.graph_controls import chain
        >>> (graph,) = assay.load_task("treebank:en_nested").graphs("train", 1, generator=torch.Generator().manual_seed(1))
        >>> [(head, dependent) for head, dependent, _ in chain(graph).edges]
        [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 6), (6, 7), (7, 8), (8, 9), (9, 10)]
    """
    return replace(graph, edges=tuple((node, node + 1, NEXT) for node in range(len(graph) - 1)))


def permuted(graph: Graph, *, generator: Generator) -> Graph:
    """The same graph with its nodes permuted at random: shape and relations are kept, the assignment of words is not.

    Example::

        >>> from assay.graph_controls import permuted
        >>> (graph,) = assay.load_task("treebank:en_nested").graphs("train", 1, generator=torch.Generator().manual_seed(1))
        >>> other = permuted(graph, generator=torch.Generator().manual_seed(0))
        >>> graph.edges[0], other.edges[0]
        ((1, 0, 'det'), (0, 10, 'det'))
    """
    place = torch.randperm(len(graph), generator=generator).tolist()
    return replace(graph, edges=tuple((place[head], place[dependent], relation) for head, dependent, relation in graph.edges))


# Jabberwocky


def jabberwocky(graphs: Sequence[Graph], *, kind: Replacement, generator: Generator) -> tuple[Graph, ...]:
    """The same graphs over texts whose content words are replaced (Hall Maudslay and Cotterell 2021).

    **Arguments:**

    - `graphs`: with tags, by which content words are recognised.
    - `kind`: with `words`, the replacement is a word from another sentence with the same part of speech, ending and capitals;
      with `nonsense`, and where no such word is found, it is made up of syllables and keeps ending and capitals.
      Repetitions of a word in a sentence get the same replacement.

    Example::

        >>> from assay.graph_controls import jabberwocky
        >>> graphs = assay.load_task("treebank:en_nested").graphs("train", 3, generator=torch.Generator().manual_seed(1))
        >>> " ".join(graphs[0].words)
        'the lawyer that the driver beside the student likes walks .'
        >>> nonsense = jabberwocky(graphs, kind="nonsense", generator=torch.Generator().manual_seed(0))
        >>> " ".join(nonsense[0].words)
        'the kloxyer that the tever beside the koogutent dames triks .'
    """
    assert all(len(graph.tags) == len(graph.words) for graph in graphs), "parts of speech are needed"
    known = {word.lower() for graph in graphs for word in graph.words}
    pool: dict[tuple[str, str, str], list[tuple[int, str]]] = {}
    for number, graph in enumerate(graphs):
        for word, tag in zip(graph.words, graph.tags, strict=True):
            pool.setdefault(_kind_of(word, tag), []).append((number, word))
    found = []
    for number, graph in enumerate(graphs):
        new: dict[tuple[str, str], str] = {}
        for word, tag in zip(graph.words, graph.tags, strict=True):
            if tag not in CONTENT_TAGS or not any(character.isalpha() for character in word) or (word, tag) in new:
                continue
            others = pool[_kind_of(word, tag)] if kind == "words" else []
            mine = {own.lower() for own in graph.words}
            new[word, tag] = _drawn(others, number, mine, generator) or _made_up(word, known, generator)
        words = tuple(new.get(pair, pair[0]) for pair in zip(graph.words, graph.tags, strict=True))
        found.append(replace(graph, words=words, text=" ".join(words)))
    return tuple(found)


def _kind_of(word: str, tag: str) -> tuple[str, str, str]:
    return tag, _ending(word), _capitals(word)


def _ending(word: str) -> str:
    """The last letters, up to three in a long word, which in many languages mark number, tense and part of speech."""
    return word.lower()[len(word) - max(0, min(3, len(word) // 2)) :]


def _capitals(word: str) -> str:
    return "all" if len(word) > 1 and word.isupper() else "first" if word[:1].isupper() else "none"


def _drawn(others: Sequence[tuple[int, str]], number: int, mine: set[str], generator: Generator) -> str | None:
    """A word from another sentence that does not occur in this one; None after 20 misses."""
    for _ in range(20 if others else 0):
        sentence, word = others[int(torch.randint(len(others), (1,), generator=generator))]
        if sentence != number and word.lower() not in mine:
            return word
    return None


def _made_up(word: str, known: set[str], generator: Generator) -> str:
    """A word that occurs nowhere, with the ending and the capitals of the given one."""
    ending, syllables = _ending(word), 1 if len(word) < 7 else 2
    while True:
        made = "".join(_choice(_ONSETS, generator) + _choice(_VOWELS, generator) for _ in range(syllables))
        made += ending if ending[:1] not in _LETTERS_OF_VOWELS else _choice(_CODAS, generator) + ending
        if made not in known:
            return {"all": made.upper(), "first": made.capitalize(), "none": made}[_capitals(word)]
        syllables = 2


def _choice(options: Sequence[str], generator: Generator) -> str:
    return options[int(torch.randint(len(options), (1,), generator=generator))]


# Control tasks


def control_heads(graphs: Sequence[Graph], *, seed: int) -> tuple[tuple[int, ...], ...]:
    """The control task of heads (Hewitt and Liang 2019, section 2.2): for every node of every graph a head that depends on its
    word alone.

    Each word type gets one random rule for all texts: its head is itself, the first or the last node of the text. The accuracy
    of a probe on the declared heads minus that on these is its selectivity.

    Example::

        >>> from assay.graph_controls import control_heads
        >>> graphs = assay.load_task("treebank:en_nested").graphs("train", 3, generator=torch.Generator().manual_seed(1))
        >>> " ".join(graphs[0].words), control_heads(graphs, seed=0)[0]
        ('the lawyer that the driver beside the student likes walks .', (0, 1, 2, 0, 0, 10, 0, 0, 0, 0, 0))
    """
    rules: dict[str, str] = {}
    found = []
    for graph in graphs:
        heads = []
        for node, word in enumerate(_type_of(graph, node) for node in range(len(graph))):
            if word not in rules:
                rules[word] = _choice(HEAD_RULES, keyed_generator(seed, f"head of {word}"))
            heads.append({"self": node, "first": 0, "last": len(graph) - 1}[rules[word]])
        found.append(tuple(heads))
    return tuple(found)


def control_head_graphs(graphs: Sequence[Graph], *, seed: int) -> tuple[Graph, ...]:
    """Graphs of the heads given by `control_heads`; two nodes that are each other's heads have one edge."""
    changed = []
    for graph, heads in zip(graphs, control_heads(graphs, seed=seed), strict=True):
        edges = {frozenset((head, node)): (head, node, CONTROL) for node, head in enumerate(heads) if head != node}
        changed.append(replace(graph, edges=tuple(edges.values())))
    return tuple(changed)


def control_relations(graphs: Sequence[Graph], *, seed: int) -> tuple[Graph, ...]:
    """The control task of relations: the same edges, with relations that depend on the word of the dependent alone.

    Each word type gets one relation for all texts, drawn by how often relations occur (Hewitt and Liang 2019, section 2.1).

    Example::

        >>> from assay.graph_controls import control_relations
        >>> graphs = assay.load_task("treebank:en_nested").graphs("train", 3, generator=torch.Generator().manual_seed(1))
        >>> graphs[0].edges[:2], control_relations(graphs, seed=0)[0].edges[:2]
        (((1, 0, 'det'), (9, 1, 'nsubj')), ((1, 0, 'nsubj'), (9, 1, 'det')))
    """
    counts = Counter(relation for graph in graphs for relation in graph.relations)
    names = sorted(counts)
    shares = torch.tensor([float(counts[name]) for name in names])
    dealt: dict[str, str] = {}

    def relabelled(graph: Graph, edge: Edge) -> Edge:
        word = _type_of(graph, edge[1])
        if word not in dealt:
            dealt[word] = names[int(torch.multinomial(shares, 1, generator=keyed_generator(seed, f"relation of {word}")))]
        return edge[0], edge[1], dealt[word]

    return tuple(replace(graph, edges=tuple(relabelled(graph, edge) for edge in graph.edges)) for graph in graphs)


def _type_of(graph: Graph, node: int) -> str:
    return graph.words[graph.mentions[node][0]].lower()
