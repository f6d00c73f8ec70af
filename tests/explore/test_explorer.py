"""The explorer: its page in a real browser, held against PyTorch, and what has no page."""

import base64
import json
import re
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from assay.cli import main
from assay.errors import AssayError
from assay.explore import drawing as drawings
from assay.explore import drawing_at, drawing_of, explorer_html, write_explorer
from assay.models.cppn import Cppn, coordinates
from assay.models.evolved import butterfly, skull
from assay.regularity import Regularity
from assay.responses import overlap_of_rows, read_layers
from assay.store import RunDirectory
from assay.subject import Subject
from assay.training import train
from bench import chromium

pytestmark = pytest.mark.slow
browser = pytest.mark.skipif(chromium.BROWSER is None, reason="needs Chromium on the path")


def _dense(seed: int = 0, **counts: int) -> Cppn:
    """A network with a weight in every place, and all activations."""
    kinds = {"identity": 3, "cos": 1, "gaussian": 2, "sigmoid": 1, "sin": 1, "tanh": 1} | counts
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Cppn(depth=3, **kinds).eval()


def _data(page: str) -> dict:
    found = re.search(r'<script id="networks" type="application/json">(.*?)</script>', page)
    assert found
    return json.loads(found[1])


def _unpacked(text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), dtype="<f4")


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """The page of three networks, opened; what an earlier test moved is put back."""
    networks = {"skull": skull(), "butterfly": butterfly(), "dense": _dense()}
    folder = tmp_path_factory.mktemp("explorer")
    write_explorer(folder, [drawing_of(one, name=name, copies=2) for name, one in networks.items()], size=64)
    with chromium.page() as page:
        page.open(folder / "explorer.html")
        yield page, list(networks.values())


@pytest.fixture
def page(shown):
    shown[0].value("choice.value = 'fastest'; painter.choice = 'fastest'; for (const one of shown) one.reset()")
    return shown


def _drawn(page: chromium.Page, number: int) -> np.ndarray:
    """Colours in [0, 1] of the large picture, once it rests."""
    page.wait(f"!shown[{number}].waiting && !shown[{number}].small")
    data = page.value(
        f"[...shown[{number}].picture.getContext('2d').getImageData(0, 0, shown[{number}].size, shown[{number}].size).data]"
    )
    return np.array(data).reshape(64, 64, 4)[..., :3] / 255


@torch.no_grad()
def _expected(network: Cppn, weight: dict | None = None, value: float = 0.0) -> np.ndarray:
    """The picture, with one weight at a value."""
    state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    if weight is not None:
        state[list(state)[weight["layer"]]][weight["to"], weight["from"]] = value
    drawn = torch.func.functional_call(network, state, (coordinates(64).float(),))
    return drawn.reshape(64, 64, 3).numpy()


# In a browser


@browser
@pytest.mark.parametrize(
    ("number", "way"), [(0, "WebGL"), (2, "WebGL"), *((k, way) for way in ("WebAssembly", "JavaScript") for k in range(3))]
)
def test_a_slider_that_is_moved_draws_what_pytorch_draws(page, number, way):
    page, networks = page
    page.value(f"painter.choice = '{way}'")
    before = _drawn(page, number)
    assert abs(before - _expected(networks[number])).max() < 1e-2
    page.value(f"shown[{number}].article.querySelectorAll('.slider input')[1].focus()")
    page.press("Home")
    page.wait(f"shown[{number}].speed.textContent.startsWith('{way}')")
    weight, value = page.value("[document.activeElement.weight, Number(document.activeElement.value)]")
    after = _drawn(page, number)
    assert abs(after - before).max() > 0.05
    assert abs(after - _expected(networks[number], weight, value)).max() < 1e-2
    assert page.value("document.activeElement.parentElement.querySelector('output').textContent") != "1.00"
    whole = f"new PixelGrid(shown[{number}].network, 32).values.at(-1)"  # computed from the start
    held = f"painter.grid(shown[{number}].network, 32).values.at(-1)"
    assert page.value(f"[...{held}]") == page.value(f"[...{whole}]")


@browser
def test_buttons_set_out_the_most_and_the_least_coherent_weights(page):
    page, _ = page
    for number in (0, 2):
        article = f"#network-{number}"
        found = {}
        for place, name in enumerate(("most", "least"), 1):
            page.click(f"{article} .buttons button:nth-child({place})")
            found[name] = page.value(
                f"[...shown[{number}].sliders.querySelectorAll('input')].map((one) => shown[{number}].of('kept', one.weight))"
            )
        assert len(found["most"]) == len(found["least"]) == 4
        assert found["most"] == sorted(found["most"], reverse=True)
        assert found["least"] == sorted(found["least"])
        assert min(found["most"]) > max(found["least"])
    text = page.value("document.querySelector('#network-2 .slider').textContent")
    assert re.search(
        r"response \.?[\d.]+, coherent \.\d\d; the same weight in untrained copies \.\d\d \(\.\d\d to \.\d\d\)", text
    )


