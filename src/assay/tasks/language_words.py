"""Words of the task `language`, each one token and one class, and what they mean."""

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
"""Verbs whose complement is a number."""
TRANSITIVE, INTRANSITIVE = ("sees", "chases", "helps", "hears", "likes", "fears"), ("sleeps",)
ORDINALS = ("first", "second", "third", "fourth")
ARTICLES = ("the", "this")
LINE, THAT, NEAR, STOP, SO, WHICH = MARKS = ("\n", "that", "near", ".", "so", "which")
"""The end of a line, which also stands before its first word, and words of grammar."""
MOST = len(NOUNS)
"""Values of each part."""
MOST_WORTH = 2 * (MOST - 1)
"""Of a noun with an adjective."""
RAISED = 2
"""What `earns` adds."""
_TENS = ("", "", "twenty", "thirty")
_ONES = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen"),
    *("fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)


def _number(k: int) -> str:
    return _ONES[k] if k < len(_ONES) else _TENS[k // 10] + (_ONES[k % 10] if k % 10 else "")


NUMBERS = tuple(_number(k) for k in range(MOST_WORTH + RAISED + 1))
WORDS = (*MARKS, *ARTICLES, *ADJECTIVES, *NOUNS, *PLACES, *PRICED, *TRANSITIVE, *INTRANSITIVE, *ORDINALS, *NUMBERS)
"""In the order of their ids. The id of the end of a line is 0."""
ID = {word: k for k, word in enumerate(WORDS)}
assert len(ID) == len(WORDS), "no word stands for two things"
