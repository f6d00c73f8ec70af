"""The lists of `assay.tasks.lists`, written as sentences for a language model: `Alice lives in Rome. ... So Alice lives in`."""

import re
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from assay.bounds import check_whole, read_json_value
from assay.encoding.hugging_face import load_tokenizer
from assay.entities import Contexts, Pairs, Written
from assay.errors import AssayError
from assay.objective import Classification
from assay.task import Examples, InputSpec, Part, Split, Task
from assay.tasks.list_words import KINDS, Kind
from assay.tasks.lists import KindName, Lists

LEAST_WORDS = 6


@dataclass(frozen=True)
class _Text:
    """Words that are single tokens, and tokenised sentence templates; a string in a template is a slot for a word of that
    kind."""

    entities: tuple[str, ...]
    attributes: tuple[str, ...]
    entity_tokens: tuple[int, ...]
    attribute_tokens: tuple[int, ...]
    told: tuple[str | tuple[int, ...], ...]
    asked: tuple[str | tuple[int, ...], ...]
    prefix: tuple[int, ...]
    num_outputs: int

    @classmethod
    def of(cls, folder: str, name: str, backwards: bool, question: bool, prefix: str | None) -> "_Text":
        if name not in KINDS:
            raise AssayError("list-texts: kind must be one of its choices", given=name, choices=KINDS)
        kind: Kind = KINDS[name]
        tokenizer: Any = load_tokenizer(folder)

        def tokens(text: str) -> tuple[int, ...]:
            return tuple(tokenizer(text, add_special_tokens=False)["input_ids"])

        def whole(what: str, words: tuple[str, ...]) -> dict[str, int]:
            each = {word: tokens(f" {word}") for word in words}
            unknown = getattr(tokenizer, "unk_token_id", None)
            found = {word: ids[0] for word, ids in each.items() if len(ids) == 1 and ids[0] != unknown}
            if len(found) < LEAST_WORDS:
                several = [word for word in words if word not in found]
                raise AssayError(
                    f"at least {LEAST_WORDS} of the {what} must be single tokens",
                    given=f"several tokens, or an unknown one, for {', '.join(several[:5])}",
                    next_step="choose another kind of words",
                )
            return found

        def pieces(sentence: str) -> tuple[str | tuple[int, ...], ...]:
            parts = [part for part in re.split(r"(\{\w+\})", sentence) if part.strip()]
            stop = tokens(f" {kind.entities[0]}.")[len(tokens(f" {kind.entities[0]}")) :]
            # A word includes the space before it; only the end of a sentence has none.
            return tuple(
                part if part.startswith("{") else stop if part == "." else tokens(f" {part.strip()}") for part in parts
            )

        first = tokenizer.get_vocab().get(prefix) if prefix else None
        if prefix and first is None:
            raise AssayError(
                "a prefix must be one token of the vocabulary", given=prefix, next_step="name such a token, or none"
            )
        attributes = whole("attributes", kind.attributes)
        of_world = {entity for entity, attribute in kind.known if attribute in attributes}
        entities = whole("entities", tuple(entity for entity in kind.entities if entity not in of_world))
        start = () if first is None else (int(first),)
        told = pieces(kind.reversed_told if backwards else kind.told)
        config = read_json_value(f"{folder}/config.json")
        outputs = config.get("vocab_size", len(tokenizer)) if isinstance(config, dict) else len(tokenizer)
        return cls(
            tuple(entities), tuple(attributes), tuple(entities.values()), tuple(attributes.values()),
            told, pieces(kind.question if question else kind.asked), start, int(outputs),
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class ListTexts(Task):
    """Lists of entities with attributes, written for a local Hugging Face model; the target is the attribute of one entity.

    Lists use words that are single tokens of the tokenizer, without entities that the world pairs with a listed attribute (a
    heart is red). Which pairs the model met in training is unknown, so that no pair counts as new, and there is no novel
    split. The input is `tokens`, `(n, length)`; the answer is the next token.

    **Arguments:**

    - `folder`: the folder of the model and its tokenizer.
    - `kind`: kind of words: `city`, `shape` or `food`; `made-up` words are mostly several tokens.
    - `smallest`, `largest`: smallest and largest number of entities in a list.
    - `backwards`: the attribute precedes its entity, so that the answer cannot be copied from the token after the entity.
    - `question`: the answer follows a question instead of "So".
    - `prefix`: a token in front of the text. Many models use the first token as an attention sink; which token they had there
      in training differs between models, so it must be given.
    - `seed`: random seed of the examples' pairs.

    **Raises:** `AssayError` for a kind with too few words that are single tokens, and for a prefix that is not one token.
    """

    entities_in: ClassVar[Literal["lists"]] = "lists"
    level = 0
    folder: str
    kind: KindName = "city"
    smallest: int = 2
    largest: int = 4
    backwards: bool = False
    question: bool = False
    prefix: str | None = None
    seed: int = 0
    parts: tuple[Part, ...] = field(init=False, repr=False, compare=False)
    combines: tuple[str, ...] = field(init=False, repr=False, compare=False)
    _inner: Lists = field(init=False, repr=False, compare=False)
    _text: _Text = field(init=False, repr=False, compare=False)

    def __post_init__(self):
        check_whole("list-texts: smallest", self.smallest, least=2, most=8)
        check_whole("list-texts: largest", self.largest, least=self.smallest, most=8)
        text = _Text.of(self.folder, self.kind, self.backwards, self.question, self.prefix)
        num_entities, num_attributes = len(text.entities), len(text.attributes)
        inner = Lists(
            kind=self.kind, num_entities=num_entities, num_attributes=num_attributes, smallest=self.smallest,
            largest=self.largest, seed=self.seed,
        )  # fmt: skip
        parts = Part("entity", text.entities), Part("attribute", text.attributes)
        made = {"_inner": inner, "_text": text, "parts": parts, "combines": ("entity", "attribute")}
        for name, value in made.items():
            object.__setattr__(self, name, value)

    @property
    def address(self) -> str:
        shown = [f for f in fields(self) if f.init and f.name != "folder" and getattr(self, f.name) != f.default]
        return ",".join([f"list-texts:{self.folder}", *(f"{f.name}={getattr(self, f.name)}" for f in shown)])

    @property
    def input_spec(self) -> InputSpec | None:
        return None

    @property
    def objective(self) -> Classification:
        return Classification(self._text.num_outputs)

    @property
    def sizes(self) -> tuple[int, ...]:
        return self._inner.sizes

    @property
    def larger(self) -> tuple[int, ...]:
        return ()

    @property
    def num_entities(self) -> int:
        return len(self._text.entities)

    @property
    def answers(self) -> Int[Tensor, " attributes"]:
        return torch.tensor(self._text.attribute_tokens)

    def combinations(self, split: Split) -> Int[Tensor, "c k"]:
        every = torch.cartesian_prod(torch.arange(len(self._text.entities)), torch.arange(len(self._text.attributes)))
        return every[:0] if split == "novel" else every

    def examples(self, split: Split, n: int, *, generator: Generator) -> Examples:
        contexts = self.contexts(0 if split == "novel" else n, size=self.largest, pairs="trained", generator=generator)
        entity, attribute = contexts.at(contexts.queried)
        parts = {"entity": entity, "attribute": attribute}
        written = self.write(contexts, entity)
        return Examples(written.inputs, self.answers[attribute], parts, self.combination_id(parts))

    def contexts(self, n: int, *, size: int, pairs: Pairs, generator: Generator) -> Contexts:
        """Draw lists. **Raises:** `AssayError` for other pairs than `trained`."""
        if pairs != "trained":
            raise AssayError("which pairs a language model never met is unknown", given=pairs, choices=["trained"])
        return self._inner.contexts(n, size=size, pairs="trained", generator=generator)

    def write(self, contexts: Contexts, entity: Int[Tensor, " n"]) -> Written:
        text = self._text
        each = {"{entity}": torch.tensor(text.entity_tokens), "{attribute}": self.answers}
        n, size = contexts.entities.shape
        columns = [torch.full((n,), token) for token in text.prefix]
        at: dict[str, list[int]] = {"{entity}": [], "{attribute}": [], "end": []}
        for place in range(size):
            values = {"{entity}": contexts.entities[:, place], "{attribute}": contexts.attributes[:, place]}
            for piece in text.told:
                if isinstance(piece, str):
                    at[piece].append(len(columns))
                    columns.append(each[piece][values[piece]])
                else:
                    columns += [torch.full((n,), token) for token in piece]
            at["end"].append(len(columns) - 1)
        for piece in text.asked:
            if isinstance(piece, str):
                columns.append(each[piece][entity])
            else:
                columns += [torch.full((n,), token) for token in piece]
        places = {name: torch.tensor(found).expand(n, -1) for name, found in at.items()}
        return Written({"tokens": torch.stack(columns, 1)}, places["{entity}"], places["{attribute}"], places["end"])

    def input_texts(self, examples: Examples) -> list[str]:
        """The sentences that the model is given (`assay.task.WritesExamples`)."""
        return load_tokenizer(self.folder).batch_decode(examples.inputs["tokens"])

    def answer_texts(self, answers: Tensor) -> list[str]:
        return load_tokenizer(self.folder).batch_decode(answers[:, None])

    def trained_with(self) -> Float[Tensor, "entities attributes"]:
        return torch.ones(len(self._text.entities), len(self._text.attributes))
