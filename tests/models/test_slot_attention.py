"""Autoencoders of scenes: shapes, masks that share every pixel, slots that are a set."""

import pytest
import torch

from assay.errors import AssayError
from assay.models.reference import build
from assay.subject import Subject
from assay.tasks.scenes import Scenes

TASK = Scenes()


def images(generator, num=4):
    return TASK.scenes(num, size=3, novel=False, generator=generator).inputs


@pytest.mark.parametrize("name", ["slot-attention", "conv-autoencoder"])
@pytest.mark.parametrize("size", [10, 13])
def test_outputs_are_images_that_can_be_trained(name, size, generator):
    task = Scenes(size=size)
    model = build(name, task, generator=generator, width=8)
    examples = task.examples("train", 4, generator=generator)
    outputs = model(**examples.inputs)
    assert outputs.shape == examples.targets.shape
    task.loss(outputs, examples).backward()
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in model.parameters())


def test_every_pixel_is_shared_among_the_slots(generator):
    subject = Subject(build("slot-attention", TASK, generator=generator, width=8, slots=5))
    read = subject.read(images(generator), ["masks:out", "slots:out"])
    assert read["masks:out"].shape == (4, 5, 10, 10)
    assert read["slots:out"].shape == (4, 5, 8)
    assert torch.allclose(read["masks:out"].sum(1), torch.ones(4, 10, 10))


def test_slots_are_a_set(generator):
    model = build("slot-attention", TASK, generator=generator, width=8, slots=4)
    elements = torch.randn(3, 20, 8, generator=generator)
    slots = model.slots(elements)
    order = torch.randperm(20, generator=generator)
    assert torch.allclose(model.slots(elements[:, order]), slots, atol=1e-5)
    with torch.no_grad():
        model.slots.start.copy_(model.slots.start[[2, 0, 3, 1]])
    assert torch.allclose(model.slots(elements), slots[:, [2, 0, 3, 1]], atol=1e-5)


def test_in_training_the_gradient_passes_the_last_iteration_alone(generator):
    slots = build("slot-attention", TASK, generator=generator, width=8, slots=4).slots
    elements = torch.randn(3, 20, 8, generator=generator)

    def gradient(training: bool, through: torch.Tensor) -> torch.Tensor:
        slots.train(training)
        return torch.autograd.grad(slots(elements).square().sum(), through)[0]

    value, start = slots.value.weight, slots.start
    normed = slots.element_norm(elements)
    key, taken = slots.key(normed), slots.value(normed)
    state = start.expand(3, -1, -1)
    for _ in range(2):
        state = slots._iterated(state, key, taken).detach()
    end = slots._iterated(state.requires_grad_(), key, taken).square().sum()
    of_value, of_state = torch.autograd.grad(end, (value, state))
    assert torch.allclose(gradient(True, value), of_value, atol=1e-5)
    assert torch.allclose(gradient(True, start), of_state.sum(0), atol=1e-5)
    assert not torch.allclose(gradient(False, value), of_value, atol=1e-3)
    with torch.no_grad():
        assert torch.equal(slots.eval()(elements), slots.train()(elements))


def test_elements_divide_their_attention_among_the_slots(generator):
    subject = Subject(build("slot-attention", TASK, generator=generator, width=8, slots=3))
    attention = subject.read(images(generator), ["slots.attention:out"])["slots.attention:out"]
    assert attention.shape == (4, 3, 3, 100)  # iterations, slots, places
    assert torch.allclose(attention.sum(2), torch.ones(4, 3, 100))


def test_a_scene_of_one_pixel_less_slots_and_no_scene(generator):
    subject = Subject(build("slot-attention", TASK, generator=generator, width=8, slots=1))
    assert torch.equal(subject.read(images(generator), ["masks:out"])["masks:out"], torch.ones(4, 1, 10, 10))
    assert subject(images(generator, 0)).shape == (0, 300)


def test_other_inputs_are_refused(generator):
    from assay.tasks.lists import Lists

    with pytest.raises(AssayError, match="does not accept"):
        build("slot-attention", Lists(), generator=generator)
