"""Langue on small texts: what a model has learned of them is found, what one that read noise has is not, and pieces by hand."""

import dataclasses
import functools
from types import SimpleNamespace

import numpy as np
import pytest
import small_texts
import torch

import assay
from assay.encoding import encoder_of
from assay.errors import AssayError
from assay.evidence import UNTRAINED, Interval, Null
from assay.figure import ITSELF
from assay.instrument import run
from assay.instruments.langue import Langue, figures, instrument, states
from assay.instruments.langue.instrument import BUDGETS
from assay.instruments.langue.metrics import IMITATOR, MATCHED, NGRAM
from assay.instruments.langue.systems import CONTENT, COUNTS, RANDOM, SHUFFLED, UNORDERED
from assay.relations import cosine, debiased_cka, mutual_neighbours, nearest, rsa
from assay.report.page import report_html
from assay.report.tables import as_table
from assay.subject import Subject
from assay.text import END, Corpus, NGrams, Vocabulary, ppmi_vectors

pytestmark = pytest.mark.slow
SIZES = {"excerpts": 6, "size": 150, "words": 48, "each": 3, "draws": 100, "pair_draws": 20}


SMALL = dataclasses.replace(BUDGETS["quick"], **SIZES)


def measured_on(subject, task=None, others=None, **sizes):
    budget = dataclasses.replace(SMALL, **sizes)
    return run(
        Langue(budgets={"quick": budget}, others=others), subject, task or small_texts.SmallTexts(), effort="quick", seed=0
    )


@functools.cache
def measured(name: str):
    subject = small_texts.learned() if name == "learned" else small_texts.trained_on_noise(None, 1)[0]
    return measured_on(subject, match=True, sizes=(12, 30), known=(0, 4), subsets=2, transport=True, online=3_000)


def counted() -> tuple[tuple[str, ...], np.ndarray]:
    """Words of the small texts, and vectors counted in texts of the same grammar that nobody else has read."""
    train = sorted(small_texts.SmallTexts().corpus().train)
    words = Vocabulary.of(train).chosen(least=5, shortest=3).words
    fresh = [small_texts.document(1_000 + k, small_texts.LINES) for k in range(small_texts.DOCUMENTS)]
    return words, ppmi_vectors(fresh, words, seed=1, dimensions=16)


def test_a_model_that_has_read_the_texts_takes_fewer_bits_and_pays_for_shuffles():
    learned, noise = measured("learned"), measured("noise")
    assert learned.measure("bits").value < 0.6 * noise.measure("bits").value
    assert MATCHED in {null.name for null in learned.measure("neighbours", system=COUNTS).nulls}
    cost, null = learned.measure("cost", shuffle="words in sentences"), noise.measure("cost", shuffle="words in sentences")
    assert cost.value > null.value + 0.3


def test_relations_of_the_text_are_found_where_they_are_planted_and_not_where_they_are_given_to_other_words():
    words, vectors = counted()
    planted = measured_on(small_texts.tabled(words, vectors))
    order = np.random.default_rng(0).permutation(len(words))
    scrambled = measured_on(small_texts.tabled(words, vectors[order]))
    assert [(one.key, one.about["system"]) for one in planted.findings()] == [("neighbours", COUNTS)]
    assert not scrambled.findings()
    assert "counts of the text, more than words of like frequency" in planted.summary
    assert "and more than its untrained copies do (" in planted.summary
    assert "counts of the text, no more than words of like frequency" in scrambled.summary
    assert "and no more than its untrained copies do (" in scrambled.summary
    groups = planted.measure("groups", groups="grammar"), scrambled.measure("groups", groups="grammar")
    assert groups[0].interval.low > 0.1 > groups[1].interval.low
    assert planted.measure("rsa").interval.low > 0 > scrambled.measure("rsa").interval.low
    for name in (*SHUFFLED, RANDOM):
        nothing = planted.measure("neighbours_null", system=name)
        assert not nothing.headline
        assert MATCHED in {null.name for null in nothing.nulls}
    unordered = planted.measure("neighbours_null", system=UNORDERED)
    assert unordered.value < planted.measure("neighbours", system=COUNTS).value
    assert next(null.p for null in unordered.nulls if null.name == MATCHED) > 0.05
    words_moved, sentences_moved = (planted.measure("neighbours_null", system=name).value for name in SHUFFLED)
    assert words_moved < 0.25 < sentences_moved  # within a sentence the second is the text itself


