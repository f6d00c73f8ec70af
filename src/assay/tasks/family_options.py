"""Options shared by several families of tasks, as listed by `assay tasks`."""

from assay.tasks.family import TaskOption


def options(*rows: tuple[str, str, str | None, str]) -> tuple[TaskOption, ...]:
    return tuple(TaskOption(name=name, type=kind, default=default, meaning=meaning) for name, kind, default, meaning in rows)


LATENT = (
    ("num_modules", "integer", "8", "modules of which each task is a mixture"),
    ("max_active", "integer", "3", "largest number of modules active at once"),
    ("weights", "discrete, khot or continuous", "discrete", "distribution of the amount of an active module"),
    (
        "encoding",
        "identity, orthogonal, tokens, invertible_nn, interval_shuffle, zigzag or, of the hyperteacher, fewshot",
        "identity",
        "encoding of the active modules in the input",
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
        "how many of the trainable supports are trained, to match the size of tasks",
    ),
    (
        "hotness",
        "numbers such as 7-12-8",
        "as drawn",
        "how many trained supports have 1, 2, ... active modules, to match tasks in these numbers",
    ),
    ("novel_hotness", "integer", "any", "how many modules are active in novel supports"),
    ("seed", "integer", "0", "random seed of the task and of the trained supports"),
)
"""Options of the tasks that are mixtures of a few modules."""

SLOTS = (
    ("coverage", "number", "0.8", "share of the combinations that are trained"),
    ("targets", "rule or table", "rule", "whether the answers follow the rule or are permuted over all inputs"),
    ("cue", "none, free or answer", "none", "one more token: a random class, or the answer where trained"),
    ("seed", "integer", "0", "random seed of the rule and of the trained combinations"),
)
"""Options of the tasks with one token in every slot."""

NUMBER = options(("number", "singular or plural", "singular", "number of both words in a sentence that obeys"))
