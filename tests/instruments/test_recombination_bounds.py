"""The effort bounds the work: wide sites, outputs that are images, and twins that would take too long to train."""

import dataclasses

import pytest
import torch
from torch import Generator, Tensor, nn

from assay.evidence import Evidence
from assay.instrument import run
from assay.instruments.former import Recombination
from assay.instruments.former.cost import affordable, multiplications
from assay.instruments.former.instrument import BUDGETS
from assay.objective import Regression
from assay.site import Site
from assay.subject import Subject
from assay.task import Examples, Part, Split, Swapped, Task

SIZE = 8
QUICK = dataclasses.replace(BUDGETS["quick"], examples=120, pairs=60, scrambles=2, untrained=2, random=1)


class Crosses(Task):
    """A cross at a row and a column of an image, which is the input and, unchanged, the answer."""

    address = "crosses"
    combines = ("row", "column")
    parts = (Part("row", tuple("abcdef")), Part("column", tuple("abcdef")))
    input_spec = None
    objective = Regression(SIZE * SIZE, variance=30.0)

    def combinations(self, split: Split) -> Tensor:
        everything = torch.cartesian_prod(torch.arange(6), torch.arange(6))
        novel = (everything.sum(1) % 3) == 0
        return everything[novel if split == "novel" else ~novel]

    def examples(self, split: Split, n: int, *, generator: Generator) -> Examples:
        rows = self.combinations(split).repeat(5, 1)
        rows = rows[torch.randperm(len(rows), generator=generator)[:n]]
        parts = dict(zip(self.combines, rows.unbind(1), strict=True))
        drawn = drawn_at(rows)
        image = drawn.view(-1, 1, SIZE, SIZE) + 0.01 * torch.randn(len(rows), 1, SIZE, SIZE, generator=generator)
        return Examples({"image": image}, drawn, parts, self.combination_id(parts))

    def swap(self, base: Examples, source: Examples, part: str) -> Swapped:
        parts = {**base.parts, part: source.parts[part]}
        return Swapped(drawn_at(torch.stack([parts[name] for name in self.combines], 1)), parts, self.combination_id(parts))


def drawn_at(rows: Tensor) -> Tensor:
    lines = torch.arange(SIZE) * 6 // SIZE
    horizontal, vertical = lines == rows[:, :1], lines == rows[:, 1:]
    return (horizontal[:, :, None] | vertical[:, None]).float().flatten(1)


class Painter(nn.Module):
    def __init__(self):
        super().__init__()
        self.wide = nn.Conv2d(1, 4, 3, padding=1)
        self.narrow = nn.Linear(4 * SIZE * SIZE, 10)
        self.back = nn.Linear(10, SIZE * SIZE)

    def forward(self, image: Tensor) -> Tensor:
        return self.back(self.narrow(self.wide(image).relu().flatten(1)))


def measured(**sizes) -> tuple[Evidence, list[str]]:
    torch.manual_seed(0)
    told: list[str] = []
    budgets = {"quick": dataclasses.replace(QUICK, **sizes)}
    evidence = run(
        Recombination(budgets=budgets),
        Subject(Painter()),
        Crosses(),
        effort="quick",
        progress=lambda doing, _: told.append(doing),
    )
    return evidence, told


@pytest.fixture(scope="module")
def unbounded() -> tuple[Evidence, list[str]]:
    return measured(work=None)


def test_wide_sites_are_left_out_first_and_said(unbounded):
    bounded, _ = measured(work=6e7)
    assert "wide:out" in unbounded[0].settings["sites read"]
    assert "wide:out" not in bounded.settings["sites read"]
    assert "narrow:out" in bounded.settings["sites read"]
    assert any("sites were left out by this effort" in told for told in bounded.not_tested)
    narrowest, _ = measured(work=1.0)
    assert narrowest.settings["sites read"] == "narrow:out"


def test_the_whole_output_is_kept_for_no_transplant(unbounded, monkeypatch):
    """Of a standard audit of 64 x 64 pixels these would be 13 GB."""
    from assay.instruments.former import search

    found = []
    plain = search.transplants

    def noted(*args, **options):
        found.append(plain(*args, **options))
        return found[-1]

    monkeypatch.setattr("assay.instruments.former.look.transplants", noted)
    again, _ = measured(work=None)
    assert [measure.value for measure in again.measures] == [measure.value for measure in unbounded[0].measures]
    for one in found:
        held = [value for value in vars(one).values() if isinstance(value, Tensor)]
        assert max(tensor.numel() for tensor in held) <= 60 * 18 * 2


def test_every_search_of_every_site_is_told(unbounded):
    _, told = unbounded
    for number in range(1, 1 + 1 + QUICK.random + QUICK.untrained):
        assert any(f"search {number} of 4: at narrow:out" in doing for doing in told)
    assert any(doing.startswith("companions: homomorphism") for doing in told)


def test_quick_trains_no_twins_and_says_so(unbounded):
    evidence, _ = unbounded
    assert "The null of shuffled labels was not run: this effort trains no networks." in evidence.not_tested
    assert all(null.name != "shuffled labels" for measure in evidence.measures for null in measure.nulls)


def test_twins_that_take_too_long_are_not_trained_and_short_ones_are():
    dear, _ = measured(shuffled=2, steps=2, training=1e6)
    (why,) = [told for told in dear.not_tested if "shuffled labels" in told]
    assert "was not run: training 2 twins takes about" in why
    cheap, told = measured(shuffled=2, steps=2, training=1e12)
    assert any(null.name == "shuffled labels" for measure in cheap.measures for null in measure.nulls)
    assert any("training twins on shuffled labels: training, loss" in doing for doing in told)
    assert [measure.value for measure in cheap.measures] == [measure.value for measure in dear.measures]


def test_what_fits_is_counted_from_sizes():
    places = [Site("a", (2, 5)), Site("b", (3,)), Site("c", (10,))]

    def kept(most: float | None) -> str:
        found = affordable(places, forward=100.0, examples=10, transplants=2, most=most)
        return "".join(site.name for site in found)

    whole = 2 * (3 * 100 + 10 * (10 + 3 + 10))
    assert kept(None) == kept(float(whole)) == "abc"
    assert kept(whole - 1.0) == "ab"
    assert kept(2 * (2 * 100 + 10 * (10 + 3)) - 1.0) == "b"
    assert kept(0.0) == "b"


def test_multiplications_are_those_of_matrices_at_every_position():
    image = {"image": torch.zeros(3, 1, SIZE, SIZE)}
    by_hand = 9 * 4 * SIZE**2 + 4 * SIZE**2 * 10 + 10 * SIZE**2
    assert multiplications(Subject(Painter()), image) == by_hand

    class Words(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding, self.inner, self.memory = nn.Embedding(9, 4), nn.Linear(4, 5), nn.GRU(5, 6, batch_first=True)

        def forward(self, tokens: Tensor) -> Tensor:
            return self.memory(self.inner(self.embedding(tokens)))[0]

    words = {"tokens": torch.zeros(2, 7, dtype=torch.int64)}
    assert multiplications(Subject(Words()), words) == 7 * (4 * 5 + 18 * 5 + 18 * 6)
    assert multiplications(Subject(nn.Identity()), {"input": torch.zeros(1, 3)}) == 0
