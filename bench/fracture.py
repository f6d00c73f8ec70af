"""Time of the responses to all weights at once, against a sweep that moves the weights one by one.

Run `python bench/fracture.py` with the genomes in reach of `assay data`. The sweep is the published method: every weight takes
several values, and the picture is drawn for each. Here two values per weight are used, the fewest that give a derivative (the
published sweep draws five). Its time is measured on some weights and multiplied up. Processor time, one thread, interleaved.
Expected: all weights of the skull at 64 x 64 pixels within .5 s, at least 100 times as fast as the sweep, and agreement of 1e-5
relative.
"""

import argparse
import time
from collections.abc import Callable

import torch
from torch import Generator, Tensor

from assay.data.genomes import PICTURES, picture_genome
from assay.models.cppn import Cppn, coordinates
from assay.models.evolved import dense
from assay.responses import overlap_of_weights, read_layers
from assay.subject import Subject

STEP = 1e-7  # at a larger one more pixels cross a kink of the colours, at a smaller one rounding shows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=64, help="pixels along a side")
    parser.add_argument(
        "--weights", type=int, default=50, help="weights that the sweep moves; its time is linear in their number"
    )
    given = parser.parse_args()
    torch.set_num_threads(1)
    for name in PICTURES:
        network = dense(picture_genome(name))
        x = coordinates(given.size)
        at_once, energies = timed(lambda network=network, x=x: responses(network, x.float()))
        own = torch.cat([energy.flatten() for energy in energies])
        live = (own > 1e-6 * own.max()).nonzero()[:, 0]
        chosen = live[torch.randperm(len(live), generator=Generator().manual_seed(0))[: given.weights]]
        whole = torch.cat([energy.flatten() for energy in responses(network.double(), x)])[chosen]
        found, smooth = sweep(network, x, chosen)
        exact = torch.cat([energy.flatten() for energy in responses(network, x, smooth)])[chosen]
        apart = float(((found - exact) / exact).abs().max())
        in_32_bits = float(((own[chosen] - whole) / whole).abs().max())
        timing, _ = timed(lambda network=network, x=x, chosen=chosen: sweep(network.float(), x.float(), chosen))
        full = timing / len(chosen) * len(own)
        print(
            f"{name}: {len(own)} weights at {given.size} x {given.size}: {at_once:.2f} s at once, {full:.1f} s one by one "
            f"({full / at_once:.0f} times; with five values a weight, {2.5 * full / at_once:.0f}); "
            f"{len(chosen)} weights differ by at most {apart:.1e} from differences in 64 bits (on all but "
            f"{int((~smooth).sum())} pixels, on a kink of the colours); rounding to 32 bits moves them by {in_32_bits:.1e}"
        )
        assert apart < 1e-5, "the responses of single weights differ from differences"


def responses(network: Cppn, x: Tensor, smooth: Tensor | None = None) -> list[Tensor]:
    """The energy of the response to every weight of every layer."""
    within = None if smooth is None else smooth[:, None].expand(-1, 3)
    return [overlap_of_weights(layer, within=within) for layer in read_layers(Subject(network), {"x": x}).layers]


@torch.no_grad()
def sweep(network: Cppn, x: Tensor, chosen: Tensor) -> tuple[Tensor, Tensor]:
    """The energies for some weights, from the pictures with each of them slightly larger and slightly smaller, and the pixels
    at which both one-sided differences agree for all of them."""
    now = network(x)
    sizes = torch.tensor([weight.numel() for weight in network.parameters()])
    starts = sizes.cumsum(0) - sizes
    found, kinks = [], torch.zeros(len(x), dtype=torch.bool)
    for number in chosen.tolist():
        layer = int((starts <= number).nonzero()[-1])
        flat = list(network.parameters())[layer].view(-1)
        place = number - int(starts[layer])
        before = flat[place].clone()
        flat[place] = before + STEP
        above = network(x)
        flat[place] = before - STEP
        below = network(x)
        flat[place] = before
        found.append(((above - below) / (2 * STEP)).square().sum(1))
        kinks |= ((above - 2 * now + below).abs() > 1e-3 * (above - below).abs() + 1e-12).any(1)
    return torch.stack(found).double()[:, ~kinks].sum(1), ~kinks


def timed(work: Callable[[], object], repeats: int = 3):
    """The smallest processor time of several runs, and the result of the last."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        result = work()
        times.append(time.process_time() - start)
    return min(times), result


if __name__ == "__main__":
    main()
