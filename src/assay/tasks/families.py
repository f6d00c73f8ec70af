"""The families of tasks as `assay tasks` lists them. Written out here, since reading the classes would import torch;
a test compares every option with the field that it names."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class TaskOption:
    """One option of an address.

    **Attributes:**

    - `type`: in words, with the choices where there are few.
    - `default`: as it would be written; None when the option must be given.
    """

    name: str
    type: str
    default: str | None
    meaning: str


@dataclass(frozen=True, kw_only=True)
class TaskFamily:
    """**Attributes:**

    - `form`: an example of an address.
    - `home`: `module:class` that makes the task.
    - `variant`: the option that may be written first, without its name; empty when there is none.
    """

    name: str
    summary: str
    form: str
    home: str
    options: tuple[TaskOption, ...]
    variant: str = ""


def task_families() -> tuple[TaskFamily, ...]:
    """Every family that comes with Assay."""
    return _FAMILIES


def _options(*rows: tuple[str, str, str | None, str]) -> tuple[TaskOption, ...]:
    return tuple(TaskOption(name=name, type=kind, default=default, meaning=meaning) for name, kind, default, meaning in rows)


_LATENT = (
    ("num_modules", "integer", "8", "modules of which each task is a mixture"),
    ("max_active", "integer", "3", "the most modules that are active at once"),
    ("weights", "discrete, khot or continuous", "discrete", "how much of an active module there is"),
    (
        "encoding",
        "identity, orthogonal, tokens, invertible_nn, interval_shuffle, zigzag or, of the hyperteacher, fewshot",
        "identity",
        "how the network is told which modules are active",
    ),
    (
        "supports",
        "random, equal, popular_modules, unpopular_modules, two_halves, connected, disconnected, "
        "pseudo_random_disconnected or non_compositional",
        "random",
        "which sets of modules are trained",
    ),
    ("held_out", "number", "0.25 where it applies", "share of the supports that are novel; some kinds fix it"),
    (
        "num_train",
        "integer, or growth with the modules such as 3.5M or 0.5M^2",
        "all",
        "how many of the trainable supports are trained, to match tasks in size",
    ),
    (
        "hotness",
        "numbers such as 7-12-8",
        "as it comes",
        "how many trained supports have 1, 2, ... active modules, to match tasks in both",
    ),
    ("novel_hotness", "integer", "any", "how many modules are active in novel supports"),
    ("seed", "integer", "0", "of the task and of the trained supports"),
)
"""Options of the tasks that are mixtures of a few modules."""

_FAMILIES = (
    TaskFamily(
        name="modular",
        summary="y = g_j(f_i(x)) mod p: two parts choose the functions, a third is their argument",
        form="modular:coverage=0.8",
        home="assay.tasks.modular:Modular",
        options=_options(
            ("p", "integer", "11", "the modulus"),
            ("num_first", "integer", "12", "how many f_i there are"),
            ("num_second", "integer", "12", "how many g_j there are"),
            ("coverage", "number", "0.8", "share of the pairs (i, j) that are trained"),
            ("maps", "shift, affine or permutation", "shift", "what f_i and g_j do to the integers mod p"),
            ("seed", "integer", "0", "of the maps and of the trained pairs"),
        ),
    ),
    TaskFamily(
        name="hyperteacher",
        summary="regression on a teacher whose weights are a mixture of a few of its modules",
        form="hyperteacher:supports=random,num_train=28",
        home="assay.tasks.hyperteacher:Hyperteacher",
        options=_options(*_LATENT, ("samples_per_task", "integer", "16", "rows drawn for each choice of modules and amounts")),
    ),
    TaskFamily(
        name="preference_grid",
        summary="imitate an expert that collects objects, whose preference is a mixture of a few modules",
        form="preference_grid:supports=random,num_train=28",
        home="assay.tasks.preference_grid:PreferenceGrid",
        options=_options(
            *_LATENT,
            ("num_colours", "integer", "16", "colours that objects can have"),
            ("num_objects", "integer", "4", "objects in a grid, at most 8"),
            ("scored", "action or episode", "action", "whether each action counts, or only whole episodes"),
        ),
    ),
    TaskFamily(
        name="scan",
        summary="navigation commands and their action sequences, with the published splits",
        form="scan:addprim_jump",
        home="assay.tasks.scan:Scan",
        options=_options(("split", "name of a published split", None, "which combinations are novel")),
        variant="split",
    ),
    TaskFamily(
        name="table",
        summary="data of one's own: JSON Lines or Parquet, declared in a small TOML file",
        form="table:path/to/table.toml",
        home="assay.tasks.table:Table",
        options=_options(("path", "file", None, "the TOML declaration")),
        variant="path",
    ),
)
