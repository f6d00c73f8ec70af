"""Time of FG-ARI in closed form for a batch, against scikit-learn's adjusted_rand_score scene by scene.

Run `python bench/segmentation.py`: 512 scenes of 64 x 64 pixels with 7 segments and 7 true labels; both get the labels of all
pixels. Processor time, one thread, interleaved. Expected: at least 50 times as fast, and agreement of 1e-6.
"""

import argparse
import time

import torch
from sklearn.metrics import adjusted_rand_score
from torch import Generator

from assay.instruments.binding.segmentation import contingency, fg_ari


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, default=512)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--segments", type=int, default=7)
    parser.add_argument("--turns", type=int, default=5)
    given = parser.parse_args()
    torch.set_num_threads(1)
    generator = Generator().manual_seed(0)
    shape = given.scenes, given.size, given.size
    objects = torch.randint(given.segments, shape, generator=generator)
    segments = torch.where(
        torch.rand(shape, generator=generator) < 0.7, objects, torch.randint(given.segments, shape, generator=generator)
    )
    ours, theirs = [], []
    for _ in range(given.turns):
        start = time.process_time()
        closed = fg_ari(contingency(segments, objects))
        ours.append(time.process_time() - start)
        start = time.process_time()
        loop = [
            adjusted_rand_score(truth[truth > 0], found[truth > 0])
            for truth, found in zip(objects.flatten(1).numpy(), segments.flatten(1).numpy(), strict=True)
        ]
        theirs.append(time.process_time() - start)
    apart = float((closed - torch.tensor(loop, dtype=torch.float64)).abs().max())
    quick, slow = sorted(ours)[given.turns // 2], sorted(theirs)[given.turns // 2]
    print(
        f"{given.scenes} scenes of {given.size} x {given.size}, {given.segments} segments: {quick * 1e3:.1f} ms "
        f"in closed form, {slow * 1e3:.0f} ms with scikit-learn ({slow / quick:.0f} times); they differ by at most {apart:.1e}"
    )
    assert apart < 1e-6


if __name__ == "__main__":
    main()
