"""The TOML declaration of a table: its schema, and its reading into a `Declaration`."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from assay.bounds import MOST_CELLS, MOST_TOML, is_file, parse_toml, read_bytes
from assay.errors import AssayError

InputKind = Literal["token", "number", "text", "image"]
TargetKind = Literal["class", "number", "text"]
Name = Annotated[str, Field(min_length=1)]
ValueName = Annotated[str, BeforeValidator(lambda value: value_name(value) if value_name(value) is not None else value)]
_MOST = 256  # the most inputs, parts or derived parts: each is a column, and a table has few
_Size = Annotated[int, Field(ge=1, le=MOST_CELLS)]
Shape = Annotated[tuple[_Size, ...], Field(min_length=1, max_length=8)]
DEFAULT_INPUT_NAMES: Mapping[InputKind, str] = {"token": "tokens", "number": "x", "text": "tokens", "image": "image"}


def value_name(value: object) -> str | None:
    """Name of a part's value: text as it is, whole numbers and truth values as in JSON; None for others."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int) else None


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class InputDeclaration(_Strict):
    """One keyword argument of the network's forward. `values`: for text, the words in the order of their numbers, from 1."""

    kind: InputKind
    name: Name | None = None
    column: Name | None = None
    columns: tuple[Name, ...] | None = None
    file: Path | None = None
    shape: Shape | None = None
    channels: _Size | None = None
    size: _Size | tuple[_Size, _Size] | None = None
    tokenizer: Path | None = None
    values: tuple[ValueName, ...] | None = None

    @model_validator(mode="after")
    def _check(self) -> "InputDeclaration":
        if self.values is not None and (self.kind != "text" or self.tokenizer is not None):
            raise ValueError("takes values, its words in the order of their numbers, only where it is text without a tokenizer")
        if self.values is not None and (not self.values or len(set(self.values)) < len(self.values)):
            raise ValueError(f"needs words that differ; given {list(self.values)}")
        if sum(given is not None for given in (self.column, self.columns, self.file)) != 1 or self.columns == ():
            raise ValueError("needs either column = '...' or columns = ['...', ...] or file = '....npy'")
        if self.shape is not None and self.kind != "number":
            raise ValueError(f"of kind {self.kind} takes no shape; only number does")
        if (self.kind == "image") != (self.channels is not None and self.size is not None) or (
            self.kind != "image" and (self.channels or self.size)
        ):
            raise ValueError(
                "takes channels = ... and size = ... (or size = [height, width]) where its kind is image, only there"
            )
        if self.kind == "text" and self.column is None:
            raise ValueError("of kind text reads one column: write column = '...'")
        if self.tokenizer is not None and self.kind != "text":
            raise ValueError(f"of kind {self.kind} takes no tokenizer; only text does")
        if self.tokenizer is not None and self.name is not None:
            raise ValueError("with a tokenizer takes no name: the network is given input_ids and attention_mask")
        return self

    @property
    def sources(self) -> tuple[str, ...]:
        """The columns that it reads, including files."""
        return self.columns if self.columns is not None else (self.column or str(self.file),)

    @property
    def dimensions(self) -> tuple[int, ...]:
        """The declared dimensions of one example's numbers."""
        if self.channels is None or self.size is None:
            return self.shape or ()
        return self.channels, *(self.size if isinstance(self.size, tuple) else (self.size, self.size))

    @property
    def keyword(self) -> str:
        """The keyword argument it becomes."""
        return "input_ids" if self.tokenizer else self.name or DEFAULT_INPUT_NAMES[self.kind]


class TargetDeclaration(_Strict):
    """The target of the network. `values`: the classes in the order of the network's outputs."""

    column: Name | None = None
    kind: TargetKind
    file: Path | None = None
    shape: Shape | None = None
    values: tuple[ValueName, ...] | None = None

    @model_validator(mode="after")
    def _check(self) -> "TargetDeclaration":
        if (self.column is None) == (self.file is None):
            raise ValueError("needs either column = '...' or file = '....npy'")
        if self.kind != "number" and (self.file or self.shape):
            raise ValueError(f"of kind {self.kind} takes no file and no shape; only number does")
        if self.values is not None and self.kind != "class":
            raise ValueError(f"of kind {self.kind} takes no values; only class does")
        if self.values is not None and len(set(self.values)) < max(2, len(self.values)):
            raise ValueError(f"needs two different values or more; given {list(self.values)}")
        return self

    @property
    def source(self) -> str:
        """The column that it reads, or its file."""
        return self.column or str(self.file)


