"""Coherence with the exchange that the language declares, in networks of the test bed that lie in a folder.

`python experiments/testbed/exchanged.py DIR NAME ...`, where DIR is the folder `weights` of `population.py`.
"""

import sys
from pathlib import Path

import torch
from making import EVERYTHING, loaded, network_of, recipes

from assay.instruments.fracture.coherence import coherence
from assay.responses import balanced, read_layers
from assay.stats import keyed_generator

EXAMPLES = 56


def main(folder: str, *names: str) -> None:
    for name in names:
        recipe = next(one for one in recipes(1) if one.name == name)
        task, (network, _) = loaded(recipe.task), network_of(recipe, Path(folder))
        right = []
        for split in ("seen", "novel"):
            examples = task.examples(split, EVERYTHING, generator=keyed_generator(0, split))
            right.append(float(task.objective.score(network(examples.inputs), examples.targets).mean()))
        regular = task.regular(EXAMPLES, generator=keyed_generator(0, "regular"))
        read = read_layers(network, regular.examples.inputs, centred=True)
        found = coherence([balanced(layer) for layer in read.layers], read.outputs, regular.regularities[0])
        half, as_one = 1.96 * float(found.units.std()) / len(found.units) ** 0.5, float(found.sharing()[0].mean())
        print(
            f"{name}: seen {right[0]:.3f}, novel {right[1]:.3f}, coherence {found.value:.3f} +- {half:.3f}, "
            f"as one {as_one:.2f} of {len(found.units)}, outputs {found.of_outputs:.3f}",
            flush=True,
        )


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(*sys.argv[1:])
