"""The page of a circuit in a real browser: nodes and edges are those of the network, a chosen node shows its examples."""

import json
import re
from itertools import pairwise

import pytest
import torch
from planted_circuits import SameSign, subject
from torch import nn

from assay.errors import AssayError
from assay.explore import circuit_html, find_circuit, write_circuit
from assay.subject import Subject
from bench import chromium

pytestmark = pytest.mark.slow
browser = pytest.mark.skipif(chromium.BROWSER is None, reason="needs Chromium on the path")


@pytest.fixture(scope="module")
def found():
    return find_circuit(subject(), SameSign(), effort="quick")


def content(page: str) -> dict:
    held = re.search(r'<script id="circuit" type="application/json">(.*?)</script>', page)
    assert held
    return json.loads(held[1])


def test_the_page_holds_the_planted_nodes_and_weights(found):
    data = content(circuit_html(found))
    names = [node["name"] for node in data["nodes"]]
    assert names == ["layers.0:in 0", "layers.0:in 1", "layers.2:in 3", "layers.2:in 9", "answer 0"]
    weights = {(names[edge["from"]], names[edge["to"]]): edge["weight"] for edge in data["edges"]}
    assert weights == {
        ("layers.0:in 0", "layers.2:in 3"): 1.0,
        ("layers.0:in 1", "layers.2:in 3"): 1.0,
        ("layers.0:in 0", "layers.2:in 9"): -1.0,
        ("layers.0:in 1", "layers.2:in 9"): -1.0,
        ("layers.2:in 3", "answer 0"): 12.0,
        ("layers.2:in 9", "answer 0"): 12.0,
    }
    held = torch.tensor(data["nodes"][2]["states"])[:, 0]
    bits = torch.tensor([[float(token.replace("\u2212", "-")) for token in one["tokens"]] for one in data["examples"]])
    assert torch.equal(held, (bits[:, 0] + bits[:, 1] - 1).relu())


def test_markup_in_a_name_stays_text(found):
    page = circuit_html(found, words=["<script>alert(1)</script>", "b"])
    assert "<script>alert(1)" not in page
    assert content(page)["nodes"][-1]["name"] == "answer <script>alert(1)</script>"


@browser
def test_a_node_is_chosen_by_mouse_and_by_key_and_shows_weights_and_examples(found, tmp_path):
    path = write_circuit(tmp_path / "circuit.html", found)
    with chromium.page() as page:
        page.open(path)
        assert page.value("document.querySelectorAll('.node').length") == 5
        assert page.value("document.querySelectorAll('line').length") == 6
        assert page.value("document.querySelectorAll('line.negative').length") == 2
        assert page.value("document.querySelectorAll('#detail .example').length") == 0
        page.value("document.querySelectorAll('.node')[2].dispatchEvent(new MouseEvent('click'))")
        assert page.value("document.querySelector('#detail h2').textContent") == "layers.2:in 3"
        assert page.value("document.querySelectorAll('#detail .weights li').length") == 3
        assert page.value("document.querySelectorAll('#detail .example').length") == 12
        first = page.value(
            "[...document.querySelectorAll('#detail .example')[0].querySelectorAll('span')].map((s) => s.textContent)"
        )
        assert first[:2] == ["1", "1"] or first[:2] == ["1.00", "1.00"]  # the unit that sees both on
        assert page.value("document.querySelectorAll('line.dim').length") == 3
        page.value("document.querySelectorAll('.node')[3].focus()")
        page.press("Enter")
        assert page.value("document.querySelector('#detail h2').textContent") == "layers.2:in 9"
        assert page.errors == []
        assert page.requests == [path.resolve().as_uri()]


@browser
def test_columns_are_as_wide_as_the_parts_of_a_name_between_dots(found, tmp_path):
    path = tmp_path / "circuit.html"
    path.write_text(circuit_html(found).replace('"layers.0:in"', '"blocks.0.attention.query:in"'))
    with chromium.page() as page:
        page.open(path)
        headings = "[...document.querySelectorAll('text.place')]"
        parts = page.value(f"{headings}.map((one) => [...one.children].map((part) => part.textContent))")
        assert parts == [["blocks.0", "attention", "query:in"], ["layers.2:in"], ["answer"]]
        boxes = page.value(f"{headings}.map((one) => one.getBoundingClientRect()).map((box) => [box.left, box.right])")
        assert all(end < start for (_, end), (start, _) in pairwise(boxes))
        assert page.value("document.querySelector('#graph svg').viewBox.baseVal.width") == 3 * (14 + 6 * len("layers.2:in"))
        node, heading = (
            page.value(f"document.querySelector('{one}').getBoundingClientRect().y") for one in (".node", ".place")
        )
        assert node > heading + 3 * 15  # below all rows of the longest heading


def test_what_cannot_be_drawn_says_why():
    torch.manual_seed(0)
    blank = Subject(nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 2)))
    with pytest.raises(AssayError, match="must reach a loss of"):
        find_circuit(blank, SameSign(), effort="quick")
    with pytest.raises(AssayError, match="must be found first"):
        find_circuit(subject(), SameSign(few=(1, 0)), effort="quick")
