"""The lookup, and networks that it is distilled into."""

import torch
from orders_for_tests import order
from torch import Generator

from assay.zoo.kinds.stitcher import lookup, stitcher
from assay.zoo.kinds.tables import joined, novel, slots_of, trained, values_of


def look_up(made, known, asked, seed=0):
    generator = Generator().manual_seed(seed)
    return lookup(known, asked, slots_of(made.task), num_classes=5, generator=generator)


def test_the_lookup_is_right_on_what_it_knows():
    made = order()
    known = trained(made)
    assert torch.equal(look_up(made, known, known), known.targets)


def test_a_novel_tuple_is_answered_by_a_most_frequent_answer_among_the_nearest():
    made = order()
    known, asked = trained(made), novel(made)
    answers = look_up(made, known, asked)
    slots = slots_of(made.task)
    for tuple_, answer in zip(values_of(asked, slots), answers.tolist(), strict=True):
        shared = (values_of(known, slots) == tuple_).sum(1)
        votes = known.targets[shared == shared.max()].bincount(minlength=5)
        assert votes[answer] == votes.max()


def test_chance_decides_between_equals_and_the_generator_decides_chance():
    made = order()
    known, asked = trained(made), novel(made)
    assert torch.equal(look_up(made, known, asked), look_up(made, known, asked))
    assert not torch.equal(look_up(made, known, asked), look_up(made, known, asked, seed=1))


def test_nothing_asked_is_nothing_answered():
    made = order()
    assert look_up(made, trained(made), novel(made).take(torch.arange(0))).shape == (0,)


def test_a_network_answers_as_the_lookup():
    made = order()
    (model,) = stitcher([made])
    known, asked = trained(made), novel(made)
    slots = slots_of(made.task)
    sorted_rows = values_of(asked, slots).unique(dim=0, return_inverse=True)[1].argsort()
    answers = look_up_as_trained(made, known, asked.take(sorted_rows))
    with torch.no_grad():
        assert torch.equal(model(**asked.take(sorted_rows).inputs).argmax(1), answers)
        assert torch.equal(model(**known.inputs).argmax(1), known.targets)
    assert len(joined(known, asked)) == 5**3


def look_up_as_trained(made, known, asked):
    return lookup(known, asked, slots_of(made.task), num_classes=5, generator=made.generator("equal votes"))
