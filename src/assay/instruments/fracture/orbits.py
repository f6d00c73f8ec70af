"""Inputs that a regularity exchanges, for people to look at."""

import torch

from assay.regularity import Regular
from assay.stored_examples import MOST_CHARACTERS, MOST_EXAMPLES, cut, png_text, shown_inputs
from assay.task import Task

EXCHANGED = " \N{LEFT RIGHT ARROW} "


def orbits_shown(regular: Regular, task: Task) -> dict[str, dict[str, dict[int, str]]]:
    """Inputs as text and as pictures (`Evidence.inputs`, `Evidence.images`) of at most 200 orbits, by the smallest index in
    each: all inputs of an orbit side by side. With several regularities that of each text is named.

    Example::

        >>> from assay.instruments.fracture.orbits import orbits_shown
        >>> task = assay.load_task("digits")
        >>> shown = orbits_shown(task.regular(6, generator=torch.Generator().manual_seed(0)), task)
        >>> len(shown["inputs"]["orbit"])
        3
    """
    several, num = len(regular.regularities) > 1, MOST_EXAMPLES // max(1, len(regular.regularities))
    texts: dict[int, list[str]] = {}
    images: dict[int, str] = {}
    for one in regular.regularities:
        for orbit in one.orbits().unique()[:num].tolist():
            rows = torch.tensor(list(dict.fromkeys(one.rows[:, orbit].tolist())))
            written, pictures = shown_inputs(regular.examples.take(rows), task)
            if any(written):
                # Each is cut, so that none of them is lost at the end.
                most = max(2, MOST_CHARACTERS // (len(written) * len(regular.regularities)) - len(EXCHANGED))
                text = EXCHANGED.join(cut(own, most) for own in written)
                texts.setdefault(orbit, []).append(f"{one.name}: {text}" if several else text)
            found = [picture for picture in pictures if picture is not None]
            if found and orbit not in images:
                images[orbit] = png_text(torch.stack(found))
    inputs = {orbit: cut("; ".join(each)) for orbit, each in texts.items()}
    return {"inputs": {"orbit": inputs}, "images": {"orbit": images}}