def test_untrained_copies_that_agree_as_much_are_named_in_the_summary():
    words, vectors = counted()
    planted = small_texts.tabled(words, vectors)

    def fresh(generator: torch.Generator) -> torch.nn.Module:
        # The vectors of the network but for a little noise: what it shares with counts is not learned.
        noise = 0.01 * torch.randn(vectors.shape, generator=generator)
        return small_texts.Tabled(words, torch.from_numpy(vectors) + noise * vectors.std()).eval()

    alike = measured_on(Subject(planted.module, name="tabled", fresh=fresh))
    null = next(null for null in alike.measure("neighbours", system=COUNTS).nulls if null.name == UNTRAINED)
    assert null.p > 0.05
    assert f", but no more than its untrained copies do ({null.mean:.3f})" in alike.summary


def test_another_network_is_a_system_and_its_text_must_share_words():
    words, vectors = counted()
    task, subject = small_texts.SmallTexts(), small_texts.tabled(words, vectors)
    noise = np.random.default_rng(5).normal(size=vectors.shape)
    others = {"itself": (subject, task), "a stranger": (small_texts.tabled(words, noise), task)}
    evidence = measured_on(subject, others=others)
    assert evidence.measure("neighbours", system="itself").value == 1
    assert evidence.measure("neighbours", system="a stranger").nulls[-1].p > 0.05
    with pytest.raises(AssayError, match="do not overlap"):
        measured_on(subject, others={"numbers": (subject, Strangers())})
    with pytest.raises(AssayError, match="a name of its own"):
        measured_on(subject, others={COUNTS: (subject, task)})


class Before(small_texts.Tabled):
    """A network whose state at a word is that of the word before it: it knows contexts and no word."""

    def forward(self, tokens):
        rows = torch.zeros_like(tokens)
        for k, text in enumerate(tokens.tolist()):
            word, before = b"", 0
            for place, byte in enumerate(text):
                if byte < END and chr(byte).isalpha():
                    word += bytes([byte])
                else:
                    before, word = self.rows.get(word.lower(), before), b""
                rows[k, place] = before
        return self.head(self.state(rows))


def test_another_network_is_read_in_contexts_of_its_own():
    """Or two that read the same sentences of one text would agree on all words, whatever they know."""
    words, vectors = counted()
    table = torch.from_numpy(np.random.default_rng(0).normal(size=vectors.shape))
    subject = Subject(Before(words, table).eval(), name="before", fresh=lambda generator: Before(words, table).eval())
    evidence = measured_on(subject, others={"itself": (subject, small_texts.SmallTexts())})
    assert evidence.measure("neighbours", system="itself").value < 0.8


class Strangers(small_texts.SmallTexts):
    """Texts with none of the words."""

    def corpus(self):
        return Corpus("strangers", ("uno due tre\nquattro cinque sei\n" * 9,), ("uno due tre\n",))


class KnownNouns(small_texts.SmallTexts):
    """A dictionary with too few of the words, ratings with too few pairs, and analogies."""

    def relations(self, words):
        return {"a small dictionary": (list(words[:5]), np.eye(5))}

    def ratings(self):
        return {"three pairs": [("cat", "dog", 1.0), ("cow", "horse", 0.9), ("cat", "barn", 0.1)]}

    def analogies(self):
        animals, places = small_texts.CLASSES["animal"], small_texts.CLASSES["place"]
        pairs = list(zip(animals, places, strict=True))
        return [(*one, *other) for one in pairs for other in pairs if one != other] + [("no", "such", "words", "here")]


