"""The task `lists`: what is told is what is asked, and which pairs are new is what the name says."""

import pytest
import torch

from assay.entities import NOVEL, BindsEntities, ListsEntities
from assay.errors import AssayError
from assay.tasks import load_task
from assay.tasks.lists import Lists


def read(task, tokens):
    """Every list as (entity, attribute) with the query, from the tokens alone."""
    for row in tokens.tolist():
        items = [row[k : k + 3] for k in range(0, len(row) - 2, 3)]
        pairs = []
        for item in items:
            if item == [0, 0, 0]:
                continue
            a, b, stop = item
            assert stop == 1
            entity, attribute = (b, a) if task.backwards else (a, b)
            pairs.append((entity - 3, attribute - 3 - task.num_entities))
        assert row[-2] == 2
        yield pairs, row[-1] - 3


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("split", ["train", "seen", "novel"])
def test_the_answer_is_the_attribute_in_the_list(split, backwards, generator):
    task = Lists(backwards=backwards)
    examples = task.examples(split, 300, generator=generator)
    assert len(examples) == 300
    sizes = set()
    for (pairs, query), target in zip(read(task, examples.inputs["tokens"]), examples.targets.tolist(), strict=True):
        assert len({e for e, _ in pairs}) == len({a for _, a in pairs}) == len(pairs)
        assert dict(pairs)[query] == target
        sizes.add(len(pairs))
    assert sizes == {2, 3, 4}
    known = {tuple(pair) for pair in task.combinations(split).tolist()}
    assert set(zip(examples.parts["entity"].tolist(), examples.targets.tolist(), strict=True)) <= known


def test_a_quarter_of_the_pairs_is_never_trained(generator):
    task = Lists()
    trained = {
        pair for pairs, _ in read(task, task.examples("train", 5_000, generator=generator).inputs["tokens"]) for pair in pairs
    }
    held = {tuple(pair) for pair in task.combinations("novel").tolist()}
    assert len(held) == 64
    assert not held & trained
    assert len(trained) == 192


@pytest.mark.parametrize("kind", NOVEL)
@pytest.mark.parametrize("size", [2, 3, 4])
def test_kinds_of_new_pairs(kind, size, generator):
    task = Lists()
    known = task.trained_with() > 0
    first = task._first
    contexts = task.contexts(200, size=size, pairs=kind, generator=generator)
    for entities, attributes, queried in zip(contexts.entities, contexts.attributes, contexts.queried, strict=True):
        new = ~known[entities, attributes]
        if kind == "role":
            assert not new.any()
            assert first[entities[queried], attributes[queried]]
            assert queried > 0
            others = torch.arange(size) != queried
            assert not first[entities, attributes][others & (torch.arange(size) > 0)].any()
        elif kind == "all":
            assert new.all()
        else:
            assert new.nonzero()[:, 0].tolist() == [int(queried)]
        if kind == "balanced":
            assert not known[entities[queried], attributes].any()


def test_places_are_those_of_the_words(generator):
    task = Lists()
    contexts = task.contexts(50, size=3, pairs="trained", generator=generator)
    written = task.write(contexts, contexts.at(contexts.queried)[0])
    tokens = written.inputs["tokens"]
    assert torch.equal(tokens.gather(1, written.entity_at) - 3, contexts.entities)
    assert torch.equal(tokens.gather(1, written.attribute_at) - 19, contexts.attributes)
    assert bool((tokens.gather(1, written.unrelated_at) == 1).all())
    assert sorted(contexts.start.unique().tolist()) == [0, 1, 2, 3]


@pytest.mark.parametrize("size", [2, 3])
def test_without_free_places_every_list_begins_at_the_first(size, generator):
    task = load_task("lists:largest=3,free=0")
    contexts = task.contexts(50, size=size, pairs="trained", generator=generator)
    written = task.write(contexts, contexts.at(contexts.queried)[0])
    assert task.larger == ()
    assert written.entity_at.tolist() == [[3 * place for place in range(size)]] * 50
    assert written.inputs["tokens"].shape == (50, 3 * 3 + 2)


def test_longer_lists_than_trained_ones_can_be_written(generator):
    task = Lists()
    assert task.larger == (5, 6)
    contexts = task.contexts(10, size=6, pairs="trained", generator=generator)
    assert task.write(contexts, contexts.entities[:, 0]).inputs["tokens"].shape == (10, 20)


def test_the_world_pairs_most_lists(generator):
    task = Lists(fixed=0.98)
    pairs = [pair for pairs, _ in read(task, task.examples("train", 2_000, generator=generator).inputs["tokens"])
             for pair in pairs]  # fmt: skip
    world = dict(enumerate(task._world.tolist()))
    assert sum(world[e] == a for e, a in pairs) / len(pairs) > 0.95
    assert float(task.trained_with().amax(1).min()) > 0.97
    seen = [pair for pairs, _ in read(task, task.examples("seen", 2_000, generator=generator).inputs["tokens"])
            for pair in pairs]  # fmt: skip
    assert sum(world[e] == a for e, a in seen) / len(seen) < 0.2


def test_lists_bind_entities():
    task = load_task("lists:num_entities=8,num_attributes=8,largest=3,kind=shape")
    assert isinstance(task, BindsEntities)
    assert isinstance(task, ListsEntities)
    assert load_task(task.address) == task
    assert task.part("entity").values[:2] == ("square", "circle")


def test_no_contexts_and_one(generator):
    task = Lists()
    assert len(task.examples("train", 0, generator=generator)) == 0
    assert len(task.contexts(1, size=2, pairs="all", generator=generator)) == 1


def test_the_order_in_which_contexts_come_does_not_matter(generator):
    contexts = Lists().contexts(40, size=3, pairs="trained", generator=generator)
    mixed = contexts.take(torch.randperm(40, generator=generator))
    assert torch.equal(mixed.in_canonical_order().attributes, contexts.in_canonical_order().attributes)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_entities": 17}, "num_entities"),
        ({"largest": 1}, "largest"),
        ({"num_attributes": 4, "num_entities": 8}, "a trained attribute that no other"),
        ({"fixed": 1.5}, "share"),
        ({"free": -1}, "free"),
    ],
)
def test_errors_say_what_was_given(options, message):
    with pytest.raises(AssayError, match=message):
        Lists(**options)


@pytest.mark.parametrize("option", ["kind=capital", "novel=trained"])
def test_options_are_among_their_choices(option):
    with pytest.raises(AssayError, match="must be one of its choices"):
        load_task(f"lists:{option}")


def test_a_sampler_that_cannot_meet_its_constraints_gives_up(generator):
    with pytest.raises(AssayError, match="must be enough pairs of the kind"):
        Lists().contexts(4, size=6, pairs="balanced", generator=generator)
    with pytest.raises(AssayError, match="must have 2 to 6 entities"):
        Lists().contexts(4, size=7, pairs="trained", generator=generator)
