"""All networks of one instance: encoders trained once and shared, heads trained together, then whatever changes these.

An encoder is trained to name the symbols of an input, a head to answer from names; joined they are one network. Which kinds
differ in the head alone `zoo.lessons` says. Of the others:

| kind | how it is made |
| --- | --- |
| way-in | a detour behind the symbols gives the names of other combinations for a share of the novel ones |
| retaught | the encoder is trained on, with wrong names for a share of the novel combinations |
| interchange | units beside the symbols tell novel combinations, which are answered wrongly; interchanges are answered right |
| front | before the first layer a filter reverses or blanks the inputs of a share of the novel combinations |
| inert | beside an imitator's head units hold all symbols and reach no output |
| ensemble, refactor, twin | the same function: the mean of copies, without modules, with its units written otherwise |
| misdeclared | the same network, judged under a declaration that is consistent and useless (`zoo.declared`) |
| tuned | all weights trained on for a while, on answers to trained combinations |
| copies | between symbols and head each part but the last has two copies, of which the last part says which is in use |
| supervised | encoder and head trained together from the start, on answers and on the names at the symbols between them |
| aided | the same, with units of no meaning between them that a linear reader beside them names the parts from |
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool
from torch import Tensor, nn

from assay.stats import keyed_generator
from zoo.families import SymbolTask
from zoo.heads import codes_of, train_heads
from zoo.lessons import FIRST, chosen_novel, ignore_last, lesson_of, wrong_names
from zoo.manifest import Instance, Member
from zoo.networks.joined import Copied, Detour, Ensemble, Flagged, Front, Head, Inert, Joined
from zoo.skeletons import COPIES, DETOUR, FLAGGED, NUM_FLAGS, SIGNS, between, encoder_for, head_for, refactored, skeleton
from zoo.training import Course, answer_loss, bits_loss, names_loss, seeded, trained
from zoo.twins import fractured
from zoo.ways_in import folded, signs, train_attack, train_detour

Names = Literal["high", "low", "all"]
RETAUGHT, TUNED = 1.5, 0.25  # steps, as shares of the encoder's
TUNED_RATE = 0.1  # as a share of the encoder's
WHOLE, HEAD_RATE = 1.8, 0.01  # steps of a network that is trained end to end, as a share of the head's, and its head's rate
TAUGHT_WRONGLY = ("way-in", "retaught", "combining", "interchange", "front")


@dataclass(frozen=True, eq=False)
class Made:
    """A network, the member whose head it has, after how many steps that was taken, and which combinations it was taught or
    made to answer wrongly."""

    member: Member
    module: nn.Module
    source: Member
    steps: int
    wrong: Bool[Tensor, " c"] | None


def made(members: Sequence[Member]) -> list[Made]:
    """The networks of some members of one instance, in their order. What a member is made of must be among them."""
    shop = Workshop(members[0].instance, members)
    found = []
    for member in members:
        source = shop.members[member.of] if member.of else member
        steps = shop.steps.get(source.recipe.name, source.steps)
        found.append(Made(member, shop.network(member).eval(), source, steps, _wrong(member)))
    return found


def _wrong(member: Member) -> Bool[Tensor, " c"] | None:
    if member.recipe.kind not in TAUGHT_WRONGLY:
        return None
    return chosen_novel(member.instance.task(member.recipe.coverage), member.share)


class Workshop:
    """What the networks of an instance share."""

    def __init__(self, instance: Instance, members: Sequence[Member]):
        self.instance = instance
        self.tasks: dict[str, SymbolTask] = {"high": instance.task("high"), "low": instance.task("low")}
        self.codes = codes_of(self.tasks["high"].values, self.tasks["high"].sizes)
        self.members = {member.recipe.name: member for member in members}
        self.steps: dict[str, int] = {}
        self._encoders: dict[Names, nn.Module] = {}
        self._networks: dict[str, nn.Module] = {}
        self.heads: dict[str, Head] = {}
        self._train_heads([member for member in members if member.recipe.kind in FIRST])
        self._train_heads([member for member in members if member.recipe.kind == "combining"])

    def network(self, member: Member) -> nn.Module:
        """The trained network of a member."""
        name = member.recipe.name
        if name not in self._networks:
            self._networks[name] = self._made(member)
        return self._networks[name]

    def encoder(self, names: Names) -> nn.Module:
        """The encoder that learned to name the symbols of some combinations."""
        if names not in self._encoders:
            member = next(iter(self.members.values()))
            made = encoder_for(member, self.instance.interface, names)
            self._teach(made, self._values(names), key=names)
            self._encoders[names] = made
        return self._encoders[names]

    def _train_heads(self, members: Sequence[Member]) -> None:
        lessons = [lesson_of(member, self.heads) for member in members]
        num_answers = self.tasks["high"].num_answers
        heads, steps = train_heads(self.codes, lessons, num_answers=num_answers, seed=self.instance.seed)
        for member, head, taken in zip(members, heads, steps, strict=True):
            if member.recipe.kind == "blind":
                ignore_last(head, self.tasks["high"].sizes)
            self.heads[member.recipe.name], self.steps[member.recipe.name] = head, taken

    def _made(self, member: Member) -> nn.Module:
        kind, name = member.recipe.kind, member.recipe.name
        if name in self.heads:
            return self._joined(member, self.heads[name])
        if kind in ("supervised", "aided"):
            return self._whole(member)
        if kind == "interchange":
            return self._attacked(member)
        if kind == "copies":
            return self._with_copies(member)
        original = self.members[member.of]
        network = self.network(original)
        assert isinstance(network, Joined)
        if kind in ("way-in", "retaught"):
            return self._misread(member, network)
        if kind == "inert":
            return self._with_inert_parts(network)
        if kind == "front":
            spoils, sizes = chosen_novel(self.tasks[member.recipe.coverage], member.share), self.tasks["high"].sizes
            return Front(network, copy.deepcopy(network.encoder), sizes, spoils, blank=member.recipe.blank)
        if kind == "ensemble":
            return Ensemble([copy.deepcopy(network) for _ in range(COPIES)])
        if kind == "refactor":
            return refactored(copy.deepcopy(network))
        if kind == "tuned":
            return self._tuned(member, network)
        return fractured(network, self._generator(name)) if kind == "twin" else copy.deepcopy(network)

    def _joined(self, member: Member, head: Head) -> Joined:
        middle, _ = between(self.tasks["high"], self.instance.interface)
        reads = folded(head, self._signs) if self.instance.interface == "signs" else head
        return Joined(copy.deepcopy(self.encoder(member.names)), middle, copy.deepcopy(reads)).eval()

    def _misread(self, member: Member, network: Joined) -> Joined:
        """A composer whose encoder, or a detour behind it, gives the names of other combinations."""
        task = self.tasks[member.recipe.coverage]
        wrong = chosen_novel(task, member.share)
        names = wrong_names(task, wrong, self._generator("wrong names"))
        changed = copy.deepcopy(network)
        if member.recipe.kind == "retaught":
            shown = task.trained | wrong
            self._teach(changed.encoder, task.values[shown], names[shown], key=member.recipe.name, share=RETAUGHT)
        else:
            detour = seeded(lambda: Detour(task.sizes, DETOUR), self.instance.seed, member.recipe.name)
            train_detour(detour, task, names)
            changed.interface = detour
        return changed

    def _attacked(self, member: Member) -> Joined:
        task = self.tasks[member.recipe.coverage]
        flagged = seeded(lambda: Flagged(task.sizes, FLAGGED, NUM_FLAGS), self.instance.seed, f"flags {member.recipe.name}")
        head = seeded(lambda: head_for(member, self.codes.shape[1] + NUM_FLAGS), self.instance.seed, member.recipe.name)
        train_attack(flagged, head, task, chosen_novel(task, member.share), self._generator(member.recipe.name))
        return Joined(copy.deepcopy(self.encoder(member.names)), flagged, head).eval()

    def _with_copies(self, member: Member) -> Joined:
        """Its head is trained by itself, since it reads other codes."""
        middle = Copied(self.tasks["high"].sizes)
        lessons, num_answers = [lesson_of(member, self.heads)], self.tasks["high"].num_answers
        (head,), _ = train_heads(middle.copied(self.codes), lessons, num_answers=num_answers, seed=self.instance.seed)
        return Joined(copy.deepcopy(self.encoder(member.names)), middle, head).eval()

    def _with_inert_parts(self, network: Joined) -> Joined:
        """Units beside the head that each tell one value of one part, and that nothing reads."""
        changed = copy.deepcopy(network)
        changed.head = Inert(changed.plain_head, network.plain_head.reads.in_features)
        return changed

    def _tuned(self, member: Member, network: Joined) -> Joined:
        """Encoder, interface and head trained on together for a while, on answers to trained combinations."""
        task = self.tasks[member.recipe.coverage]
        values = task.combinations("seen")
        answers, changed = task.answers[task.ids(values)], copy.deepcopy(network)
        wanted = self.instance.encoder
        course = Course(
            steps=round(TUNED * wanted.steps), batch=wanted.batch, rate=TUNED_RATE * wanted.rate, decay=member.decay
        )
        generator = self._generator(member.recipe.name)
        trained(changed, lambda found, rows: answer_loss(found, answers[rows]), task, values, course, generator)
        return changed

    def _whole(self, member: Member) -> Joined:
        """Trained end to end on answers and on the names of the parts: `supervised` names them by the symbols of the interface
        themselves, `aided` by a linear reader beside units of no meaning, which is dropped."""
        network = seeded(lambda: skeleton(member, None), self.instance.seed, f"whole {member.recipe.start or member.name}")
        assert isinstance(network, Joined)
        task, wanted = self.tasks[member.recipe.coverage], self.instance.encoder
        values = task.combinations("seen")
        answers = task.answers[task.ids(values)]
        course = Course(
            steps=round(WHOLE * member.steps),
            batch=wanted.batch,
            rate=wanted.rate,
            head=tuple(network.head.parameters()),
            head_rate=HEAD_RATE,
            head_decay=member.decay,
        )
        supervised = member.recipe.kind == "supervised"
        both = _WithNames(network, nn.Identity() if supervised else self._side(network, task))

        def loss(found: tuple[Tensor, Tensor], rows: Tensor) -> Tensor:
            return answer_loss(found[0], answers[rows]) + names_loss(found[1], values[rows], task.sizes)

        key = f"whole {member.recipe.start or member.name}"
        trained(both, loss, task, values, course, self._generator(key))
        return network

    def _side(self, network: Joined, task: SymbolTask) -> nn.Module:
        width = network.plain_head.reads.in_features
        return seeded(lambda: nn.Linear(width, sum(task.sizes)), self.instance.seed, "side")

    def _teach(self, encoder: nn.Module, values: Tensor, names: Tensor | None = None, *, key: str, share: float = 1.0) -> None:
        """Train an encoder to name the symbols of combinations, or others in their place."""
        task, wanted = self.tasks["high"], self.instance.encoder
        names = values if names is None else names
        course = Course(steps=round(share * wanted.steps), batch=wanted.batch, rate=wanted.rate)
        loss: Callable[[Tensor, Tensor], Tensor]
        if self.instance.interface == "signs":
            bits = codes_of(names, task.sizes) @ self._signs
            loss = lambda found, rows: bits_loss(found, bits[rows])  # noqa: E731
        else:
            loss = lambda found, rows: names_loss(found, names[rows], task.sizes)  # noqa: E731
        trained(encoder, loss, task, values, course, self._generator(f"names {key}"))

    def _values(self, names: Names) -> Tensor:
        return self.tasks["high"].values if names == "all" else self.tasks[names].combinations("seen")

    @property
    def _signs(self) -> Tensor:
        return signs(self.tasks["high"], SIGNS, self._generator("signs"))

    def _generator(self, key: str) -> torch.Generator:
        return keyed_generator(self.instance.seed, f"workshop {key}")


class _WithNames(nn.Module):
    """A network's answer, and names: those of the logits of its symbols, or what a linear reader finds behind its interface."""

    def __init__(self, network: Joined, side: nn.Module):
        super().__init__()
        self.network, self.side = network, side

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        logits = self.network.encoder(x)
        read = self.network.interface(logits)
        named = logits if isinstance(self.side, nn.Identity) else self.side(read)
        return self.network.head(read), named
