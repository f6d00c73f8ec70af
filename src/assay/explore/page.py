"""`explorer.html`: one self-contained file; the networks run in the browser."""

import base64
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor, nn

from assay.bounds import check_whole
from assay.data.genomes import INPUTS, OUTPUTS
from assay.errors import AssayError
from assay.explore.drawing import SIZE, ExplorerDrawing
from assay.printable import printable
from assay.report.page import render
from assay.store import write_bytes_atomically
from assay.versions import versions_of

PAGE = "explorer.html"
SHOWN = 128
"""Pixels along a side of the pictures on the page."""
MOST = 8
"""The most networks on one page."""
_FOLDER = Path(__file__).parent


def write_explorer(folder: Path, drawings: Sequence[ExplorerDrawing], *, size: int = SHOWN) -> Path:
    """Write `explorer.html`. **Returns:** its path. **Raises:** `AssayError` as `explorer_html` does.

    Example::

        write_explorer(Path("skull"), [drawing_at("assay.models.evolved:skull"), drawing_at("runs/skull")])
    """
    page = folder / PAGE
    write_bytes_atomically(page, explorer_html(drawings, size=size).encode())
    return page


def explorer_html(drawings: Sequence[ExplorerDrawing], *, size: int = SHOWN) -> str:
    """The page: networks side by side, each with its picture, sliders on weights and the maps of its units.

    **Arguments:** `size`: pixels along a side of the pictures.

    **Raises:** `AssayError` for no network, more than eight, and a size beyond 16 to 512.
    """
    from markupsafe import Markup

    if not 0 < len(drawings) <= MOST:
        raise AssayError(f"an explorer must show 1 to {MOST} networks", given=f"{len(drawings)}")
    check_whole("pixels along a side of an explorer's pictures", size, least=16, most=512)
    script = "\n".join((_FOLDER / name).read_text() for name in ("engine.js", "compiled.js", "explorer.js"))
    data = {"size": size, "inputs": INPUTS, "outputs": OUTPUTS, "networks": [_network(one) for one in drawings]}
    return render(
        "explorer.html.j2",
        names=[drawing.name for drawing in drawings],
        copies=len(drawings[0].copies),
        measured_at=SIZE,
        script=script,
        data=Markup(json.dumps(data).replace("<", "\\u003c")),
        version=versions_of("assay").get("assay", ""),
    )


def _network(drawing: ExplorerDrawing) -> Mapping[str, Any]:
    matrices = [layer.weight.detach() for layer in drawing.network.layers if isinstance(layer, nn.Linear)]
    own, copies = drawing.own, [copy.whole for copy in drawing.copies if copy.whole is not None]
    return {
        "name": printable(drawing.name),
        "sizes": [matrices[0].shape[1], *(matrix.shape[0] for matrix in matrices)],
        "kinds": list(drawing.network.counts.items()),
        "weights": [_packed(matrix) for matrix in matrices],
        "response": [_packed(one) for one in own.size],
        "kept": [_packed(one) for one in own.kept],
        "low": [_packed(one) for one in drawing.low],
        "mean": [_packed(one) for one in drawing.mean],
        "high": [_packed(one) for one in drawing.high],
        "whole": own.whole,
        "interval": [own.interval.low, own.interval.high] if own.interval else None,
        "copies": copies,
        "picture": own.of_picture,
    }


def _packed(matrix: Float[Tensor, "j i"]) -> str:
    """32-bit little-endian numbers, row by row, as base64."""
    return base64.b64encode(matrix.numpy().astype(np.dtype("<f4")).tobytes()).decode()
