"""The task of texts: windows and targets by hand, novel pairs, words as bytes, training, and texts that cannot be used."""

import pytest
import torch
from torch import Generator

from assay.errors import AssayError
from assay.graph import tree
from assay.models import build, configure
from assay.tasks import load_task
from assay.tasks.text import OTHER, Text
from assay.text.corpus import END, SYMBOLS


@pytest.fixture(scope="module")
def task(tmp_path_factory) -> Text:
    path = tmp_path_factory.mktemp("text") / "small.txt"
    path.write_text(("the cat saw the dog\nand the dog saw the cat\n" * 40) + "the cat and the cow saw the dog\n" * 6)
    return Text(file=path, length=16, num_words=6)


def draw(task: Text, split: str, n: int = 50):
    return task.examples(split, n, generator=Generator().manual_seed(0))


def test_a_window_ends_with_a_word_and_targets_are_the_bytes_behind(task):
    examples = draw(task, "train")
    assert examples.inputs["tokens"].shape == examples.targets.shape == (50, 16)
    assert (examples.inputs["tokens"][:, 1:] == examples.targets[:, :-1]).all()
    for row, word in zip(examples.targets, examples.parts["word"].tolist(), strict=True):
        text = bytes(b for b in row.tolist() if b != END).decode()
        name = task.parts[1].values[word]
        assert name == OTHER or text.endswith(name)


def test_novel_pairs_never_stood_so_in_what_was_learned_from(task):
    trained = {tuple(row) for row in task.combinations("train").tolist()}
    assert {tuple(row) for row in task.combinations("seen").tolist()} == trained
    novel = {tuple(row) for row in task.combinations("novel").tolist()}
    assert novel
    assert not novel & trained
    rows = draw(task, "novel")
    assert {(b, w) for b, w in zip(rows.parts["before"].tolist(), rows.parts["word"].tolist(), strict=True)} <= novel
    assert len(draw(task, "seen", 0)) == 0


def test_the_address_makes_it_again(task):
    assert task.address == f"text:file={task.file},length=16,num_words=6"
    assert load_task(task.address) == task
    assert load_task("text:gutenberg_a,scored=false").address == "text:gutenberg_a,scored=False"


def test_words_are_fed_as_bytes_with_their_last_byte_as_place(task):
    graphs = [tree(words, [-1] * len(words), relation=["x"] * len(words)) for words in (["the", "cat"], ["a"], ["longest"] * 3)]
    fed = task.feed(graphs)
    tokens = fed.inputs["tokens"]
    assert bytes(tokens[0, 1:8].tolist()) == b"the cat"
    assert tokens[0, 0] == tokens[0, 8] == END
    assert fed.places.tolist() == [[3, 7, -1], [1, -1, -1], [7, 15, -1]]


def test_a_model_of_texts_answers_every_byte_and_sees_nothing_behind(task):
    model = build("transformer", task, generator=Generator().manual_seed(0), width=16, depth=1, heads=2)
    assert "num_outputs" not in configure("transformer", task).options
    tokens = draw(task, "train").inputs["tokens"]
    outputs = model(tokens)
    assert outputs.shape == (50, 16, SYMBOLS)
    changed = tokens.clone()
    changed[:, 8:] = 0
    torch.testing.assert_close(model(changed)[:, :8], outputs[:, :8])
    assert torch.isfinite(task.loss(outputs, draw(task, "train")))


def test_it_scores_the_share_of_bytes(task):
    examples = draw(task, "seen")
    assert task.score(task.objective.ideal(examples.targets), examples).tolist() == [1.0] * len(examples)
    with pytest.raises(AssayError, match="scored=false"):
        task.score(torch.zeros(len(examples), 16, 30_000), examples)


def test_a_text_that_is_read_only_is_text(task):
    rows = draw(Text(file=task.file, length=16, num_words=6, scored=False), "seen", 3)
    assert rows.inputs["text"].dtype == torch.uint8
    assert rows.inputs["text"].shape[0] == 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"caf\xe9 au lait\n" * 9, "must be UTF-8"),
        (b"", "must not be empty"),
        (b"one line " * 50, "more than one line"),
        (b"a\nb\n" * 4, "longer than a window"),
    ],
    ids=["latin", "empty", "one line", "short"],
)
def test_texts_that_cannot_be_used_are_named(tmp_path, content, message):
    path = tmp_path / "text.txt"
    path.write_bytes(content)
    with pytest.raises(AssayError, match=message):
        Text(file=path).combinations("train")


def test_a_text_without_words_is_named(tmp_path):
    path = tmp_path / "numbers.txt"
    path.write_text("1 2 3\n" * 500)
    with pytest.raises(AssayError, match=r"a text must have words. Given: none in the part of .*numbers.txt to learn from"):
        _ = load_task(f"text:file={path}").parts


def test_unknown_names_and_sizes_are_named():
    with pytest.raises(AssayError, match=r"no such text. Given: one.txt. .*write `text:file=PATH`"):
        load_task("text:one.txt")
    with pytest.raises(AssayError, match="tinyshakespeare"):
        Text(name="shakespeare")
    with pytest.raises(AssayError, match="text: length"):
        Text(length=1)
