"""SCAN: the grammar and every split against the published files, and the task's promises."""

import dataclasses
import os
import pickle
from collections import Counter
from pathlib import Path

import pytest
import torch
from torch import Generator

from assay.data import registry
from assay.data.registry import MIRROR_VARIABLE, fetch
from assay.errors import AssayError
from assay.objective import PAD
from assay.task import SPLITS, SourceToTarget, SwapsParts
from assay.tasks.scan import END, SCAN_SPLITS, START, Scan, decode_source, decode_target, sides
from assay.tasks.scan_grammar import NONE, Phrase, ScanCommand, commands, phrases

# Lines of the train file, different ones among them, lines of the test file.
PUBLISHED_SIZES = {
    "simple": (16728, 16728, 4182),
    "length": (16990, 16990, 3920),
    "addprim_jump": (14670, 13204, 7706),
    "addprim_turn_left": (21890, 19702, 1208),
    "template_around_right": (15225, 15225, 4476),
    "template_jump_around_right": (18528, 18528, 1173),
    "template_opposite_right": (15225, 15225, 4476),
    "template_right": (15225, 15225, 4476),
    "filler_num0": (15225, 15225, 1173),
    "filler_num1": (16290, 16290, 1173),
    "filler_num2": (17391, 17391, 1173),
    "filler_num3": (18528, 18528, 1173),
}
RULED = [split for split in SCAN_SPLITS if split != "simple"]
ALL = 10**6


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory):
    """The published lines of a file, by its name; skips where there is no mirror."""
    mirror = Path(os.environ.get(MIRROR_VARIABLE, "")) / "scan"
    if MIRROR_VARIABLE not in os.environ or not mirror.is_dir():
        pytest.skip("no mirror with SCAN here")
    paths = {Path(path).name: path for path in registry.get("scan").hashes}
    with pytest.MonkeyPatch.context() as patch:
        cache = tmp_path_factory.mktemp("cache")
        patch.setattr(registry, "cache_folder", lambda: cache)
        yield lambda name: Counter(fetch("scan", paths[name]).read_text().splitlines())


@pytest.fixture(scope="module")
def lines() -> list[str]:
    """Every command in the form of the published files."""
    return [f"IN: {' '.join(command.words())} OUT: {' '.join(command.actions())}" for command in commands()]


def test_the_enumeration_is_the_published_one(published, lines: list[str]):
    assert Counter(lines) == published("tasks.txt")


@pytest.mark.parametrize("split", SCAN_SPLITS)
def test_both_sides_are_the_published_files(published, lines: list[str], split: str):
    train, novel = sides(split)
    assert Counter(lines[row] for row in train) == published(f"tasks_train_{split}.txt")
    assert Counter(lines[row] for row in novel) == published(f"tasks_test_{split}.txt")


@pytest.mark.parametrize("split", RULED)
def test_the_sizes_are_the_published_ones(split: str):
    task = Scan(split)
    assert (len(sides(split).train), len(task.combinations("seen")), len(task.combinations("novel"))) == PUBLISHED_SIZES[split]


def test_the_grammar_has_102_phrases_and_20910_commands():
    assert len(set(phrases())) == 102
    assert len(set(commands())) == len({command.words() for command in commands()}) == 20910
    assert {len(command.words()) for command in commands()} == set(range(1, 10))
    lengths = {len(command.actions()) for command in commands()}
    assert (min(lengths), max(lengths)) == (1, 48)


@pytest.mark.parametrize(
    ("command", "actions"),
    [
        ("jump", "JUMP"),
        ("jump left", "TURN_LEFT JUMP"),
        ("jump around right", "TURN_RIGHT JUMP TURN_RIGHT JUMP TURN_RIGHT JUMP TURN_RIGHT JUMP"),
        ("turn left twice", "TURN_LEFT TURN_LEFT"),
        ("jump thrice", "JUMP JUMP JUMP"),
        ("jump opposite left and walk thrice", "TURN_LEFT TURN_LEFT JUMP WALK WALK WALK"),
        ("jump opposite left after walk around left", "TURN_LEFT WALK " * 4 + "TURN_LEFT TURN_LEFT JUMP"),
    ],
)
def test_the_paper_s_examples(command: str, actions: str):
    """Lake and Baroni 2018, figure 1."""
    (found,) = [candidate for candidate in commands() if " ".join(candidate.words()) == command]
    assert found.actions() == tuple(f"I_{action}" for action in actions.split())


