"""The task of drawing an evolved picture, and a network trained on it."""

import pytest
import torch
from torch import Generator

from assay.data.genomes import picture_genome
from assay.errors import AssayError
from assay.models import load_subject
from assay.models.cppn import coordinates
from assay.models.evolved import draw_graph
from assay.tasks import load_task
from assay.tasks.evolved_picture import with_random_phases
from assay.training import train


def _all(task):
    return task.examples("seen", 10**6, generator=Generator().manual_seed(0)).in_canonical_order()


def test_pixels_are_those_of_the_genome_in_their_places():
    task = load_task("picture:butterfly,size=8")
    examples = _all(task)
    assert torch.equal(examples.targets, draw_graph(picture_genome("butterfly"), coordinates(8)).float())
    assert torch.equal(examples.combination, torch.arange(64))
    assert torch.equal(task.combination_id(examples.parts), examples.combination)
    assert load_task(task.address).address == task.address
    assert len(task.combinations("seen")) == 64
    assert len(task.combinations("novel")) == len(task.examples("novel", 5, generator=Generator())) == 0
    assert len(task.examples("train", 100, generator=Generator())) == 100


@pytest.mark.parametrize("name", ["skull", "butterfly", "apple"])
def test_the_evolved_network_draws_its_own_picture(name):
    subject, task = load_subject(f"assay.models.evolved:{name}"), load_task(f"picture:{name},size=32")
    examples = _all(task)
    assert float((subject(examples.inputs) - examples.targets).square().mean()) < 1e-9
    assert float(task.score(subject(examples.inputs), examples).mean()) > 1 - 1e-6
    assert float(task.score(examples.targets.mean(0).expand(1024, 3), examples).mean()) < 0.7


def test_random_phases_keep_the_spectrum_and_lose_the_symmetry():
    task = load_task("picture:skull,size=32,phases=random,seed=3")
    own, other = load_task("picture:skull,size=32").pixels.reshape(32, 32, 3), task.pixels.reshape(32, 32, 3)
    again = load_task(task.address)
    assert torch.equal(again.pixels, task.pixels)
    assert not torch.equal(load_task("picture:skull,size=32,phases=random,seed=4").pixels, task.pixels)
    assert 0 <= float(other.min()) < float(other.max()) <= 1
    drawn = with_random_phases(0.5 + own * 1e-3, Generator().manual_seed(3))  # small, so that nothing is cut
    amplitudes = [torch.fft.rfft2(one.double(), dim=(0, 1)).abs() for one in (0.5 + own * 1e-3, drawn)]
    torch.testing.assert_close(*amplitudes, rtol=1e-5, atol=1e-6)
    kept = [float(((one - one.mean((0, 1))) * (one - one.mean((0, 1))).flip(1)).sum()) for one in (own, other)]
    assert kept[1] < 0.5 * kept[0]


def test_sizes_beyond_the_bounds_are_refused():
    for size in (1, 1_025):
        with pytest.raises(AssayError, match="picture: size"):
            load_task(f"picture:skull,size={size}")


def test_a_network_of_the_same_shape_learns_the_picture(tmp_path):
    run = train("picture:skull,size=16", "cppn", out=tmp_path / "run", config={"steps": 150, "batch_size": 256}, progress=None)
    record = run.read_record()
    assert record.model == "cppn"
    assert {name: record.options[name] for name in ("depth", "identity", "gaussian", "sin")} == {
        "depth": 12,
        "identity": 17,
        "gaussian": 4,
        "sin": 1,
    }
    assert record.losses[-1][1] < 0.5 * record.losses[0][1]
    assert load_subject(str(run.path)).num_weights() == 5_478
