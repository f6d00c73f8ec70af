"""Whether a network learns the slot tasks, and whether it composes: scores on seen and on novel combinations.

    OMP_NUM_THREADS=1 python bench/slots.py [ADDRESS ...] [--steps 3000] [--seed 0] [--width 128]

Without addresses: every family except the trees, at three coverages and with every rule of novelty. Printed with the scores are
the share of the most frequent answer among the novel examples, and the seconds of training.
"""

import argparse

import torch
from torch import Generator

from assay.models import build, default_name
from assay.subject import Subject
from assay.tasks import load_task
from assay.training import TrainingConfig, fit

NUM_SCORED = 4000
COVERAGES = {
    "modular": (0.2, 0.5, 0.8),
    "modular:stages=3": (0.1, 0.2, 0.5, 0.8),
    "commands": (0.002, 0.02, 0.2, 0.5, 0.8),
    "commands:phrases=1,max_times=3": (0.1, 0.2, 0.5, 0.8),
    "binding": (0.01, 0.06, 0.2, 0.5, 0.8),
    "transducer": (0.01, 0.2, 0.5, 0.8),
    "digits": (0.05, 0.2, 0.5, 0.8),
    "digits:operation=times,digits=3": (0.05, 0.2, 0.5, 0.8),
}
RULED = (
    "modular:novel=pairs,coverage=0.8",
    "modular:stages=3,novel=pairs,coverage=0.8",
    "modular:stages=3,novel=depth,coverage=0.25",
    "commands:novel=primitive,coverage=0.5",
    "commands:novel=template,coverage=0.5",
    "commands:novel=length,coverage=0.5",
    "binding:novel=pairs,coverage=0.5",
    "binding:novel=roles,coverage=0.5",
    "binding:novel=objects,coverage=0.25",
    "transducer:novel=context,coverage=0.5",
    "transducer:novel=length,num_symbols=3,coverage=0.5",
    "digits:novel=carry,coverage=0.5",
    "digits:novel=pairs,coverage=0.8",
    "digits:targets=table,coverage=0.2",
)


def usual() -> list[str]:
    swept = [f"{task}{',' if ':' in task else ':'}coverage={share}" for task, shares in COVERAGES.items() for share in shares]
    return [*swept, *RULED]


def line(address: str, options: argparse.Namespace) -> str:
    task = load_task(address)
    config = TrainingConfig(steps=options.steps, batch_size=256, learning_rate=3e-3, weight_decay=1e-2, seed=options.seed)
    model = build(default_name(task), task, width=options.width, depth=2, generator=Generator().manual_seed(options.seed))
    record = fit(model, task, config=config)
    scores, commonest = [], 0.0
    for split in ("seen", "novel"):
        examples = task.examples(split, NUM_SCORED, generator=Generator().manual_seed(5))
        scores.append(f"{task.score(Subject(model)(examples.inputs), examples).mean().item():.3f}")
        commonest = examples.targets.bincount().max().item() / len(examples)
    counts = [str(len(task.combinations(split))) for split in ("train", "novel")]
    return " | ".join([address, *counts, *scores, f"{commonest:.2f}", f"{record.cpu_seconds:.1f}"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("addresses", nargs="*")
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--width", type=int, default=128)
    options = parser.parse_args()
    torch.set_num_threads(1)
    print("task | trained | novel | score, seen | score, novel | commonest answer | CPU seconds")
    for address in options.addresses or usual():
        print(line(address, options), flush=True)


if __name__ == "__main__":
    main()
