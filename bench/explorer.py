"""Milliseconds per frame of `assay explore` in this machine's browser, in WebAssembly, in plain JavaScript and by WebGL.

Run `python bench/explorer.py` with Chromium on the path. Each frame is the picture at 128 x 128 pixels after one weight of a
middle layer was moved, for evolved networks, most of whose weights are 0, and for fresh networks of the same shapes, whose
weights are all nonzero. Times are processor time of the page's thread, which does not depend on other load; for WebGL, which
draws elsewhere, wall time. Expected: at most 50 ms in WebAssembly, which the page uses where there is no GPU. If that is
exceeded, the page draws fewer pixels while a slider moves and all of them afterwards; the time printed last is that of such a
frame. A browser without a GPU emulates WebGL on the processor: `--webgl` times that too.
"""

import argparse
import tempfile
from pathlib import Path

import chromium
import torch

from assay.data.genomes import PICTURES, picture_genome
from assay.explore import drawing_of, write_explorer
from assay.models.cppn import Cppn
from assay.models.evolved import dense, shape_of

FRAMES = """(shown, way, size, frames) => {
  const layer = shown.network.depth() >> 1, weight = shown.all.find((one) => one.layer === layer) ?? shown.all[0];
  painter.choice = way;
  shown.draw(size, layer);
  const start = performance.now();
  for (let k = 0; k < frames; k++) {
    shown.network.set(weight, shown.network.get(weight) + 0.001);
    shown.draw(size, layer);
  }
  return (performance.now() - start) / frames;
}"""


def frame(page: chromium.Page, number: int, way: str, size: str, frames: int) -> float:
    """Milliseconds of a frame."""
    busy = _busy(page)
    on_the_clock = page.value(f"({FRAMES})(shown[{number}], '{way}', {size}, {frames})")
    return on_the_clock if way == "WebGL" else 1_000 * (_busy(page) - busy) / (frames + 1)


def _busy(page: chromium.Page) -> float:
    """Seconds of computation of the page's thread."""
    found = page.call("Performance.getMetrics")["metrics"]
    return next(one["value"] for one in found if one["name"] == "TaskDuration")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=10, help="frames of each kind")
    parser.add_argument(
        "--webgl", action="store_true", help="time WebGL even if it is emulated, which takes minutes to compile"
    )
    given = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    networks = {f"evolved {name}": dense(picture_genome(name)) for name in PICTURES}
    networks |= {f"fresh {name}": Cppn(**shape_of(picture_genome(name))) for name in PICTURES}
    with tempfile.TemporaryDirectory() as folder, chromium.page() as page:
        write_explorer(Path(folder), [drawing_of(one, name=name, copies=2) for name, one in networks.items()])
        page.call("Performance.enable", timeDomain="threadTicks")
        page.open(Path(folder) / "explorer.html")
        emulated = page.value("painter.shaders.software")
        drawn = not page.value("painter.shaders.lost") and (given.webgl or not emulated)
        print("WebGL: none" if page.value("painter.shaders.lost") else f"WebGL: {'emulated' if emulated else 'by a GPU'}")
        for number, name in enumerate(networks):
            ways = [*(["WebGL"] if drawn else []), "WebAssembly", "JavaScript"]
            for way in ways:
                whole = frame(page, number, way, f"shown[{number}].size", given.frames)
                page.value(f"painter.times.set(shown[{number}].network, {{ {way}: {whole} }})")
                size = page.value(f"shown[{number}].fitting()")
                small = frame(page, number, way, str(size), given.frames)
                print(f"{name}, {way}: {whole:.1f} ms at 128 x 128; while moving, {size} x {size}: {small:.1f} ms", flush=True)


if __name__ == "__main__":
    main()
