"""The words of the task `language`; each is one token and one class."""

ADJECTIVES = (
    *("amber", "brave", "clever", "dusty", "eager", "fuzzy", "gentle", "hungry"),
    *("icy", "jolly", "kind", "lazy", "merry", "noble", "proud", "quiet"),
)
NOUNS = (
    *("badger", "camel", "donkey", "eagle", "falcon", "goose", "heron", "iguana"),
    *("jackal", "koala", "lizard", "monkey", "newt", "otter", "panther", "rabbit"),
)
PLACES = (
    *("attic", "barn", "cave", "dune", "estuary", "forest", "glade", "harbour"),
    *("inlet", "jungle", "kiln", "lagoon", "meadow", "orchard", "pond", "quarry"),
)
COSTS, LACKS, EARNS = PRICED = ("costs", "lacks", "earns")
"""Verbs that are followed by a number."""
TRANSITIVE, INTRANSITIVE = ("sees", "chases", "helps", "hears", "likes", "fears"), ("sleeps",)
ORDINALS = ("first", "second", "third", "fourth")
ARTICLES = ("the", "this")
LINE, THAT, NEAR, STOP, SO, WHICH = MARKS = ("\n", "that", "near", ".", "so", "which")
"""The line end, which also pads inputs in front, and function words."""
MOST = len(NOUNS)
"""Number of values of each part."""
MOST_WORTH = 2 * (MOST - 1)
"""The largest worth of an adjective with a noun."""
RAISED = 2
"""The number that `earns` adds to the worth."""
_TENS = ("", "", "twenty", "thirty")
_ONES = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen"),
    *("fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)


def _number(k: int) -> str:
    return _ONES[k] if k < len(_ONES) else _TENS[k // 10] + (_ONES[k % 10] if k % 10 else "")


NUMBERS = tuple(_number(k) for k in range(MOST_WORTH + RAISED + 1))
WORDS = (*MARKS, *ARTICLES, *ADJECTIVES, *NOUNS, *PLACES, *PRICED, *TRANSITIVE, *INTRANSITIVE, *ORDINALS, *NUMBERS)
"""All words, in the order of their ids. The id of the line end is 0."""
ID = {word: k for k, word in enumerate(WORDS)}
assert len(ID) == len(WORDS), "every word must be unique"
