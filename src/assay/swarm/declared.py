"""Problems by their addresses. A TOML file declares one of a Hugging Face folder, adapters of it, and texts with answers.

```toml
base = "models/base"         # a folder with config.json, safetensors and a tokenizer
items = "validation.jsonl"   # lines such as {"prompt": "Anna 's boss :", "answer": " Carl"}
test = "test.jsonl"          # scored once
span = "linear"              # or "affine", the default; space = "delta", "factor" or "full"
shared = ["text"]            # columns of the test file: lines that share a value are no independent evidence

[experts]
law = "adapters/law"         # PEFT LoRA folders, or safetensors files of whole weights
code = "adapters/code"

[kept]
shared = "old.jsonl"         # items to check forgetting on; the set named shared is what all experts can do
```

Nothing in such a file is run. Prompt and answer are tokenised apart and joined; an item is right when every token of its
answer is the likeliest after those before it, which is when greedy generation gives that answer.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor

from assay.bounds import MOST_JSON, parse_toml, read_bytes
from assay.encoding.hugging_face import load_tokenizer, num_positions
from assay.errors import AssayError
from assay.factory import call_factory
from assay.models.hugging_face import load_hugging_face
from assay.swarm.pool import ExpertPool, Space, Span
from assay.swarm.problem import Problem
from assay.swarm.scores import IGNORED, chance, exact_match, log_probability
from assay.swarm.utility import ScoredItems, Utility
from assay.swarm.worlds import WORLDS, make_world
from assay.tasks.table_files import read_rows
from assay.tasks.table_rows import TableRows

PROMPT, ANSWER = "prompt", "answer"


class ProblemFile(BaseModel):
    """Content of the file. Paths are relative to it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base: str
    items: str
    test: str
    experts: dict[str, str]
    kept: dict[str, str] = Field(default_factory=dict)
    space: Space = "delta"
    span: Span = "affine"
    shared: tuple[str, ...] = ()


def problem_at(address: str, *, seed: int = 0) -> Problem:
    """The problem at an address: a TOML file, `world`, `world:missing-skill`,
    `world:other-initialisations`, or `package.module:function`, a function without arguments that returns a `Problem`. Code
    that the address names is executed.

    **Raises:** `AssayError` for an unknown address, and for a function that returns something else.
    """
    if address.endswith(".toml"):
        return problem_in(Path(address))
    name, _, kind = address.partition(":")
    if name == "world":
        kinds = {one.replace(" ", "-"): one for one in WORLDS}
        if kind and kind not in kinds:
            raise AssayError("a world must be of a known kind", given=kind, choices=list(kinds))
        return make_world(kinds.get(kind, WORLDS[0]), seed=seed)
    if not kind:
        raise AssayError(
            "experts come from a .toml file, from a function of yours, package.module:function, or from a world made here",
            given=address,
            choices=["world", *(f"world:{one.replace(' ', '-')}" for one in WORLDS[1:])],
        )
    found = call_factory(name, kind)
    if not isinstance(found, Problem):
        raise AssayError("the function must return an assay.swarm.Problem", given=f"{address}, which returned {type(found)}")
    return found