@browser
def test_a_reset_and_a_map_and_a_choice(page):
    page, networks = page
    page.value("document.querySelector('#network-0 .slider input').focus()")
    page.press("End")
    page.wait("shown[0].speed.textContent !== ''")
    assert abs(_drawn(page, 0) - _expected(networks[0])).max() > 0.05
    page.click("#network-0 .reset")
    assert abs(_drawn(page, 0) - _expected(networks[0])).max() < 1e-2
    # The map in the middle of row 2 belongs to a unit of the second hidden layer.
    box = page.value(
        "(() => { const maps = shown[2].maps; maps.scrollIntoView({block: 'center'}); const box = maps.getBoundingClientRect();"
        " return [box.x + box.width * 2.5 / 9, box.y + box.height * 2.5 / 4]; })()"
    )
    for kind in ("mousePressed", "mouseReleased"):
        page.call("Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=1)
    entering = page.value("[...shown[2].sliders.querySelectorAll('input')].map((one) => [one.weight.layer, one.weight.to])")
    assert entering == [[1, 2]] * 4
    page.value("Object.assign(shown[2].article.querySelector('select'), {value: '3,1'}).dispatchEvent(new Event('change'))")
    assert page.value("shown[2].sliders.querySelector('input').weight.to") == 1
    assert "layer 4" in page.value("shown[2].sliders.textContent")


@browser
def test_maps_are_what_the_units_hold(page):
    page, networks = page
    held = np.array(page.value("[...painter.grid(shown[2].network, 32).unit(2, 4)]"))
    with torch.no_grad():
        expected = networks[2].layers[:4](coordinates(32).float())[:, 4].numpy()
    assert abs(held - expected).max() < 1e-5


@browser
def test_a_sweep_is_a_strip_of_pictures(page):
    page, networks = page
    page.click("#network-0 .slider .sweep")
    page.wait("document.querySelector('#network-0 .strips img').complete")
    high, wide, *data = page.value(
        "(() => { const image = document.querySelector('#network-0 .strips img'), canvas = document.createElement('canvas');"
        " [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];"
        " const context = canvas.getContext('2d'); context.drawImage(image, 0, 0);"
        " return [canvas.height, canvas.width, ...context.getImageData(0, 0, canvas.width, canvas.height).data]; })()"
    )
    assert (high, wide) == (64 + 18, 9 * 66 - 2)
    strip = np.array(data).reshape(high, wide, 4)[..., :3] / 255
    link = page.value(
        "(() => { const one = document.querySelector('#network-0 .strips a'); return [one.download, one.href]; })()"
    )
    assert link[0].endswith(".png")
    assert link[1].startswith("data:image/png")
    weight = page.value("document.querySelector('#network-0 .slider input').weight")
    low, high = page.value("[...['min', 'max']].map((one) => Number(document.querySelector('#network-0 .slider input')[one]))")
    for k in (0, 4, 8):
        expected = _expected(networks[0], weight, low + k * (high - low) / 8)
        assert abs(strip[:64, k * 66 : k * 66 + 64] - expected).max() < 1e-2
    assert abs(_drawn(page, 0) - _expected(networks[0])).max() < 1e-2  # as it was


@browser
def test_the_page_asks_for_nothing_fits_and_has_no_error(page):
    page, _ = page
    assert [one for one in page.requests if not one.startswith("data:")] == page.requests[:1]
    assert page.requests[0].startswith("file:")
    assert page.errors == []
    for width in (1280, 390):
        page.window(width, 800)
        assert page.value("document.documentElement.scrollWidth") <= width
    colours = []
    for dark in (False, True):
        page.window(600, 400, dark=dark)
        colours.append(page.value("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"))
    assert min(colours[0]) > 240
    assert max(colours[1]) < 40


@browser
@pytest.mark.parametrize(("lacks", "way"), [("nothing", "WebAssembly"), ("WebAssembly", "JavaScript")])
def test_what_a_browser_lacks_is_drawn_in_the_next_way(tmp_path, lacks, way):
    write_explorer(tmp_path, [drawing_of(_dense(), name="dense", copies=2)], size=64)
    with chromium.page("--disable-3d-apis") as page:
        page.call("Page.addScriptToEvaluateOnNewDocument", source=f"delete globalThis.{lacks}")
        page.open(tmp_path / "explorer.html")
        assert page.value("painter.shaders.lost")
        for choice in ("WebGL", "WebAssembly"):
            page.value(f"painter.choice = '{choice}'; document.querySelector('.slider input').focus()")
            page.press("ArrowRight")
            page.wait(f"shown[0].speed.textContent.startsWith('{way}')")
        weight, value = page.value("[document.activeElement.weight, Number(document.activeElement.value)]")
        assert abs(_drawn(page, 0) - _expected(_dense(), weight, value)).max() < 1e-2
        assert page.errors == []


@browser
def test_weights_moved_in_any_order_of_layers_are_drawn_as_from_the_start(page):
    """What is kept between two moves is what enters the layer that was moved last; 7 x 7 pixels fill no whole tile."""
    page, _ = page
    apart = page.value("""[7, 64].map((size) => {
      const network = new Network(shown[2].given), tiles = new Tiles(network, size);
      return Math.max(...[0, 1, 2, 3, 3, 2, 3, 1, 3, 1, 1, 2, 0, 3].map((layer) => {
        network.weights[layer][2] += 0.4;
        tiles.run(layer);
        const whole = new PixelGrid(network, size).pixels();
        return Math.max(...tiles.pixels().map((value, k) => Math.abs(value - whole[k])));
      }));
    })""")
    assert max(apart) <= 1  # of 255: both round


@browser
def test_a_slow_network_takes_fewer_pixels_while_it_is_moved(page):
    page, networks = page
    page.value("painter.choice = 'JavaScript'; painter.times.set(shown[2].network, { JavaScript: 150, WebAssembly: 1 })")
    assert page.value("shown[2].fitting()") == 32
    page.value("painter.times.set(shown[2].network, { JavaScript: 40 })")
    assert page.value("shown[2].fitting()") == 64
    time.sleep(0.3)
    assert abs(_drawn(page, 2) - _expected(networks[2])).max() < 1e-2


# What stands on the page


def test_responses_and_nulls_are_those_of_differences_and_copies():
    network = _dense()
    found = drawing_of(network, name="dense", copies=3, seed=5)
    x, flip = coordinates(drawings.SIZE), torch.arange(drawings.SIZE**2).reshape(drawings.SIZE, -1).flip(1).flatten()
    network = network.double()
    with torch.no_grad():
        for layer, to, of in ((0, 2, 1), (2, 5, 3), (3, 0, 6)):
            weight = list(network.parameters())[layer]
            moved = []
            for sign in (1, -1):
                weight[to, of] += sign * 1e-6
                moved.append(network(x))
                weight[to, of] -= sign * 1e-6
            change = (moved[0] - moved[1]) / 2e-6
            size = float(change.square().sum(1).mean().sqrt())
            kept = float(((change + change[flip]) / 2).square().sum() / change.square().sum())
            assert float(found.own.size[layer][to, of]) == pytest.approx(size, rel=1e-3)
            assert float(found.own.kept[layer][to, of]) == pytest.approx(kept, rel=1e-3)
    every = torch.stack([copy.kept[1] for copy in found.copies])
    assert len({float(copy.whole) for copy in found.copies}) == 3
    torch.testing.assert_close(found.low[1], every.amin(0))
    torch.testing.assert_close(found.mean[1], every.mean(0))
    torch.testing.assert_close(found.high[1], every.amax(0))
    again = drawing_of(_dense(), name="dense", copies=3, seed=5)
    assert torch.equal(again.mean[0], found.mean[0])


def test_coherence_over_all_weights_is_the_instruments():
    read = read_layers(Subject(skull()), {"x": coordinates(64).float()})
    flip = torch.arange(64 * 64).reshape(64, 64).flip(1).flatten()
    assert len(Regularity.generated("flip", [flip], num_outputs=3).rows) == 2
    own, other = (sum(float(overlap_of_rows(layer, *rows).sum()) for layer in read.layers) for rows in ((), (flip,)))
    found = drawing_at("assay.models.evolved:skull", copies=2)
    assert found.own.whole == pytest.approx((own + other) / (2 * own))
    assert found.own.interval.low < found.own.whole < found.own.interval.high
    assert found.own.of_picture == pytest.approx(0.854, abs=1e-3)


def test_a_network_that_nothing_moves_is_undefined_and_its_page_has_no_number():
    network = _dense()
    with torch.no_grad():
        for weight in network.parameters():
            weight.zero_()
    found = drawing_of(network, name="</script><b>dead\u202e", copies=2)
    assert found.own.whole is None
    assert found.own.interval is None
    assert all(bool(kept.isnan().all()) for kept in found.own.kept)
    page = explorer_html([found])
    assert "</script><b>dead" not in page
    assert "\u202e" not in page + json.dumps(_data(page), ensure_ascii=False)
    assert _data(page)["networks"][0]["whole"] is None
    assert np.isnan(_unpacked(_data(page)["networks"][0]["kept"][0])).all()


def test_weights_are_on_the_page_to_the_bit():
    network = _dense()
    (found,) = _data(explorer_html([drawing_of(network, name="dense", copies=2)]))["networks"]
    assert found["sizes"] == [4, 9, 9, 9, 3]
    assert found["kinds"][0] == ["identity", 3]
    for packed, weight in zip(found["weights"], network.parameters(), strict=True):
        assert _unpacked(packed).tobytes() == weight.detach().numpy().tobytes()


# Addresses


def test_runs_genomes_and_factories_are_explored(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    train("picture:skull,size=8", "cppn", out=tmp_path / "run", config={"steps": 2, "batch_size": 64}, progress=None)
    assert RunDirectory.open(tmp_path / "run").read_record().model == "cppn"
    from assay.data.registry import fetch

    genome = str(fetch("picbreeder", "skull.zip"))
    assert main(["explore", "run", genome, "assay.models.evolved:skull", "--copies", "2", "--size", "16", "--quiet"]) == 0
    assert capsys.readouterr().out == "explorer/explorer.html\n"
    data = _data((tmp_path / "explorer" / "explorer.html").read_text())
    assert [one["name"] for one in data["networks"]] == ["run", "skull.zip", "assay.models.evolved:skull"]
    assert data["networks"][1]["weights"] == data["networks"][2]["weights"] != data["networks"][0]["weights"]
    assert data["size"] == 16
    nodes = [{"key": 2, "activation": "sin"}]
    archive = {"img_1": {"nodes": nodes, "connections": [{"from": -1, "to": 2, "weight": 2.0}]}}
    Path("genomes.json").write_text(json.dumps(archive))
    found = drawing_at("genomes.json#img_1", copies=2)
    assert found.name == "genomes.json#img_1"
    assert found.own.of_picture == pytest.approx(1, abs=1e-3)  # the brightness is the size of sin(2 x)
    assert main(["explore", "run", "--out", "explorer"]) == 2
    assert "new or empty" in capsys.readouterr().err


CYCLE = """<d><genome age="1">
<nodes><node label="ink"><marking branch="1" id="1"/><activation>sin(x)</activation></node></nodes>
<links><link><source branch="1" id="1"/><target branch="1" id="1"/><weight>1</weight></link></links></genome></d>"""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (CYCLE, "free of cycles"),
        (CYCLE.replace("sin(x)", "softmax(x)"), "must be a known one"),
        ("<!DOCTYPE d [<!ENTITY a 'b'>]>" + CYCLE, "plain XML"),
        ("PK", "whole zip"),
    ],
)
def test_a_genome_that_is_none_gives_no_page(tmp_path, monkeypatch, capsys, text, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "genome.xml").write_text(text)
    assert main(["explore", "genome.xml"]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "explorer").exists()