class PartDeclaration(_Strict):
    """One declared part; its column has its name by default."""

    name: Name
    column: Name | None = None
    values: tuple[ValueName, ...] | None = None
    graded: bool = False
    of: tuple[Name, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> "PartDeclaration":
        if self.of and (self.graded or self.name in self.of):
            raise ValueError("follows from others by `of`, so it cannot be graded, nor follow from itself")
        if self.graded and self.values is not None:
            raise ValueError("is graded, so its values are absent (0) and present: leave values out")
        if self.values is not None and len(set(self.values)) < max(2, len(self.values)):
            raise ValueError(f"needs two different values or more, or there is nothing to combine; given {list(self.values)}")
        return self

    @property
    def source(self) -> str:
        """The column it reads."""
        return self.column or self.name


class SplitDeclaration(_Strict):
    """Which combinations are novel: by a column, or by a list."""

    column: Name | None = None
    novel: tuple[tuple[ValueName, ...], ...] | None = None

    @model_validator(mode="after")
    def _check(self) -> "SplitDeclaration":
        if (self.column is None) == (not self.novel):
            raise ValueError(
                "needs either column = '...' (with train, novel and perhaps seen) or novel = [['...', '...'], ...]"
            )
        return self


class Declaration(_Strict):
    """Content of the whole file."""

    data: Path
    inputs: tuple[InputDeclaration, ...] = Field(min_length=1, max_length=_MOST)
    target: TargetDeclaration
    parts: tuple[PartDeclaration, ...] = Field(min_length=1, max_length=_MOST)
    combines: tuple[Name, ...] = Field(default=(), max_length=_MOST)
    executor: Annotated[str, Field(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$", max_length=400)] | None = None
    split: SplitDeclaration | None = None

    @model_validator(mode="after")
    def _check(self) -> "Declaration":
        names = [part.name for part in self.parts]
        keywords = [declared.keyword for declared in self.inputs]
        for what, given in (("parts", names), ("inputs", keywords), ("combines", list(self.combines))):
            twice = next((name for name in given if given.count(name) > 1), None)
            if twice is not None:
                raise ValueError(f"{what} must differ in name; {twice!r} is given twice")
        unknown = next((name for name in self.combines if name not in names), None)
        if unknown is not None:
            raise ValueError(f"combines names {unknown!r}, which is no part; the parts are {', '.join(names)}")
        given = {part.name for part in self.parts if not part.of}
        for part in self.parts:
            loose = next((name for name in part.of if name not in given), None)
            if loose is not None:
                raise ValueError(
                    f"part {part.name!r} must follow from parts that follow from none; given {loose!r}; "
                    f"those are {', '.join(part.name for part in self.parts if not part.of)}"
                )
        derived = next((name for name in self.combines if name not in given), None)
        if derived is not None or not given:
            raise ValueError(f"a combination is made of parts that follow from no others; given {derived or 'none'!r}")
        if self.target.kind == "text" and not (len(self.inputs) == 1 and self.inputs[0].kind == "text"):
            raise ValueError("a target of kind text needs exactly one input, of kind text")
        if self.target.kind == "text" and self.inputs[0].tokenizer is not None:
            raise ValueError("a target of kind text is read word by word, and so must its input be: leave the tokenizer out")
        size = len(self.combined)
        wrong = next((row for row in (self.split and self.split.novel) or () if len(row) != size), None)
        if wrong is not None:
            raise ValueError(f"split.novel: a combination has {size} values ({', '.join(self.combined)}); given {list(wrong)}")
        return self

    @property
    def combined(self) -> tuple[str, ...]:
        """The parts of a combination: by default all that follow from no others."""
        return self.combines or tuple(part.name for part in self.parts if not part.of)

    @property
    def texts(self) -> tuple[str, ...]:
        """Columns that are text even if their cells look like numbers."""
        columns = [source for given in self.inputs if given.kind == "text" for source in given.sources]
        return (*columns, self.target.source) if self.target.kind == "text" else tuple(columns)

    @property
    def files(self) -> tuple[Path, ...]:
        """The `.npy` files beside the rows."""
        return tuple(given.file for given in (*self.inputs, self.target) if given.file is not None)


def read_declaration(path: Path) -> Declaration:
    """Read and check a declaration; paths in it are relative to it and come back absolute.

    **Raises:** `AssayError` naming the file, the field, what was given and what is allowed.
    """
    if not is_file(path) and not os.path.isdir(path):
        near = sorted(str(other) for other in path.parent.glob("*.toml")) if os.path.isdir(path.parent) else []
        raise AssayError(
            "a table is declared in a TOML file that exists",
            given=path,
            choices=near,
            next_step="check the path, or write one: docs/table.md begins with a whole one",
        )
    raw = parse_toml(read_bytes(path, most=MOST_TOML), path)
    try:
        declared = Declaration.model_validate(raw)
    except ValidationError as error:
        raise _first_error(path, error) from None
    inputs = tuple(_beside(path, given, "tokenizer", "file") for given in declared.inputs)
    return _beside(path, declared, "data").model_copy(
        update={"inputs": inputs, "target": _beside(path, declared.target, "file")}
    )


_Model = TypeVar("_Model", bound=_Strict)


def _beside(path: Path, given: _Model, *fields: str) -> _Model:
    """Paths relative to that of the declaration."""
    return given.model_copy(update={name: path.parent / own for name in fields if (own := getattr(given, name))})


_MODELS: Mapping[str, type[_Strict]] = {
    "": Declaration,
    "inputs": InputDeclaration,
    "target": TargetDeclaration,
    "parts": PartDeclaration,
    "split": SplitDeclaration,
}
_LISTS = ("inputs", "parts")


def _first_error(path: Path, error: ValidationError) -> AssayError:
    """The first validation error, in terms of the file."""
    first = error.errors()[0]
    location = [str(step) if isinstance(step, str) else f"[{step}]" for step in first["loc"]]
    field = ".".join(location).replace(".[", "[") or "the file"
    head = str(first["loc"][0]) if first["loc"] else ""
    model = _MODELS.get(head if len(location) > 1 else "", Declaration)
    allowed = list(model.model_fields)
    more = f"{error.error_count() - 1} more mistakes follow" if error.error_count() > 1 else ""
    if first["type"] == "extra_forbidden":
        where = field.rpartition(".")[0] or "a table declaration"
        top = location[-1] in Declaration.model_fields
        hint = f"write {location[-1]} above the first [table]; below one it belongs to that table" if top else more
        return AssayError(f"{path}: {where} has no such field", given=location[-1], choices=allowed, next_step=hint)
    if first["type"] in ("missing", "too_short"):
        written = f"[[{head}]]" if head in _LISTS else f"[{head}]" if head in _MODELS else f"{location[-1]} = ..."
        wanted = f"add {written}" if len(location) == 1 else f"add {location[-1]} = ... to {field.rpartition('.')[0]}"
        return AssayError(f"{path}: {field} must be declared", given="nothing", next_step=wanted)
    if first["type"] == "literal_error":
        choices = _choices(model, location[-1])
        return AssayError(f"{path}: {field} must be one of its choices", given=first["input"], choices=choices, next_step=more)
    message = first["msg"].removeprefix("Value error, ")
    given = first["input"] if first["type"] != "value_error" else None
    return AssayError(f"{path}: {field}: {message}" if first["loc"] else f"{path}: {message}", given=given, next_step=more)


def _choices(model: type[_Strict], field: str) -> tuple[Any, ...]:
    return get_args(model.model_fields[field].annotation)