def problem_in(path: Path) -> Problem:
    """The problem that a TOML file declares.

    **Raises:** `AssayError` for another form, files that are missing, a model that cannot be read, and a line without prompt or
    answer, by its number.

    Example::

        problem = problem_in(Path("experts.toml"))
        print(problem.pool, len(problem.utility.items))
    """
    declared = _declared(path)
    beside = path.parent
    folder = beside / declared.base
    network = load_hugging_face(folder, task=None).module
    pool = ExpertPool(
        network, {name: beside / place for name, place in declared.experts.items()}, space=declared.space, span=declared.span
    )
    tokenizer, longest = load_tokenizer(folder), num_positions(network)
    read = lambda place: read_rows(beside / place, texts=(PROMPT, ANSWER))  # noqa: E731
    rows = {"items": read(declared.items), "test": read(declared.test)}
    if both := {row.get(PROMPT) for row in rows["items"].rows} & {row.get(PROMPT) for row in rows["test"].rows}:
        raise AssayError(
            "no test item may be a validation item", given=f"{len(both)} prompts in both, such as {next(iter(both))!r}"
        )
    items = {name: tokenised(each, tokenizer, longest=longest) for name, each in rows.items()}
    utility = Utility(
        items=items["items"],
        test=items["test"],
        test_shared={name: _ids(rows["test"], name) for name in declared.shared},
        score=exact_match,
        graded=log_probability,
    )
    return Problem(
        network=network,
        pool=pool,
        utility=utility,
        kept={name: tokenised(read(place), tokenizer, longest=longest) for name, place in declared.kept.items()},
        chance=chance(_answers(items["test"].targets)),
        base=str(folder),
        sources={name: str(beside / place) for name, place in declared.experts.items()},
    )


def tokenised(rows: TableRows, tokenizer: Any, *, longest: int | None = None) -> ScoredItems:
    """Prompts and answers as one padded batch, in which each position is scored on the token that follows.

    **Arguments:** `longest`: the number of positions of the model.

    **Raises:** `AssayError` naming the line without a prompt or answer, or with too many tokens.
    """
    sequences, targets = [], []
    for number, row in zip(rows.numbers, rows.rows, strict=True):
        where = f"{rows.path}, {rows.place} {number}"
        for name in (PROMPT, ANSWER):
            if not isinstance(row.get(name), str):
                raise AssayError(
                    f"{where} must have a text in {name}", given=repr(row.get(name, "no such column")), choices=list(row)
                )
        prompt = list(tokenizer(row[PROMPT])["input_ids"])
        answer = list(tokenizer(row[ANSWER], add_special_tokens=False)["input_ids"])
        if not prompt or not answer:
            raise AssayError(f"{where}: prompt and answer must each have a token", given=f"{row[PROMPT]!r} and {row[ANSWER]!r}")
        if longest is not None and len(prompt) + len(answer) - 1 > longest:
            raise AssayError(
                f"{where} must fit in the model's {longest} positions", given=f"{len(prompt) + len(answer)} tokens"
            )
        sequences.append((prompt + answer)[:-1])
        targets.append([IGNORED] * (len(prompt) - 1) + answer)
    return ScoredItems(
        {"input_ids": _padded(sequences, 0), "attention_mask": _padded([[1] * len(s) for s in sequences], 0)},
        _padded(targets, IGNORED),
    )


def _declared(path: Path) -> ProblemFile:
    try:
        return ProblemFile.model_validate(parse_toml(read_bytes(path, most=MOST_JSON), path))
    except ValidationError as error:
        first = error.errors()[0]
        raise AssayError(
            f"{path} must declare base, experts, items and test",
            given=f"{'.'.join(map(str, first['loc']))}: {first['msg']}",
            choices=list(ProblemFile.model_fields),
        ) from error


def _ids(rows: TableRows, name: str) -> list[int]:
    """The values of a column as integers."""
    if lacking := [number for number, row in zip(rows.numbers, rows.rows, strict=True) if row.get(name) is None]:
        raise AssayError(f"{rows.path}, {rows.place} {lacking[0]} must have a value in {name}", given="none")
    known: dict[str, int] = {}
    return [known.setdefault(repr(row[name]), len(known)) for row in rows.rows]


def _padded(rows: Sequence[Sequence[int]], filler: int) -> Tensor:
    wide = max(map(len, rows))
    return torch.tensor([[*row, *[filler] * (wide - len(row))] for row in rows])


def _answers(targets: Tensor) -> Tensor:
    """Answer tokens shifted to the front, so that equal answers are equal rows whatever their prompts."""
    rows = [row[row != IGNORED].tolist() for row in targets]
    return _padded(rows, IGNORED)
