"""`assay train`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from assay.cli.command import Command, Trust
from assay.cli.terminal import Terminal
from assay.display import number
from assay.models import NAMES

_RECOMMENDED = "(default: recommended for model and task)"
_MODELS_OWN = "(default: the model's own)"


@dataclass(frozen=True, kw_only=True)
class Train(Command):
    """Train a reference network on a task and keep it in a folder.

    TASK is a name from `assay tasks`, with settings after a colon where the task has them. An interrupted run goes on
    where it was when the same command is repeated, and ends with the same weights.

    Examples:

      assay train modular-addition --out runs/decay
      assay train modular-addition --weight-decay 0 --out runs/no-decay
      assay train scan:addprim_jump --model encoder-decoder --out runs/jump
    """

    task: Annotated[Positional[str], arg(metavar="TASK")]
    """What to train on, such as modular-addition or modular-addition:coverage=0.5."""
    out: Annotated[Path, arg(metavar="DIR")]
    """Folder for the run: new, empty, or the same run interrupted."""
    model: Annotated[
        str | None,
        arg(metavar="NAME", help=f"One of {', '.join(NAMES)}.", help_behavior_hint="(default: the one that suits the task)"),
    ] = None
    steps: Annotated[int | None, arg(metavar="INT", help_behavior_hint=_RECOMMENDED)] = None
    """Updates of the weights."""
    batch_size: Annotated[int | None, arg(metavar="INT", help_behavior_hint=_RECOMMENDED)] = None
    """Examples drawn for each update."""
    learning_rate: Annotated[float | None, arg(metavar="FLOAT", help_behavior_hint=_RECOMMENDED)] = None
    """At its highest; it rises during the warm-up, then falls to zero along a cosine."""
    weight_decay: Annotated[float | None, arg(metavar="FLOAT", help_behavior_hint=_RECOMMENDED)] = None
    """Of AdamW."""
    warmup: Annotated[int | None, arg(metavar="INT", help_behavior_hint=_RECOMMENDED)] = None
    """Updates in which the learning rate rises."""
    seed: int = 0
    """Of the initial weights and of the batches."""
    width: Annotated[int | None, arg(metavar="INT", help_behavior_hint=_MODELS_OWN)] = None
    """Units of a hidden layer, or of the residual stream."""
    depth: Annotated[int | None, arg(metavar="INT", help_behavior_hint=_MODELS_OWN)] = None
    """Hidden layers, or blocks."""
    heads: Annotated[int | None, arg(metavar="INT", help_behavior_hint=_MODELS_OWN)] = None
    """Attention heads, in models that have them."""
    init_scale: Annotated[float | None, arg(metavar="FLOAT", help_behavior_hint="(default: 1)")] = None
    """Multiplies every initial weight matrix."""
    trust: Trust = ()

    def run(self, terminal: Terminal) -> None:
        """Train and print the folder."""
        from assay.training import train

        with terminal.progress() as progress:
            run = train(
                self.task,
                self.model,
                out=self.out,
                options=self._given("width", "depth", "heads", "init_scale"),
                config=self._given("steps", "batch_size", "learning_rate", "weight_decay", "warmup", "seed"),
                trust=self.trust,
                progress=progress,
            )
        scores = ", ".join(f"{split} {number(score)}" for split, score in run.read_record().scores.items())
        terminal.note(f"Mean scores: {scores} (novel of every kind, synonyms too). Now: assay audit {run.path}")
        terminal.result(str(run.path))

    def _given(self, *names: str) -> dict[str, int | float]:
        return {name: value for name in names if (value := getattr(self, name)) is not None}

    def after_interrupt(self) -> str:
        """How to go on after Ctrl-C."""
        return f"Repeat the same command to go on where it was; {self.out} keeps the checkpoint."
