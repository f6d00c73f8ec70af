"""Modular composition: y = g_j(f_i(x)) mod p, or with a third map. Two or three parts choose the maps, another is their
argument."""

import math
from dataclasses import dataclass, field
from typing import ClassVar, Literal, get_args

import torch
from jaxtyping import Bool, Int
from torch import Generator, Tensor

from assay.errors import AssayError
from assay.stats import keyed_generator
from assay.task import Part
from assay.tasks.novelty import few_of_each, held_out_pairs
from assay.tasks.slots import Derived, SlotTask, Values

Maps = Literal["shift", "affine", "permutation"]
Novel = Literal["random", "pairs", "depth"]


@dataclass(frozen=True, kw_only=True)
class Modular(SlotTask):
    """y = g_j(f_i(x)), with every f_i and g_j a map of the integers mod p.

    The input is three tokens: i, j, x, each from a vocabulary of its own. The combination is the pair (i, j). The intermediate
    result z = f_i(x) is a part too, absent from the input.

    With three stages y = h_k(g_j(f_i(x))), the tokens are i, j, k, x, the combination is (i, j, k), and w = g_j(f_i(x)) is one
    more part. The first k is `none`, which leaves w as it is.

    **Arguments:** those of `SlotTask`, and

    - `p`: the modulus, at least 2.
    - `num_first`, `num_second`: numbers of f_i and g_j, 12 unless there are fewer different maps; `num_third`: number of h_k
      besides `none`.
    - `maps`: `shift` (x + a), `affine` (a x + b, a invertible mod p) or `permutation` (arbitrary). Shifts can be learned as a
      rule; arbitrary permutations of few symbols are memorised by small networks at any coverage.
    - `synonyms`: draw maps with repetition, as a control: values whose maps are equal act identically, so that a novel
      combination of them is a trained one under another name. Without it all f_i differ, all g_j, and all h_k.
    - `stages`: 2 or 3.
    - `novel`: `random` combinations; `pairs`: some pairs (i, j) are never trained; `depth`, with three stages: combinations
      whose k is `none` are trained, and a few of every other k.
    """

    family: ClassVar[str] = "modular"
    quiet: ClassVar[tuple[str, ...]] = (*SlotTask.quiet, "stages", "num_third", "synonyms")
    p: int = 11
    num_first: int | None = None
    num_second: int | None = None
    maps: Maps = "shift"
    stages: int = 2
    num_third: int = 4
    novel: Novel = "random"
    synonyms: bool = False
    _first: Int[Tensor, "i p"] = field(init=False, repr=False, compare=False)
    _second: Int[Tensor, "j p"] = field(init=False, repr=False, compare=False)
    _third: Int[Tensor, "k p"] = field(init=False, repr=False, compare=False)

    def __post_init__(self):
        self._check_whole("p", 2)
        self._check_whole("stages", 2, 3)
        self._check_choice("maps", get_args(Maps))
        self._check_choice("novel", get_args(Novel))
        most = self._num_maps()
        for option, least in (("num_first", 2), ("num_second", 2)):
            if getattr(self, option) is None:
                self._set(**{option: max(least, min(12, most))})
            self._check_different(option, least, most)
        self._check_different(
            "num_third", 1, most - 1 if self.stages == 3 else self.num_third
        )  # the identity is the map `none`
        if self.novel == "depth" and self.stages == 2:
            raise AssayError("modular: novel=depth needs three stages", given="stages=2", next_step="add stages=3")
        super().__post_init__()

    def _check_different(self, option: str, least: int, most: int) -> None:
        """Check a number of maps against the number of different ones."""
        self._check_whole(option, least)
        if getattr(self, option) > most and not self.synonyms:
            raise AssayError(
                f"modular: {option} must be at most the number of different maps, or values would be synonyms",
                given=f"{getattr(self, option)} of {most:,} ({self.maps} mod {self.p})",
                next_step=f"choose {option} of at most {most:,}, a larger p, or synonyms=true as a control",
            )

    def _num_maps(self) -> int:
        """The number of different maps; permutations are counted up to 20 factorial."""
        if self.maps == "shift":
            return self.p
        return self.p * _totient(self.p) if self.maps == "affine" else math.factorial(min(self.p, 20))

    @property
    def _counts(self) -> tuple[int, int, int]:
        """The numbers of f_i, g_j and h_k besides `none`."""
        return self.num_first or 0, self.num_second or 0, self.num_third

    def _slot_parts(self) -> tuple[Part, ...]:
        i, j, x = (Part(name, _numbers(size)) for name, size in zip("ijx", (*self._counts[:2], self.p), strict=True))
        return (i, j, x) if self.stages == 2 else (i, j, Part("k", ("none", *_numbers(self._counts[2]))), x)

    def _num_tuples(self) -> int:
        first, second, third = self._counts
        return first * second * (third + 1 if self.stages == 3 else 1) * self.p

    def _combined(self) -> tuple[str, ...]:
        return ("i", "j", "k")[: self.stages]

    def _num_classes(self) -> int:
        return self.p

    def _rule(self, values: Values) -> Int[Tensor, " n"]:
        second = self._after_second(values)
        return second if self.stages == 2 else self._third[values["k"], second]

    def _derived(self) -> tuple[Derived, ...]:
        first = Derived(Part("z", _numbers(self.p)), ("i", "x"), self._after_first)
        second = Derived(Part("w", _numbers(self.p)), ("i", "j", "x"), self._after_second)
        return (first, second)[: self.stages - 1]

    def _after_first(self, values: Values) -> Int[Tensor, " n"]:
        return self._first[values["i"], values["x"]]

    def _after_second(self, values: Values) -> Int[Tensor, " n"]:
        return self._second[values["j"], self._after_first(values)]

    def _novel(self, values: Values) -> Bool[Tensor, " c"] | None:
        generator = keyed_generator(self.seed, f"modular {self.novel}")
        if self.novel == "pairs":
            return held_out_pairs(*self._counts[:2], generator)[values["i"], values["j"]]
        if self.novel == "depth":
            return (values["k"] != 0) & ~self._shown(values["k"])
        return None

    def _always(self, values: Values) -> Bool[Tensor, " c"] | None:
        return self._shown(values["k"]) if self.novel == "depth" else None

    def _shown(self, k: Int[Tensor, " c"]) -> Bool[Tensor, " c"]:
        """The few trained combinations with every h_k."""
        return few_of_each(k, range(1, self._counts[2] + 1), keyed_generator(self.seed, "modular depth"))

    def _draw_rule(self, generator: Generator) -> None:
        """Tables of f, g and h."""
        identity = torch.arange(self.p)
        counts = self._counts
        first = self._maps(counts[0], generator, apart_from=())
        second = self._maps(counts[1], generator, apart_from=())
        third = self._maps(counts[2] if self.stages == 3 else 0, generator, apart_from=(identity,))
        self._set(_first=torch.stack(first), _second=torch.stack(second), _third=torch.stack([identity, *third]))

    def _maps(self, count: int, generator: Generator, *, apart_from: tuple[Tensor, ...]) -> list[Int[Tensor, " p"]]:
        """Random maps; without synonyms all different from each other and from `apart_from`."""
        taken = {tuple(one.tolist()) for one in apart_from}
        drawn: list[Tensor] = []
        while len(drawn) < count:
            one = self._one_map(generator)
            if self.synonyms or tuple(one.tolist()) not in taken:
                taken.add(tuple(one.tolist()))
                drawn.append(one)
        return drawn

    def _one_map(self, generator: Generator) -> Int[Tensor, " p"]:
        x = torch.arange(self.p)
        if self.maps == "permutation":
            return torch.randperm(self.p, generator=generator)
        units = [a for a in range(1, self.p) if math.gcd(a, self.p) == 1]
        scale = units[int(torch.randint(len(units), (1,), generator=generator))] if self.maps == "affine" else 1
        return (scale * x + torch.randint(self.p, (1,), generator=generator)) % self.p


def _totient(p: int) -> int:
    """Euler's totient: how many of 1 to p - 1 are invertible mod p."""
    return sum(math.gcd(a, p) == 1 for a in range(1, p))


def _numbers(count: int) -> tuple[str, ...]:
    return tuple(str(value) for value in range(count))