def test_what_cannot_be_compared_is_said_and_analogies_are_answered_where_an_offset_is_planted():
    words, vectors = counted()
    vectors = vectors + 0.2 * np.random.default_rng(0).normal(size=vectors.shape)
    pairs = zip(small_texts.CLASSES["animal"], small_texts.CLASSES["place"], strict=True)
    for animal, place in pairs:
        vectors[words.index(place)] = vectors[words.index(animal)] + 0.15
    evidence = measured_on(small_texts.tabled(words, vectors), KnownNouns())
    left_out, among = (evidence.measure("analogies", **{"given words": name}) for name in ("left out", "among the answers"))
    assert left_out.units >= 8
    assert left_out.value >= among.value > 0.8
    assert max(max(null.values) for null in left_out.nulls) < 0.5
    assert all(null.p <= 0.05 for null in left_out.nulls)
    told = " ".join(evidence.not_tested)
    assert "Agreement with a small dictionary: it knows 5 of the words, and 30 are needed." in told
    assert "Ratings of three pairs:" in told
    assert "pairs have both words here, and 20 are needed." in told


def test_all_systems_stand_beside_each_other():
    words, vectors = counted()
    task, subject = small_texts.SmallTexts(), small_texts.tabled(words, vectors)
    evidence = measured_on(subject, others={"another": (subject, task)})
    (matrix,) = [figure for figure in evidence.figures if figure.kind == "matrix"]
    assert all(row[2:] == ("", ITSELF) for row in as_table(matrix).rows if row[0].partition(" ")[0] == row[1])
    names = [row.partition(" ")[2] for row in matrix.rows]
    assert names == ["the network", COUNTS, "another", UNORDERED, *SHUFFLED, RANDOM]
    assert matrix.columns == tuple("1234567")
    values = dict(zip(names, matrix.values[0], strict=True))
    assert values["the network"] is None
    assert values[COUNTS] == pytest.approx(evidence.measure("neighbours", system=COUNTS).value)
    assert values["another"] == 1
    null = next(null for null in evidence.measure("neighbours", system=COUNTS).nulls if null.name == MATCHED)
    assert matrix.values[1][0] == pytest.approx(null.mean, abs=0.02)
    # The null of the matrix chooses the layer too, and where another network chose one there is no p.
    assert f"beside {null.mean:.3f} for words of like frequency, p {null.p:.3f}" in matrix.notes[0][1]
    assert matrix.values[1][0] == pytest.approx(null.mean)
    assert matrix.values[names.index(COUNTS)][names.index(RANDOM)] < 0.3


def test_content_words_are_compared_among_themselves():
    words, vectors = counted()
    evidence = measured_on(small_texts.tabled(words, vectors), Tagged())
    shown = {*words[: SIZES["words"]]} - {"all", "them"}
    whole, content = (evidence.measure("neighbours", system=name) for name in (COUNTS, CONTENT))
    assert content.units == len([word for word in shown if Tagged().tags().get(word) == "NOUN"]) < whole.units
    assert {null.name for null in content.nulls} == {null.name for null in whole.nulls}


class Tagged(small_texts.SmallTexts):
    """All but actions are content words."""

    def tags(self):
        return {word: "AUX" if kind == "action" else "NOUN" for kind, some in small_texts.CLASSES.items() for word in some}