def test_interpretation_composes():
    for phrase in phrases():
        once = phrase._replace(times=NONE).actions()
        assert phrase._replace(times="twice").actions() == once * 2
        assert phrase._replace(times="thrice").actions() == once * 3
    first, second = Phrase("run", "around", "left", "twice"), Phrase("turn", direction="right")
    assert ScanCommand(*first, "and", *second).actions() == first.actions() + second.actions()
    assert ScanCommand(*first, "after", *second).actions() == second.actions() + first.actions()
    assert ScanCommand(*first).phrases() == (first,)


@pytest.mark.parametrize("split", RULED)
def test_seen_and_novel_share_no_combination(split: str, generator: Generator):
    task = Scan(split)
    seen, novel = (task.examples(side, ALL, generator=generator) for side in ("seen", "novel"))
    ids = [set(side.combination.tolist()) for side in (seen, novel)]
    assert not ids[0] & ids[1]
    for side, found in (("seen", ids[0]), ("train", ids[0]), ("novel", ids[1])):
        columns = dict(zip(task.combines, task.combinations(side).T, strict=True))
        assert len(task.combinations(side)) == len(found)
        assert set(task.combination_id(columns).tolist()) == found


def test_tokens_say_what_the_parts_say(generator: Generator, lines: list[str]):
    task = Scan("addprim_jump")
    known = set(lines)
    for split in ("seen", "novel"):
        examples = task.examples(split, 2000, generator=generator)
        slots = torch.stack(list(examples.parts.values()), 1).tolist()
        for row, source, target in zip(slots, examples.inputs["source"], examples.targets, strict=True):
            named = ScanCommand(*(part.values[value] for part, value in zip(task.parts, row, strict=True)))
            assert decode_source(source) == " ".join(named.words())
            assert f"IN: {decode_source(source)} OUT: {decode_target(target)}" in known


@pytest.mark.parametrize("split", SPLITS)
def test_tensors_have_the_declared_form(split, generator: Generator):
    task = Scan("length")
    spec = task.input_spec
    assert isinstance(spec, SourceToTarget)
    for n in (0, 1, 300):
        examples = task.examples(split, n, generator=generator)
        source, prefix, targets = examples.inputs["source"], examples.inputs["prefix"], examples.targets
        assert source.shape == (n, spec.source_length)
        assert prefix.shape == targets.shape == (n, spec.target_length)
        assert source.dtype == prefix.dtype == targets.dtype == examples.combination.dtype == torch.int64
        assert set(source.unique().tolist()) <= set(range(spec.source_vocab))
        assert set(targets.unique().tolist()) <= set(range(spec.target_vocab)) - {START}
        assert (prefix[:, 0] == START).all()
        assert torch.equal(prefix[:, 1:], targets[:, :-1])
        assert (torch.where(targets == END, 1, 0).sum(1) == 1).all()
        assert torch.equal(targets[:, 1:] == PAD, (targets == END).cumsum(1)[:, :-1] == 1)
        assert torch.equal(source[:, 1:] == PAD, (source == PAD)[:, :-1] | (source[:, 1:] == PAD))
        assert (task.score(task.objective.ideal(targets), examples) == 1).all()


def test_every_declared_token_and_length_occurs(generator: Generator):
    task = Scan("template_right")
    both = [task.examples(split, ALL, generator=generator) for split in ("seen", "novel")]
    source, targets = torch.cat([side.inputs["source"] for side in both]), torch.cat([side.targets for side in both])
    longest = int((source != PAD).sum(1).max()), int((targets != PAD).sum(1).max())
    assert task.input_spec == SourceToTarget(
        source_vocab=len(source.unique()),
        source_length=longest[0],
        target_vocab=len(targets.unique()) + 1,
        target_length=longest[1],
    )  # one more, for no target is the start token


