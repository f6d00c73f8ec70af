"""Lists in the words of a small language model made here, and the instrument on it."""

import dataclasses

import pytest
import torch

from assay.errors import AssayError
from assay.instrument import run
from assay.instruments.binding import Binding
from assay.instruments.binding.metrics import BUDGETS
from assay.models.hugging_face import load_hugging_face
from assay.tasks import load_task
from assay.tasks.list_texts import ListTexts
from assay.tasks.list_words import KINDS
from small_tokenizer import write_tokenizer

SMALL = Binding(budgets={"quick": dataclasses.replace(BUDGETS["quick"], contexts=12, sites=3)})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A causal model of two layers, and a tokenizer that knows the words of cities and shapes, but `Sydney` and `tan`."""
    transformers = pytest.importorskip("transformers")
    path = tmp_path_factory.mktemp("llama")
    num_words = write_tokenizer(path)
    config = transformers.LlamaConfig(
        vocab_size=num_words, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=2, max_position_embeddings=64,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        transformers.LlamaForCausalLM(config).save_pretrained(path)
    return path


def words_of(folder, tokens):
    import transformers

    return [
        " ".join(row) for row in (transformers.AutoTokenizer.from_pretrained(folder).convert_ids_to_tokens(r) for r in tokens)
    ]


def test_lists_are_sentences(folder, generator):
    task = ListTexts(folder=str(folder), prefix="<start>")
    contexts = task.contexts(30, size=3, pairs="trained", generator=generator)
    entity, _ = contexts.at(contexts.queried)
    written = task.write(contexts, entity)
    entities, attributes = (part.values for part in task.parts)
    assert "Sydney" not in attributes
    for row, text in enumerate(words_of(folder, written.inputs["tokens"])):
        told = [f"{entities[e]} lives in {attributes[a]} ." for e, a in zip(contexts.entities[row], contexts.attributes[row],
                                                                           strict=True)]  # fmt: skip
        assert text == " ".join(["<start>", *told, f"So {entities[entity[row]]} lives in"])
    tokens = written.inputs["tokens"]
    assert torch.equal(tokens.gather(1, written.attribute_at), task.answers[contexts.attributes])
    assert words_of(folder, tokens.gather(1, written.unrelated_at)) == [". . ."] * 30


def test_the_attribute_can_stand_before_its_entity(folder, generator):
    task = ListTexts(folder=str(folder), backwards=True)
    contexts = task.contexts(5, size=2, pairs="trained", generator=generator)
    written = task.write(contexts, contexts.entities[:, 0])
    assert bool((written.attribute_at < written.entity_at).all())
    entities, attributes = (part.values for part in task.parts)
    city, name = attributes[contexts.attributes[0, 0]], entities[contexts.entities[0, 0]]
    assert words_of(folder, written.inputs["tokens"])[0].startswith(f"{city} is the home of {name} .")


def test_a_question_can_stand_before_the_answer(folder, generator):
    task = ListTexts(folder=str(folder), question=True)
    contexts = task.contexts(5, size=2, pairs="trained", generator=generator)
    name = task.parts[0].values[contexts.entities[0, 1]]
    (text, *_) = words_of(folder, task.write(contexts, contexts.entities[:, 1]).inputs["tokens"])
    assert text.endswith(f"Question : Where does {name} live ? Answer : {name} lives in")


@pytest.mark.slow
def test_a_language_model_is_read(folder):
    task = load_task(f"list-texts:{folder},largest=3,prefix=<start>")
    subject = load_hugging_face(folder, task=task)
    found = run(SMALL, subject, task, effort="quick", seed=0)
    assert found.settings["verdict"] in ("not shown", "undecided")
    assert found.measure("separation").value == pytest.approx(0.0, abs=0.6)
    assert not found.findings()
    (table,) = [figure for figure in found.figures if figure.name == "Answers after patches"]
    assert all(sum(row[2:]) == pytest.approx(1.0) for row in table.rows)
    assert any("never met" in line for line in found.not_tested)


def test_entities_that_the_world_pairs_are_in_no_list(folder):
    task = ListTexts(folder=str(folder), kind="shape")
    shapes, colours = (part.values for part in task.parts)
    assert not {(shape, colour) for shape in shapes for colour in colours} & set(KINDS["shape"].known)
    assert "heart" not in shapes
    assert "square" in shapes
    assert {shape for shape, _ in KINDS["shape"].known} == {"heart", "moon", "leaf", "star", "ring"}


def test_words_of_several_tokens_are_named(folder):
    with pytest.raises(AssayError, match="must be single tokens"):
        ListTexts(folder=str(folder), kind="food")
    with pytest.raises(AssayError, match="a prefix must be one token"):
        ListTexts(folder=str(folder), prefix="<end>")


def test_there_are_no_new_pairs(folder, generator):
    task = ListTexts(folder=str(folder))
    assert len(task.combinations("novel")) == len(task.examples("novel", 5, generator=generator)) == 0
    with pytest.raises(AssayError, match="never met"):
        task.contexts(5, size=2, pairs="all", generator=generator)