def test_words_whose_contexts_cannot_be_read_are_left_out():
    """A tokenizer that drops a word refuses all contexts that hold it; the word would have the mean of all words' vectors."""
    words, vectors = counted()
    subject, whole = small_texts.tabled(words, vectors), small_texts.SmallTexts()
    evidence = measured_on(subject, Dropping())
    assert evidence.settings["words"] == measured_on(subject, whole).settings["words"] - 1
    graphs = states.contexts(whole.corpus(), ["cat"], each=2, longest=31, generator=np.random.default_rng(0))
    with pytest.raises(AssayError, match="2 of 3 words have none, such as 'unicorn'"):
        states.vectors(encoder_of(subject, whole), graphs, ["cat", "unicorn", "griffin"])
    none = measured_on(subject, Dropping(dropped=("near", "saw", "a")))
    assert not none.measures
    assert none.not_enough.startswith("no context can be read, of 72: ")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Dropping(small_texts.SmallTexts):
    """Words that have no token."""

    dropped: tuple[str, ...] = ("cat",)

    def feed(self, graphs):
        fed = super().feed(graphs)
        for row, graph in enumerate(graphs):
            for number, word in enumerate(graph.words):
                if word in self.dropped:
                    fed.places[row, number] = -1
        return fed


def test_every_number_has_the_nulls_that_it_never_goes_without():
    evidence = measured("learned")
    assert {null.name for null in evidence.measure("saved").nulls} >= {NGRAM, "untrained copies"}
    assert {null.name for null in evidence.measure("gain").nulls} >= {IMITATOR, "untrained copies"}
    left = evidence.measure("left")
    assert left.interval.low <= left.value <= left.interval.high
    assert [null.name for null in left.nulls][-1] == IMITATOR
    assert not measured("noise").findings()


def test_figures_hold_the_ladder_and_the_alignments():
    evidence = measured("learned")
    tables = {figure.name: figure for figure in evidence.figures}
    ladder = {row[0]: row[1] for row in tables["Ladder of bits"].rows}
    assert ladder["the network"] == pytest.approx(evidence.measure("bits").value)
    assert ladder["the network and its weights"] > ladder["the network"]
    assert {"gzip", "xz, primed", "n-grams, order 6", "the network: like words"} <= ladder.keys()
    assert ladder["n-grams, order 4, prequential"] < ladder["an untrained copy, prequential"] < 8.5
    assert all(None not in row for row in tables["Ladder of bits"].rows)
    shares = {row[0]: row[2] for row in tables["Ladder of bits"].rows}
    assert [row[0].partition(" ")[0] for row in tables["Ladder of bits"].rows[-5:]] == ["left"] * 3 + ["given"] * 2
    assert shares["left after frequency, n-gram and context"] == pytest.approx(evidence.measure("left").value)
    said = evidence.measure("rules", rule="the longest known context")
    assert shares["given by the longest known context"] == pytest.approx(said.value)
    assert {null.name for null in said.nulls} == {"the text itself", "untrained copies"}
    nulls = [UNORDERED, *SHUFFLED, RANDOM]
    assert [row[0] for row in tables["Alignment with other systems"].rows] == [COUNTS, "counts, other stems", *nulls]
    rows = tables["Words matched without labels"].rows
    assert [row[:3] for row in rows[:4]] == [("FAQ", 12, 0), ("FAQ", 12, 4), ("FAQ", 30, 0), ("FAQ", 30, 4)]
    assert [row[:3] for row in rows[4:]] == [("transport", 12, 0), ("transport", 30, 0)]
    assert all(row[4] <= row[3] <= row[5] for row in rows)
    assert [row[0] for row in tables["Groups matched without labels"].rows] == [COUNTS, "grammar"]
    assert evidence.measure("matched").about["outcome"] in ("recovered", "in part", "solver failed", "below power")
    assert "bits per byte" in evidence.summary


def test_a_model_that_can_only_be_read_says_why_it_has_no_bits():
    """Without bytes as tokens, and without a tokenizer: nothing can be coded."""
    task = dataclasses.replace(small_texts.SmallTexts(), scored=False)
    with pytest.raises(AssayError, match="words need a tokenizer"):
        run(Langue(), small_texts.learned(), task, effort="quick")


class Broken(small_texts.Tabled):
    """A network whose logits of `e` are a number that no probability has."""

    value = float("nan")

    def forward(self, tokens):
        logits = super().forward(tokens).clone()
        logits[..., ord("e")] = self.value
        return logits


