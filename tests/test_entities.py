"""Lists and scenes as access levels 0 and 1 see them: trained pairs and sizes, and nothing else."""

import dataclasses

import pytest
import torch
from torch import Generator

from assay.entities import BindsEntities, ListsEntities, ShowsObjects, trained_objects
from assay.instrument import draw, run
from assay.instruments.binding import Binding
from assay.instruments.binding.metrics import BUDGETS
from assay.models.reference import build
from assay.subject import Subject
from assay.tasks.lists import Lists
from assay.tasks.scenes import Scenes
from assay.tasks.transducer import Transducer
from assay.views import NoNovelInputs, TrainedOnly, Unlabelled

LISTS, SCENES = Lists(), Scenes()
SMALL = Binding(budgets={"quick": dataclasses.replace(BUDGETS["quick"], contexts=40, sites=2)})


@pytest.fixture(params=[TrainedOnly, Unlabelled])
def view(request):
    return request.param


def test_lists_are_of_trained_pairs_and_sizes(view, generator):
    seen = view(LISTS)
    assert isinstance(seen, BindsEntities)
    assert isinstance(seen, ListsEntities)
    assert seen.larger == ()
    own = seen.contexts(20, size=3, pairs="trained", generator=Generator().manual_seed(0))
    same = LISTS.contexts(20, size=3, pairs="trained", generator=Generator().manual_seed(0))
    assert torch.equal(own.attributes, same.attributes)
    for size, pairs in ((3, "queried"), (3, "all"), (3, "role"), (3, "balanced"), (5, "trained")):
        with pytest.raises(NoNovelInputs, match="at access level 2"):
            seen.contexts(5, size=size, pairs=pairs, generator=generator)


def test_scenes_are_of_trained_pairs_and_sizes(view, generator):
    seen = view(SCENES)
    assert isinstance(seen, ShowsObjects)
    scenes = seen.scenes(20, size=3, novel=False, generator=generator)
    assert bool(trained_objects(SCENES, scenes.attributes).all())
    for size, novel in ((3, True), (5, False)):
        with pytest.raises(NoNovelInputs, match="at access level 2"):
            seen.scenes(5, size=size, novel=novel, generator=generator)
    new = scenes.attributes.clone()
    new[0, 1] = SCENES.combinations("novel")[0]
    assert trained_objects(SCENES, new).tolist() == [[k != 0 or j != 1 for j in range(3)] for k in range(20)]
    with pytest.raises(NoNovelInputs, match="at access level 2"):
        seen.redrawn(scenes, new)
    assert torch.equal(seen.redrawn(scenes, scenes.attributes).objects, scenes.objects)


def test_a_task_that_binds_nothing_has_no_such_ability(view):
    assert not isinstance(view(Transducer()), BindsEntities)


def test_what_is_drawn_of_trained_pairs_is_the_same_at_every_level():
    for task, model in ((LISTS, "transformer"), (SCENES, "vit")):
        subject = Subject(build(model, task, generator=Generator().manual_seed(0), width=8, heads=2))
        whole, trained = (draw(Binding(), subject, one, effort="quick", seed=0) for one in (task, TrainedOnly(task)))
        if task is LISTS:
            assert trained.novel == {}
            assert set(trained.asked) == set(task.sizes)
            for size, asked in trained.changed.items():
                assert torch.equal(asked.contexts.attributes, whole.changed[size].contexts.attributes)
                pairs = asked.contexts.entities[:, 0], asked.contexts.attributes[:, 0]
                assert bool((task.trained_with()[pairs] > 0).all())
        else:
            assert len(trained.novel) == 0
            for one, other in ((trained.exchanged, whole.exchanged), (trained.changed, whole.changed)):
                assert torch.equal(one.attributes, other.attributes)
                assert bool(trained_objects(SCENES, one.attributes).all())


@pytest.mark.slow
@pytest.mark.parametrize(("task", "model"), [(LISTS, "transformer"), (SCENES, "vit")])
def test_without_new_pairs_the_rest_is_measured_and_nothing_is_concluded(task, model):
    subject = Subject(
        build(model, task, generator=Generator().manual_seed(0), width=8, heads=2),
        fresh=lambda generator: build(model, task, generator=generator, width=8, heads=2),
    )
    found = run(SMALL, subject, TrainedOnly(task), effort="quick", seed=0)
    assert found.measure("separation").value is not None
    assert found.measure("isolation").value is not None
    assert found.measure("novel_binding").value is None
    assert all(measure.level == 0 for measure in found.measures if measure.value is not None)
    assert found.settings["verdict"] == "undecided"
