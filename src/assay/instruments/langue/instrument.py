"""Langue: how much of a network's relational structure follows from text alone?"""

import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from assay.encoding import encoder_of
from assay.encoding.scoring import ByteScorer, scorer_of
from assay.errors import AssayError
from assay.evidence import Effort, Measure
from assay.instrument import Instrument, NotEnough, Notes, Random, Reading, Readings, stage
from assay.instruments.langue import bits, figures, states, unlabelled
from assay.instruments.langue.drawn import LangueBudget, LangueDraw
from assay.instruments.langue.metrics import METRICS
from assay.instruments.langue.systems import COUNTS, FEWEST_WORDS, systems
from assay.instruments.langue.values import aligned, of_bits, of_copy, of_words
from assay.relations import GivesRelations, spelling_overlap, unit_vectors
from assay.relations.rsa import frequency_difference
from assay.stats import keyed_seed
from assay.subject import Subject
from assay.task import Task, TokenSequence
from assay.text import SHUFFLES, GivesCorpus, NGrams, Shuffler, Vocabulary, alternate_lines, ppmi_vectors
from assay.text.leftover import TokenRules
from assay.text.online import prequential_network

MORE = "give a longer text, with blanks between its words"
MOST_RULES = 1_000_000
"""Characters of training text for n-gram rules, equally many of each text."""

BUDGETS: Mapping[Effort, LangueBudget] = {
    "quick": LangueBudget(
        excerpts=12, size=400, words=200, each=4, draws=500, pair_draws=50, layers=4, match=False, reading=1e13
    ),
    "standard": LangueBudget(
        excerpts=40,
        size=800,
        words=400,
        each=8,
        draws=2_000,
        pair_draws=200,
        layers=8,
        match=True,
        sizes=(60, 120, 240),
        known=(0, 10),
        subsets=3,
        reading=4e13,
    ),
    "full": LangueBudget(
        excerpts=150,
        size=1_500,
        words=800,
        each=20,
        draws=10_000,
        pair_draws=500,
        layers=16,
        match=True,
        sizes=(60, 120, 240, 400),
        known=(0, 1, 2, 5, 10, 20),
        subsets=5,
        transport=True,
        online=1_000_000,
    ),
}