@pytest.mark.parametrize(("value", "told"), [(float("nan"), "no number"), (-float("inf"), "no probability at all")])
def test_a_network_that_gives_no_probability_has_relations_and_no_bits(value, told):
    words, vectors = counted()

    def made(table):
        module = Broken(words, table).eval()
        module.value = value
        return module

    fresh = lambda generator: made(torch.randn(vectors.shape, generator=generator))  # noqa: E731
    evidence = measured_on(Subject(made(torch.from_numpy(vectors)), name="broken", fresh=fresh))
    assert not [one for one in evidence.measures if one.key in ("bits", "saved", "gain", "left", "rules", "cost")]
    assert "Bits: a model must give a probability to every token that occurs" in evidence.not_tested[0]
    assert told in evidence.not_tested[0]
    assert evidence.measure("neighbours", system=COUNTS).value > 0.3


@dataclasses.dataclass(frozen=True, kw_only=True)
class HeldOut(small_texts.SmallTexts):
    """The grammar's texts to learn from, another text held out."""

    held: str = ""

    def corpus(self):
        return Corpus("<script>alert(1)</script>", super().corpus().train, (self.held,))


@pytest.mark.parametrize("held", ["1234 " * 400, "abcdef" * 400, "cat " * 400])
def test_excerpts_without_words_are_no_imitation(held):
    words, vectors = counted()
    evidence = measured_on(small_texts.tabled(words, vectors), HeldOut(held=held))
    for key in ("gain", "left"):
        assert evidence.measure(key).value is None
        assert "different words, and 30 are needed" in evidence.measure(key).note
    assert "imitates" not in evidence.summary
    assert "variance" not in evidence.summary


def test_bits_that_an_untrained_copy_saves_too_are_told_so():
    """Of signs that the text to learn from has nowhere the uniform distribution beats every n-gram."""
    words, vectors = counted()
    evidence = measured_on(small_texts.tabled(words, vectors), HeldOut(held="\N{GRINNING FACE} " * 400))
    assert evidence.measure("saved").interval.low > 0
    assert " fewer than under the best n-gram, as untrained copies do." in evidence.summary


@pytest.mark.parametrize("pseudo", [False, True])
def test_ngrams_as_the_network_imitate_themselves_and_pseudo_bits_are_held_against_none(monkeypatch, pseudo):
    words, vectors = counted()
    model = NGrams(sorted(small_texts.SmallTexts().corpus().train))
    subject = small_texts.tabled(words, vectors)
    monkeypatch.setattr(instrument, "scorer_of", lambda subject, task: small_texts.Counting(model, 5, pseudo))
    evidence = measured_on(subject)
    assert evidence.settings["n-gram order"] == 5
    assert evidence.measure("left").value < 1e-6
    assert "unexplained, so that it imitates them" in evidence.summary
    assert ("the best n-gram" in evidence.summary) != pseudo
    assert (" pseudo-bits per byte. " in evidence.summary) == pseudo
    for key in ("saved", "gain"):
        measure = evidence.measure(key)
        assert (measure.value is None) == pseudo
        assert ("pseudo-bits" in measure.note) == pseudo
    assert not {"saved", "gain"} & {one.key for one in evidence.findings()}


def test_a_gain_that_an_ngram_of_half_the_text_has_too_is_told_so():
    def measure(p):
        beaten = Null(name=UNTRAINED, how="", values=(0.0,), p=0.01)
        null = dataclasses.replace(beaten, name=IMITATOR, p=p)
        made = measured("learned").measure("gain")
        return dataclasses.replace(
            made, value=0.2, interval=Interval(low=0.1, high=0.3, level=0.95, method=""), nulls=(beaten, null)
        )

    kept = SimpleNamespace(aligned={COUNTS: SimpleNamespace(best=SimpleNamespace(value=0.1, mean=0.1, p=0.5))})
    told = [figures._sentence({("gain",): measure(p)}, kept) for p in (0.3, 0.01)]
    assert "the network saves further bits, but no more than an n-gram of half the text would." in told[0]
    assert "the network saves further bits." in told[1]


