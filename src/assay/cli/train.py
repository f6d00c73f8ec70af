"""`assay train`."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from assay.cli.command import Command, Trust
from assay.cli.terminal import Terminal
from assay.display import number
from assay.errors import AssayError
from assay.models import NAMES

_RECOMMENDED = "(default: recommended for model and task)"
_MODELS_OWN = "(default: the model's own)"


@dataclass(frozen=True, kw_only=True)
class TrainCommand(Command):
    """Train a reference network on a task and keep it in a folder.

    TASK is a name from `assay tasks`, with settings after a colon where the task has them. An interrupted run continues when
    the same command is repeated, and ends with the same weights.

    Examples:

      assay train modular-addition --out runs/decay
      assay train modular-addition --weight-decay 0 --out runs/no-decay
      assay train scan:addprim_jump --model encoder-decoder --out runs/jump
      assay train modular-addition --width 512 --sparse 1/64 --out runs/sparse
    """

    task: Annotated[Positional[str], arg(metavar="TASK")]
    """The task to train on, such as modular-addition or modular-addition:coverage=0.5."""
    out: Annotated[Path, arg(metavar="DIR")]
    """Folder for the run: new, empty, or the same run to continue."""
    model: Annotated[
        str | None,
        arg(metavar="NAME", help=f"One of {', '.join(NAMES)}.", help_behavior_hint="(default: the one that suits the task)"),
    ] = None
    steps: Annotated[int | None, arg(metavar="INT", help_behavior_hint=_RECOMMENDED)] = None
    """Updates of the weights."""
    batch_size: Annotated[int | None, arg(metavar="INT", help_behavior_hint=_RECOMMENDED)] = None
    """Examples drawn for each update."""
    learning_rate: Annotated[float | None, arg(metavar="FLOAT", help_behavior_hint=_RECOMMENDED)] = None
    """Peak learning rate, after a linear warm-up and before a cosine decay to zero."""
    weight_decay: Annotated[float | None, arg(metavar="FLOAT", help_behavior_hint=_RECOMMENDED)] = None
    """Of AdamW."""
    warmup: Annotated[int | None, arg(metavar="INT", help_behavior_hint=_RECOMMENDED)] = None
    """Updates of the linear warm-up."""
    seed: int = 0
    """Random seed of the initial weights and the batches."""
    width: Annotated[int | None, arg(metavar="INT", help_behavior_hint=_MODELS_OWN)] = None
    """Units of each hidden layer, or of the residual stream."""
    depth: Annotated[int | None, arg(metavar="INT", help_behavior_hint=_MODELS_OWN)] = None
    """Hidden layers, or blocks."""
    heads: Annotated[int | None, arg(metavar="INT", help_behavior_hint=_MODELS_OWN)] = None
    """Attention heads, in models that have them."""
    init_scale: Annotated[float | None, arg(metavar="FLOAT", help_behavior_hint="(default: 1)")] = None
    """Factor on every initial weight matrix."""
    active: Annotated[float | None, arg(metavar="FLOAT", help_behavior_hint="(default: 1)")] = None
    """Keep only this share of units by absolute value (AbsTopK): in transformer blocks, after ReLU, in recurrent cells."""
    sinks: bool = False
    """Attention sinks: one more key for every head, with a learned logit and the value 0."""
    rms: bool = False
    """Use RMSNorm instead of LayerNorm."""
    bigram: bool = False
    """Add a table of bigram logits, for models that predict the next token; it stays dense."""
    sparse: Annotated[str | None, arg(metavar="SHARE", help_behavior_hint="(default: 1)")] = None
    """Share of weights that stay nonzero, such as 1/64: weight-sparse training."""
    sparse_floor: Annotated[int | None, arg(metavar="INT", help_behavior_hint="(default: 4)")] = None
    """With --sparse: the fewest nonzero weights of each unit."""
    trust: Trust = ()

    def run(self, terminal: Terminal) -> None:
        """Train and print the folder."""
        from assay.training import train

        sparse = {} if self.sparse is None else {"sparse": share(self.sparse)}
        variants = {name: 1 for name in ("sinks", "rms", "bigram") if getattr(self, name)}
        with terminal.progress() as progress:
            run = train(
                self.task,
                self.model,
                out=self.out,
                options=self._given("width", "depth", "heads", "init_scale", "active") | variants,
                config=self._given("steps", "batch_size", "learning_rate", "weight_decay", "warmup", "seed", "sparse_floor")
                | sparse,
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
        return f"Repeat the same command to continue; {self.out} keeps the checkpoint."


def share(text: str) -> float:
    """A fraction or a number above 0 and at most 1. **Raises:** `AssayError` for other texts."""
    try:
        value = float(Fraction(text)) if len(text) <= 24 and "e" not in text.lower() else 0.0
    except (ValueError, ZeroDivisionError, OverflowError):
        value = 0.0
    if not 0 < value <= 1:
        raise AssayError("--sparse must be a share of weights, above 0 and at most 1, such as 1/64", given=text)
    return value