def test_one_wrong_token_or_a_missing_end_scores_nothing(generator: Generator):
    task = Scan("length")
    examples = task.examples("novel", 20, generator=generator)
    for wrong_at in (examples.targets == END, torch.arange(49).expand(20, 49) == 3):
        wrong = torch.where(wrong_at, 3 + (examples.targets - 2) % 6, examples.targets)
        assert (wrong != examples.targets).sum(1).eq(1).all()
        assert (task.score(task.objective.ideal(wrong), examples) == 0).all()


def test_decoding_stops_at_the_end_token():
    assert decode_target(torch.tensor([3, 7, END, 4, 4])) == "I_WALK I_TURN_LEFT"
    assert decode_target(torch.tensor([3, PAD])) == "I_WALK"
    assert decode_target(torch.tensor([], dtype=torch.int64)) == decode_source(torch.tensor([PAD])) == ""


def test_train_draws_with_the_published_multiplicity(generator: Generator):
    examples = Scan("addprim_jump").examples("train", 20_000, generator=generator)
    alone = sum(decode_source(source) == "jump" for source in examples.inputs["source"])
    assert abs(alone / 20_000 - 1467 / 14670) < 5 * (0.09 / 20_000) ** 0.5


def test_draws_follow_the_generator_alone():
    task = Scan("length")
    for split in SPLITS:
        first, again, other = (task.examples(split, 50, generator=Generator().manual_seed(seed)) for seed in (1, 1, 2))
        assert torch.equal(first.targets, again.targets)
        assert not torch.equal(first.combination, other.combination)
    assert task.examples("novel", 50, generator=Generator().manual_seed(1)).combination.unique().numel() == 50


def test_jump_twice_is_an_unfamiliar_pair():
    task = Scan("addprim_jump")
    verb, times = task.combines.index("verb1"), task.combines.index("times1")
    pair = [task.part("verb1").values.index("jump"), task.part("times1").values.index("twice")]
    wanted = torch.tensor(pair)
    holds = {split: (task.combinations(split)[:, [verb, times]] == wanted).all(1).any() for split in ("seen", "novel")}
    assert holds == {"seen": False, "novel": True}


def test_a_task_is_its_address():
    task = Scan("length")
    assert task.address == "scan:length"
    assert task == Scan("length") != Scan("template_right")
    assert hash(task) == hash(Scan("length"))
    assert torch.equal(pickle.loads(pickle.dumps(task)).combinations("novel"), task.combinations("novel"))
    assert isinstance(task, SwapsParts)


@pytest.mark.parametrize("split", ["addprim_jmp", "", "train"])
def test_an_unknown_split_lists_the_known(split: str):
    with pytest.raises(AssayError) as caught:
        Scan(split)
    assert caught.value.choices == list(PUBLISHED_SIZES)


def test_simple_without_its_file_names_the_next_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    closed = dataclasses.replace(registry.get("scan"), base_url="http://127.0.0.1:1/")
    monkeypatch.setattr(registry, "data_sets", lambda: (closed,))
    monkeypatch.setattr(registry, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setenv(MIRROR_VARIABLE, str(tmp_path))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with pytest.raises(AssayError) as caught:
        Scan("simple")
    assert MIRROR_VARIABLE in caught.value.next_step
    assert "place tasks_test_simple.txt in the folder scan/core" in caught.value.next_step


def test_simple_is_a_task_like_the_others(published, generator: Generator):
    task = Scan("simple")
    assert (len(task.combinations("seen")), len(task.combinations("novel"))) == PUBLISHED_SIZES["simple"][1:]
    assert len(task.examples("novel", ALL, generator=generator)) == PUBLISHED_SIZES["simple"][2]