def test_few_words_are_counted_and_names_are_text():
    words, vectors = counted()
    subject, task = small_texts.tabled(words, vectors), HeldOut(held=small_texts.document(1, 60))
    few = measured_on(subject, Few())
    assert (
        few.not_enough
        == "3 words of three letters or more occur five times, and 30 are needed: give a longer text, with blanks between its "
        "words"
    )
    name = "<script>alert(1)</script>"
    audit = assay.audit(
        subject, task, instruments=[Langue(budgets={"quick": SMALL}, others={name: (subject, task)})], effort="quick"
    )
    assert name not in report_html(audit)
    assert "&lt;script&gt;alert(1)" in report_html(audit)


class Few(small_texts.SmallTexts):
    """Three words."""

    def corpus(self):
        return Corpus("few", ("cat dog\ncow cat\n" * 30,), ("cat dog\n" * 60,))


# A model of transformers in a folder


def folder(path, *, lower: bool = False):
    """A causal model of one layer that has read nothing, and a tokenizer of bytes."""
    transformers = pytest.importorskip("transformers")
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

    vocab = {letter: k for k, letter in enumerate(["<|endoftext|>", *sorted(pre_tokenizers.ByteLevel.alphabet())])}
    made = Tokenizer(models.BPE(vocab=vocab, merges=[]))
    made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    if lower:
        made.normalizer = normalizers.Lowercase()
    cut = transformers.PreTrainedTokenizerFast(tokenizer_object=made, eos_token="<|endoftext|>", pad_token="<|endoftext|>")
    sizes = {"n_positions": 512, "n_embd": 16, "n_layer": 1, "n_head": 2}
    config = transformers.GPT2Config(vocab_size=len(vocab), bos_token_id=0, eos_token_id=0, **sizes)
    transformers.GPT2LMHeadModel(config).save_pretrained(path / "model")
    cut.save_pretrained(path / "model")
    text = "".join(small_texts.document(k, 20) for k in range(30))
    (path / "text.txt").write_text(text.replace("near the", "Near the") if lower else text, encoding="utf-8")
    return str(path / "model"), f"text:file={path / 'text.txt'},length=64,scored=false"


def test_a_folder_of_a_causal_model_is_audited_on_a_text(tmp_path):
    from assay.cli import main
    from assay.report.schema import read_report

    model, task = folder(tmp_path)
    given = ["audit", model, "--task", task, "--instrument", "langue", "--effort", "quick", "--out", str(tmp_path / "report")]
    assert main(given) == 0
    (evidence,) = read_report(tmp_path / "report").evidence
    assert evidence.settings["before every text"] == "<|endoftext|>"
    assert 7 < evidence.measure("bits").value < 9  # a token is a byte here, and nothing was learned
    assert {"bits", "saved", "gain", "left", "rules", "neighbours", "rsa", "groups"} <= {one.key for one in evidence.measures}
    assert not evidence.findings()


def test_bits_are_left_out_where_the_tokenizer_does_not_give_back_the_text(tmp_path):
    model, address = folder(tmp_path, lower=True)
    task = assay.load_task(address)
    evidence = measured_on(assay.load_subject(model, task=task), task)
    assert not [one for one in evidence.measures if one.key == "bits"]
    assert any("must give back the text" in told for told in evidence.not_tested)
    assert evidence.measure("neighbours").value is not None


# Pieces