def test_other_networks_and_numbers_are_refused(tmp_path, monkeypatch):
    (tmp_path / "torch_factory_of_a_test.py").write_text("import torch\n\n\ndef linear():\n    return torch.nn.Linear(2, 2)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(AssayError, match=r"must be a pattern-producing one.*a Linear"):
        drawing_at("torch_factory_of_a_test:linear")
    with pytest.raises(AssayError, match="1 to 8 networks"):
        explorer_html([])
    found = drawing_of(_dense(), name="dense", copies=2)
    with pytest.raises(AssayError, match="1 to 8 networks"):
        explorer_html([found] * 9)
    with pytest.raises(AssayError, match="16 to 512"):
        explorer_html([found], size=8)
    with pytest.raises(AssayError, match="2 to 100"):
        drawing_of(_dense(), name="dense", copies=1)
    monkeypatch.setattr(drawings, "MOST_WEIGHTS", 10)
    with pytest.raises(AssayError, match="at most 10 weights"):
        drawing_of(_dense(), name="dense")
    monkeypatch.undo()
    broken = _dense()
    with torch.no_grad():
        next(broken.parameters()).fill_(torch.nan)
    with pytest.raises(AssayError, match="finite colours"):
        drawing_of(broken, name="broken")


def test_a_seed_draws_the_copies():
    state = torch.get_rng_state()
    one, two = (drawing_of(_dense(), name="dense", copies=2, seed=seed) for seed in (0, 1))
    assert torch.equal(torch.get_rng_state(), state)
    assert one.copies[0].whole != two.copies[0].whole