class Langue(Instrument[LangueDraw]):
    """Bits per byte of held-out text compared with n-grams, and relations between words compared with counts of the training
    text (Kozlowski 2026; Huh et al. 2024; Deletang et al. 2024). One null of relations permutes words of like frequency.

    **Arguments:** `budgets`: for each effort, numbers of texts and draws; `others`: further networks by name, such as one of
    another seed or one trained on the other half of the books, each with the task whose text it has read.

    Example::

        >>> from dataclasses import replace
        >>> from assay.instruments.langue import Langue
        >>> quick = replace(Langue().budgets["quick"], excerpts=4, words=60)
        >>> instrument = Langue(budgets={"quick": quick})  # for `assay.instrument.run` and `assay.audit`
        >>> instrument.name, instrument.budgets["quick"].copies
        ('langue', 5)
    """

    name = "langue"
    question = "How much of a language model's relational structure follows from text alone?"
    cites = ("kozlowski2026", "huh2024", "deletang2024")
    needs = (GivesCorpus,)
    metrics = METRICS
    long = True

    def __init__(
        self,
        *,
        budgets: Mapping[Effort, LangueBudget] = BUDGETS,
        others: Mapping[str, tuple[Subject, Task]] | None = None,
    ):
        self.budgets, self.others = budgets, dict(others or {})

    def data(self, subject: Subject, task: Task, budget: LangueBudget, rng: Random) -> LangueDraw:
        assert isinstance(task, GivesCorpus)
        corpus, seed = task.corpus(), keyed_seed(rng.seed, "langue")
        share = _share(subject, budget)
        given = task if isinstance(task, GivesRelations) else None
        spec = getattr(task, "input_spec", None)
        longest = spec.context if isinstance(spec, TokenSequence) else 10**6
        with stage("counting", 0.0, 0.6):
            train = sorted(corpus.train)
            whole = Vocabulary.of(train)
            wanted, each = whole.chosen(least=5, shortest=3).first(budget.words), max(2, int(budget.each * share))
            if len(wanted) < FEWEST_WORDS:
                raise NotEnough(
                    f"{len(wanted)} words of three letters or more occur five times, and {FEWEST_WORDS} are needed: {MORE}"
                )
            generator = np.random.default_rng(seed)
            # A task without an input specification is tokenised by the tokenizer beside the weights.
            encoder = encoder_of(subject, task if spec is not None else None, most_layers=budget.layers)
            drawn = states.contexts(corpus, wanted.words, each=each, longest=longest, generator=generator)
            graphs = states.readable(encoder, drawn)
            vocabulary = wanted.chosen(among=states.shown(graphs))
            if len(vocabulary) < FEWEST_WORDS:
                raise NotEnough(
                    f"{len(vocabulary)} of {len(wanted)} words have a context that can be read, and {FEWEST_WORDS} are needed"
                )
            chosen = bits.choose(corpus, num=max(6, int(budget.excerpts * share)), size=budget.size, generator=generator)
            if len(chosen) < 5:
                raise NotEnough(f"{len(chosen)} excerpts of {budget.size} characters are held out, and 5 are needed: {MORE}")
            shuffle = Shuffler(tuple(train), given.tags() if given else {})
            shuffled = {
                name: tuple(
                    one.shuffled(shuffle, name, generator=np.random.default_rng([seed, k])) for k, one in enumerate(chosen)
                )
                for name in SHUFFLES
            }
            frequent = whole.first(2_000)
            counted = unit_vectors(ppmi_vectors(train, frequent.words, seed=seed))
            excerpts = bits.prepared(chosen, ngrams=NGrams(train), vocabulary=whole, vectors=counted, shuffled=shuffled)
            imitated = bits.imitator(excerpts, [NGrams(half) for half in alternate_lines(train)])
            known = systems(train, vocabulary, given, others=self.others, each=each, layers=budget.layers, seed=seed)
        why, scorer, rules = "", None, TokenRules([])
        try:
            coded = scorer_of(subject, task)
            chosen[0]._replace(text=chosen[0].text[:200]).scored(coded)
            for one in (*chosen, *itertools.chain.from_iterable(shuffled.values())):
                coded.tokens(one.before + one.text)  # raises where the tokens do not decode to the text
            share_of_rules = MOST_RULES // len(train)  # a token is one character or more
            rules = TokenRules(np.concatenate([coded.tokens(text[:share_of_rules]) for text in train]))
            scorer = coded
        except AssayError as error:
            why = str(error)
        online = None
        if budget.online and isinstance(scorer, ByteScorer):
            with stage("learning online", 0.6, 1.0):
                fresh = subject.untrained(rng("online"))
                online = prequential_network(fresh.module, train, window=scorer.length, most=budget.online, seed=seed)
        return LangueDraw(
            budget=budget,
            corpus=corpus,
            scorer=scorer,
            why=why,
            encoder=encoder,
            excerpts=excerpts,
            rules=rules,
            imitated=imitated,
            vocabulary=vocabulary,
            graphs=graphs,
            systems=known,
            removed=[frequency_difference(np.array(vocabulary.counts)), spelling_overlap(vocabulary.words)],
            online=online,
            seed=seed,
            weights=subject.num_weights(),
        )

    def read(self, network: Subject, data: LangueDraw, rng: Random) -> Reading:
        values, read, why = [], None, ""
        if data.scorer is not None:
            with stage("coding excerpts", 0.0, 0.5):
                try:
                    read = bits.read(data.scorer.on(network), data.excerpts, data.rules)
                    values += of_bits(read, data)
                except AssayError as error:  # the network gives no probabilities
                    why = str(error)
        with stage("reading words", 0.5, 0.8):
            kept = aligned(network, data, draws=data.budget.draws)
            values += of_words(kept, data)
        with stage("matching words", 0.8, 1.0):
            counts, seed = data.systems.real[COUNTS], data.seed
            tables = [
                unlabelled.power(kept.vectors, counts, budget=data.budget, seed=seed),
                unlabelled.matched_groups(kept.vectors, data.systems, draws=data.budget.pair_draws, seed=seed),
            ]
        found = tuple(table for table in tables if table is not None)
        return Reading(values, kept._replace(read=read, why=why, tables=found))

    def read_copy(self, network: Subject, data: LangueDraw, own: Reading, rng: Random) -> Reading:
        """Values of a copy, without shuffles, whose null is their cost for an n-gram, and without permutations, since a copy is
        a null itself."""
        values = []
        if data.scorer is not None and own.kept.read is not None:
            values += of_bits(bits.read(data.scorer.on(network), data.excerpts, data.rules, shuffles=False), data)
        kept = aligned(network, data, draws=1)
        return Reading([*values, *of_copy(kept, data)], kept.aligned)

    def explain(self, data: LangueDraw, readings: Readings, measures: Sequence[Measure]) -> Notes:
        return figures.notes(data, readings, measures)


def _share(subject: Subject, budget: LangueBudget) -> float:
    """The share of the budget's excerpts and contexts that the limit on reading allows for a network of this size."""
    tokens = (
        budget.excerpts * (budget.size + bits.MOST_BEFORE) / 4 * (len(SHUFFLES) / (1 + budget.copies) + 1)
        + budget.words * budget.each * 8
    )
    cost = subject.num_weights() * tokens * (1 + budget.copies)
    return 1.0 if budget.reading is None else min(1.0, budget.reading / cost)