def test_two_networks_agree_alike_whichever_is_compared_with_the_other():
    """The pair of layers that hold the same relations is found, and the largest of many pairs of noise is no finding."""
    rng, rows, counts = np.random.default_rng(0), np.arange(60), np.arange(60)
    known = rng.normal(size=(60, 6))

    def layers(planted):
        noise = [rng.normal(size=(60, 6)) for _ in range(3)]
        return {f"{k}": one for k, one in enumerate([*noise[:2], known + 0.3 * noise[2] if planted else noise[2]])}

    def other(some):
        first, *further = [states.system(rows, cosine(one), 5, vectors=one) for one in some.values()]
        return first._replace(further=tuple(one.near for one in further))

    a, b, noise = layers(True), layers(True), layers(False)
    one, two = (states.align(x, other(y), counts, draws=200, seed=0) for x, y in ((a, b), (b, a)))
    assert one.best.value == pytest.approx(two.best.value)
    assert one.best.value > 0.5
    assert (one.layer, two.layer) == ("2", "2")
    assert one.words.mean() == pytest.approx(one.best.value)
    assert one.best.p == pytest.approx(1 / 201)
    assert states.align(a, other(noise), counts, draws=200, seed=0).best.p > 0.05


def test_the_null_of_the_chosen_layer_chooses_too():
    """By computing everything again for words with the vectors of others of like frequency."""
    rng = np.random.default_rng(0)
    counted, counts = rng.normal(size=(40, 6)), np.repeat(np.arange(1, 5), 10)
    layers = {f"{k}": rng.normal(size=(40, 5)) for k in range(3)}
    other = states.system(np.arange(40), cosine(counted), 5, vectors=counted)
    found = states.align(layers, other, counts, draws=100, seed=3)
    draws = states.Draws.of(found, counts, draws=70, seed=3)
    assert len(np.unique(draws.chosen)) == 3
    measured = states.whole(list(layers.values()), found.best.layer, other, [], draws=draws, seed=3)
    for k, order in enumerate(draws.order):
        assert (counts[order] == counts).all()
        moved = [one[order] for one in layers.values()]
        agree = [mutual_neighbours(nearest(cosine(one), 5), other.near).mean() for one in moved]
        assert max(agree) == pytest.approx(found.null[k])
        assert agree[draws.chosen[k]] == pytest.approx(max(agree))
        chosen = moved[draws.chosen[k]]
        assert measured["rsa"].null[k] == pytest.approx(rsa(cosine(chosen), other.likeness).rho, abs=1e-5)
        assert measured["cka"].null[k] == pytest.approx(debiased_cka(chosen, counted))
    best = list(layers.values())[found.best.layer]
    assert measured["rsa"].value == pytest.approx(rsa(cosine(best), other.likeness).rho)


def test_contexts_show_every_word_as_often_as_asked_and_never_first():
    corpus = small_texts.SmallTexts().corpus()
    words = Vocabulary.of(corpus.train).chosen(least=5, shortest=3).words
    graphs = states.contexts(corpus, words, each=3, longest=31, generator=np.random.default_rng(0))
    shown = [graph.words[mention[0]].lower() for graph in graphs for mention in graph.mentions]
    assert all(mention[0] > 0 for graph in graphs for mention in graph.mentions)
    assert max(shown.count(word) for word in words) <= 4
    assert np.mean([shown.count(word) >= 3 for word in words]) > 0.9
    assert states.shown(graphs) == set(shown) == {*words} - {"all", "them"}  # which stand too far from the beginning of a line
    assert all(len(" ".join(graph.words)) < 31 for graph in graphs)


def test_the_layer_that_holds_the_relations_is_chosen_and_one_of_noise_is_not_found():
    rng = np.random.default_rng(0)
    known = rng.normal(size=(80, 10))
    planted = known + 0.5 * rng.normal(size=known.shape)
    noise = {f"noise {k}": rng.normal(size=(80, 10)) for k in range(3)}
    other = states.system(np.arange(80), known @ known.T, 10, vectors=known)
    counts = np.arange(80)
    found = states.align({**noise, "planted": planted}, other, counts, draws=200, seed=0)
    assert found.layer == "planted"
    assert found.best.p == found.free.p == pytest.approx(1 / 201)
    assert found.words.mean() == pytest.approx(found.best.value)
    assert states.align(noise, other, counts, draws=200, seed=0).best.p > 0.05
