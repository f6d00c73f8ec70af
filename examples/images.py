"""Images of one's own: patterns in colours, of which half of all pairs are trained. The report shows what fails as pictures."""

from pathlib import Path

import torch
from torch import Tensor, nn

import assay
from assay.report import figures_of
from assay.report.canvas import Svg

KINDS = 8


def pictures(generator: torch.Generator, copies: int = 6) -> tuple[Tensor, Tensor, Tensor]:
    """Noisy pictures `(n, 3, 8, 8)` of every pattern in every colour, with the numbers of both."""
    colours = 0.3 + 0.7 * torch.rand(KINDS, 3, generator=generator)
    patterns = (torch.rand(KINDS, 8, 8, generator=generator) > 0.5).float()
    colour, pattern = torch.cartesian_prod(torch.arange(KINDS), torch.arange(KINDS)).repeat(copies, 1).T
    images = colours[colour][:, :, None, None] * patterns[pattern][:, None]
    return (images + 0.05 * torch.randn(images.shape, generator=generator)).clamp(0, 1), colour, pattern


def main(folder: str = "", *, steps: int = 300) -> Svg:
    """Seen and novel scores; with a folder also the report."""
    generator = torch.Generator().manual_seed(0)
    images, colour, pattern = pictures(generator)
    novel = (colour + pattern) % 2 == 0  # no exchange of values takes a novel pair to a trained one
    targets = KINDS * colour + pattern
    task = assay.Table(
        inputs={"input": images},  # as the forward of nn.Sequential calls it
        targets=targets,
        parts={"colour": colour, "pattern": pattern},
        split=novel,
        objective=assay.Classification(KINDS**2),
    )
    torch.manual_seed(0)
    see = (nn.Conv2d(3, 16, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16 * 36, 64), nn.ReLU())
    network = nn.Sequential(*see, nn.Linear(64, KINDS**2))
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3)
    for _ in range(steps):
        optimiser.zero_grad()
        nn.functional.cross_entropy(network(images[~novel]), targets[~novel]).backward()
        optimiser.step()
    subject = assay.Subject(network, name="pictures")
    instruments = [assay.load_instrument("systematicity")]
    result = assay.audit(subject, task, effort="quick", instruments=instruments, progress=None)
    print(result.verdict.sentence)
    if folder:
        print(assay.write_report(Path(folder), result))
    return figures_of(result.evidence[0])["measures"]


if __name__ == "__main__":
    torch.set_num_threads(1)
    main("images-report")
