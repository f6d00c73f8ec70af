"""`assay swarm`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from assay.cli.command import Command, Flag
from assay.cli.folder import filling, new_folder
from assay.cli.terminal import Terminal

ENGINES = ("cmaes", "swarm", "pso", "random")


@dataclass(frozen=True, kw_only=True)
class SwarmCommand(Command):
    """Search combinations of experts in weight space, and test whether the result is a composition.

    EXPERTS is a TOML file that names a Hugging Face folder, PEFT LoRA folders and files of prompts and answers; or
    package.module:function, a function without arguments that returns an assay.swarm.problem.Problem: a network, a pool of its
    experts, and the items that a combination should solve. The address world trains a small network and six experts.

    Every engine has the same budget of evaluations. As nulls the search is repeated with noise in place of experts, and with
    permuted answer labels. Test items are scored once, for all candidates together. An interrupted command continues when it is
    repeated.

    Examples:

      assay swarm world
      assay swarm world:missing-skill --engine cmaes swarm
      assay swarm experts.toml --graded
      assay swarm my_experts:problem --budget 600 --jobs 8 --out swarms/first
    """

    experts: Annotated[Positional[str], arg(metavar="EXPERTS")]
    """Experts and items."""
    engine: Annotated[tuple[str, ...], arg(metavar="NAME [NAME ...]")] = ENGINES
    """Engines: cmaes, swarm (the published update), pso, random, gradient, lorahub, random steps. The verdict is on the
    first."""
    budget: int = 420
    """Evaluations on all validation items, for each search and each merge."""
    seeds: int = 10
    """Searches of each engine."""
    nulls: int = 10
    """Searches of each null."""
    graded: Flag = False
    """Optimise the graded score of the utility, such as the log-probability of the answer, instead of the score."""
    race: Flag = False
    """Drop inferior candidates after a quarter or half of the items."""
    seed: int = 0
    """Random seed."""
    jobs: Annotated[int | None, arg(metavar="INT", help_behavior_hint="(default: all cores)")] = None
    """Parallel searches; the results do not depend on it."""
    out: Annotated[Path | None, arg(metavar="DIR", help_behavior_hint="(default: swarm)")] = None
    """Folder for swarm.html, swarm.json and the weights of the selected candidate; new, empty, or of the same interrupted
    search."""
    json: Flag = False
    """Print the evidence as JSON instead of the verdict."""

    def run(self, terminal: Terminal) -> None:
        """Search, judge and write."""
        import os

        new_folder(self.out, default="swarm", command="swarm")  # a mistake is reported before anything slow
        from assay.swarm.connected import barriers
        from assay.swarm.declared import problem_at
        from assay.swarm.evaluate import Evaluator
        from assay.swarm.judge import judged
        from assay.swarm.page import RESULTS, write_swarm
        from assay.swarm.problem import SHARED
        from assay.swarm.study import StudyPlan, study

        plan = StudyPlan(
            engines=self.engine, budget=self.budget, seeds=self.seeds, nulls=self.nulls, graded=self.graded, race=self.race,
            seed=self.seed,
        )  # fmt: skip
        with terminal.progress() as progress:
            progress("experts", 0.0)
            problem = problem_at(self.experts, seed=self.seed)
            evaluator = Evaluator(problem.network, problem.pool, utility=problem.utility)
            connected = barriers(evaluator, problem.kept.get(SHARED)).warning
            with filling(self.out, default="swarm", command="swarm") as folder:
                journals = folder / "journals"
                found = study(problem, plan, jobs=self.jobs or os.cpu_count() or 1, journals=journals, progress=progress)
                verdict = judged(found)
                progress("writing the page", 0.99)
                page = write_swarm(folder, problem, found, verdict, name=self.experts, connected=connected)
        if connected:
            terminal.note(connected)
        if self.json:
            terminal.result((folder / RESULTS).read_text().rstrip())
        else:
            terminal.result(verdict.evidence.summary)
            terminal.result(str(page))

    def after_interrupt(self) -> str:
        """How to go on after Ctrl-C."""
        return "Repeat the same command to continue; scores are kept."
