"""Systems of relations that a network's words are compared with: counts, other networks, dictionaries, human ratings, and
nulls."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from assay.encoding import encoder_of
from assay.errors import AssayError
from assay.instruments.langue import states
from assay.relations import GivesRelations, cosine, mutual_neighbours, same_stem
from assay.relations.categories import clusters
from assay.stats import MIN_UNITS
from assay.subject import Subject
from assay.task import Task, TokenSequence
from assay.text import GivesCorpus, Shuffler, Vocabulary, ppmi_vectors, reordered
from assay.text.word_counts import shared_words

NEAREST = 10
FEWEST_WORDS = 3 * NEAREST
FEWEST_PAIRS = 20
NUM_GROUPS = 10
COUNTS, CONTENT, RANDOM = "counts of the text", "counts, content words", "random vectors"
UNORDERED = "counts of all words shuffled"
SHUFFLED = {f"counts of shuffled {name}": name for name in ("words in sentences", "sentences")}
_TAGS = frozenset({"NOUN", "PROPN", "VERB", "ADJ", "ADV"})
Pairs = tuple[Int[np.ndarray, "p 2"], Float[np.ndarray, " p"]]


class Systems(NamedTuple):
    """All systems, over the words of one vocabulary.

    **Attributes:**

    - `real`: by name counts of the text, counts of content words where the task knows tags, relations that the task provides,
      and other networks.
    - `nulls`: by name counts of the same text with all its words permuted, which preserves frequencies; with words permuted
      within sentences, or sentences permuted; and random vectors.
    - `apart`, `stems`: counts without pairs of one stem, and these pairs.
    - `ratings`: by name rated pairs of words, as rows.
    - `analogies`: questions whose four words are known.
    - `groups`: by name the words that have one, as rows, and their group.
    - `left_out`: sentences on what was not compared, and why.
    """

    real: Mapping[str, states.System]
    nulls: Mapping[str, states.System]
    apart: states.System
    stems: Bool[np.ndarray, "n n"]
    ratings: Mapping[str, Pairs]
    analogies: Sequence[tuple[str, str, str, str]]
    groups: Mapping[str, tuple[Int[np.ndarray, " m"], Int[np.ndarray, " m"]]]
    left_out: tuple[str, ...]


def systems(
    train: Sequence[str],
    vocabulary: Vocabulary,
    given: GivesRelations | None,
    *,
    others: Mapping[str, tuple[Subject, Task]],
    each: int,
    layers: int,
    seed: int,
) -> Systems:
    """All systems to compare words with. `each`, `layers`: contexts of a word, and layers, of the `others`."""
    every, stems = np.arange(len(vocabulary)), same_stem(vocabulary.words)
    vectors = ppmi_vectors(train, vocabulary.words, seed=seed)
    real = {COUNTS: states.system(every, cosine(vectors), NEAREST, vectors=vectors)}
    left_out, tags = [], given.tags() if given else {}
    content = np.array([k for k, word in enumerate(vocabulary.words) if tags.get(word) in _TAGS], dtype=np.int64)
    if FEWEST_WORDS <= len(content) < len(every):
        real[CONTENT] = states.system(content, cosine(vectors[content]), NEAREST, vectors=vectors[content])
    for name, (known, likeness) in given.relations(vocabulary.words).items() if given else ():
        if len(known) >= FEWEST_WORDS:
            real[name] = states.system(np.array([vocabulary.place[word] for word in known]), likeness, NEAREST)
        else:
            left_out.append(f"Agreement with {name}: it knows {len(known)} of the words, and {FEWEST_WORDS} are needed.")
    for name, (subject, task) in others.items():
        if name in (*real, *SHUFFLED, CONTENT, UNORDERED, RANDOM, "apart"):
            raise AssayError("another network needs a name of its own", given=name, next_step="choose another name")
        real[name] = _of_network(name, subject, task, vocabulary, real[COUNTS], each=each, layers=layers, seed=seed)
    shuffler, moved = Shuffler(tuple(train)), reordered(train, generator=np.random.default_rng(seed))
    nulls = {UNORDERED: _counted(moved, vocabulary, seed)}
    for name, shuffle in SHUFFLED.items():
        generator = np.random.default_rng(seed)
        nulls[name] = _counted([shuffler(text, shuffle, generator=generator) for text in train], vocabulary, seed)
    noise = np.random.default_rng(seed).normal(size=vectors.shape)
    nulls[RANDOM] = states.system(every, cosine(noise), NEAREST, vectors=noise)
    ratings, few = _ratings(vocabulary, given)
    questions = list(given.analogies()) if given else []
    analogies = [question for question in questions if all(word in vocabulary.place for word in question)]
    if questions and (pairs := len({question[2:] for question in analogies})) < MIN_UNITS:
        few.append(f"Analogies: {pairs} test pairs have all their words in the vocabulary, and {MIN_UNITS} are needed.")
        analogies = []
    groups = {COUNTS: (every, clusters(vectors, NUM_GROUPS, seed=seed))}
    for name, found in given.classes(vocabulary.words).items() if given else ():
        rows = np.array([vocabulary.place[word] for word in found], dtype=np.int64)
        names = sorted(set(found.values()))
        if len(rows) >= FEWEST_WORDS and len(names) >= 3:
            groups[name] = rows, np.array([names.index(group) for group in found.values()])
    return Systems(
        real=real,
        nulls=nulls,
        apart=states.system(every, cosine(vectors), NEAREST, without=stems),
        stems=stems,
        ratings=ratings,
        analogies=analogies,
        groups=groups,
        left_out=(*left_out, *few),
    )


def _counted(texts: Sequence[str], vocabulary: Vocabulary, seed: int) -> states.System:
    vectors = ppmi_vectors(texts, vocabulary.words, seed=seed)
    return states.system(np.arange(len(vocabulary)), cosine(vectors), NEAREST, vectors=vectors)


def _of_network(
    name: str,
    subject: Subject,
    task: Task,
    vocabulary: Vocabulary,
    counts: states.System,
    *,
    each: int,
    layers: int,
    seed: int,
) -> states.System:
    """Another network's states of the words that its own text shares, at the layer that agrees best with counts, and the
    neighbours at its other layers.

    **Raises:** `AssayError` where the two texts share too few words, and for a task without a corpus."""
    if not isinstance(task, GivesCorpus):
        raise AssayError("a network is compared by a task that has a corpus", given=f"{name}: {task.address}")
    often = Vocabulary.of(sorted(task.corpus().train)).chosen(least=2).words
    words = shared_words(vocabulary.words, often, least=FEWEST_WORDS, what=f"the text and that of {name}")
    spec = getattr(task, "input_spec", None)
    longest = spec.context if isinstance(spec, TokenSequence) else 10**6
    encoder = encoder_of(subject, task if spec is not None else None, most_layers=layers)
    # It gets contexts of its own even from the same text: reading the same sentences would make two networks agree.
    generator = np.random.default_rng([seed, len(words)])
    drawn = states.contexts(task.corpus(), words, each=each, longest=longest, generator=generator)
    graphs = states.readable(encoder, drawn)
    read = shared_words(
        words, states.shown(graphs), least=FEWEST_WORDS, what=f"the words and the contexts that {name} can read"
    )
    found = states.vectors(encoder, graphs, read)
    rows = np.array([vocabulary.place[word] for word in read])
    near = states.system(rows, counts.likeness[np.ix_(rows, rows)], NEAREST).near
    each_layer = {layer: states.system(rows, cosine(vectors), NEAREST, vectors=vectors) for layer, vectors in found.items()}
    best = max(each_layer, key=lambda layer: float(mutual_neighbours(each_layer[layer].near, near).mean()))
    return each_layer[best]._replace(further=tuple(one.near for layer, one in each_layer.items() if layer != best))


def _ratings(vocabulary: Vocabulary, given: GivesRelations | None) -> tuple[dict[str, Pairs], list[str]]:
    """Rated pairs whose words are both compared, and a sentence where there are too few."""
    found, few = {}, []
    for name, pairs in given.ratings().items() if given else ():
        known = [pair for pair in pairs if pair[0] in vocabulary.place and pair[1] in vocabulary.place and pair[0] != pair[1]]
        if len(known) >= FEWEST_PAIRS:
            places = np.array([[vocabulary.place[pair[0]], vocabulary.place[pair[1]]] for pair in known])
            found[name] = places, np.array([pair[2] for pair in known])
        else:
            few.append(f"Ratings of {name}: {len(known)} pairs have both words here, and {FEWEST_PAIRS} are needed.")
    return found, few
