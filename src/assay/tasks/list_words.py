"""Words of the task `lists`: four kinds of entities with attributes, and sentence templates for them."""

from dataclasses import dataclass

NAMES = (
    *("Alice", "Bob", "Carl", "David", "Emma", "Frank", "Grace", "Henry"),
    *("Jack", "Kate", "Laura", "Mark", "Nick", "Paul", "Sarah", "Tom"),
)


@dataclass(frozen=True)
class Kind:
    """Entities and attributes of one kind.

    **Attributes:**

    - `told`: the sentence that states a pair; `asked`: the text before the answer; `question`: the same with a question.
    - `reversed_told`: a sentence that states the pair with the attribute first.
    - `known`: pairs that are associated in the world; their entities occur in no neutral list.
    """

    entities: tuple[str, ...]
    attributes: tuple[str, ...]
    told: str
    asked: str
    question: str
    reversed_told: str
    known: tuple[tuple[str, str], ...] = ()


KINDS: dict[str, Kind] = {
    "city": Kind(
        NAMES,
        (
            *("London", "Paris", "Rome", "Berlin", "Madrid", "Boston", "Chicago", "Dublin"),
            *("Tokyo", "Vienna", "Moscow", "Athens", "Miami", "Dallas", "Houston", "Sydney"),
        ),
        "{entity} lives in {attribute}.",
        "So {entity} lives in",
        "Question: Where does {entity} live? Answer: {entity} lives in",
        "{attribute} is the home of {entity}.",
    ),
    "food": Kind(
        NAMES,
        (
            *("bread", "rice", "cheese", "soup", "fish", "fruit", "corn", "meat"),
            *("milk", "pizza", "cake", "eggs", "beans", "nuts", "honey", "salad"),
        ),
        "{entity} likes {attribute}.",
        "So {entity} likes",
        "Question: What does {entity} like? Answer: {entity} likes",
        "The {attribute} is liked by {entity}.",
    ),
    "shape": Kind(
        (
            *("square", "circle", "triangle", "star", "cross", "ring", "heart", "moon"),
            *("cube", "line", "arrow", "wheel", "box", "cone", "sphere", "leaf"),
        ),
        (
            *("red", "green", "blue", "yellow", "white", "black", "pink", "brown"),
            *("orange", "purple", "gray", "gold", "silver", "violet", "bronze", "tan"),
        ),
        "The {entity} is {attribute}.",
        "So the {entity} is",
        "Question: Which colour is the {entity}? Answer: The {entity} is",
        "The {attribute} thing is the {entity}.",
        (
            *(("heart", "red"), ("moon", "white"), ("moon", "silver"), ("moon", "yellow"), ("leaf", "green")),
            *(("star", "yellow"), ("star", "gold"), ("ring", "gold"), ("ring", "silver")),
        ),
    ),
    "made-up": Kind(
        tuple(a + b for a in ("da", "fe", "ki", "lo") for b in ("mu", "pe", "ro", "zi")),
        tuple(a + b for a in ("ba", "ge", "ni", "vo") for b in ("ku", "le", "so", "ti")),
        "{entity} goes with {attribute}.",
        "So {entity} goes with",
        "Question: What does {entity} go with? Answer: {entity} goes with",
        "With {attribute} goes {entity}.",
    ),
}
