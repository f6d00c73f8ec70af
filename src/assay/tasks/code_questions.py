"""Questions about a Python-like language: the tokens before the last position decide which of two tokens follows.

They follow the binary tasks of Gao et al. 2025 (arXiv 2511.13653) on Python, in a grammar of our own with its own tokenizer: a
token is a word, a sign, the end of a line, or the indentation at its start.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

from assay.task import Part

NAMES = ("a", "b", "c", "d", "item", "row", "value", "total")
FUNCTIONS = ("print", "load", "send", "check")
WORDS = ("red", "green", "blue", "cat", "dog", "sun", "moon", "tree")
NUMBERS = tuple("0123456789")
LINE, ONE, TWO = "<line>", "<indent-1>", "<indent-2>"
SIGNS = (
    "'", '"', 'f"', "(", ")", "[", "]", "]]", "{", "}", ",", ":", "=", "==", "+=", "+", "<", ".add", "set", "str", "with",
    "open", "as", "if", "else", "for", "while", "in", "lambda", "def", "class", "enumerate", "range", "return", "pass",
    "__init__", "run",
)  # fmt: skip
VOCABULARY = (LINE, ONE, TWO, *SIGNS, *NAMES, *FUNCTIONS, *WORDS, *NUMBERS)
TOKEN = {word: token for token, word in enumerate(VOCABULARY)}

Values = Mapping[str, str]


@dataclass(frozen=True)
class Question:
    """A kind of statement that stops before one of two tokens.

    **Attributes:**

    - `answers`: the two tokens; `second`: a function from the values of the parts to whether it is the second.
    - `parts`: the declared factors; everything else, such as names, is random.
    - `write`: a function to the tokens before the answer, separated by blanks.
    - `after`: the tokens after either answer, which end the statement.
    """

    answers: tuple[str, str]
    parts: tuple[Part, ...]
    second: Callable[[Values], bool]
    write: Callable[[Values, Random], str]
    after: tuple[str, str]


def _parts(**values: tuple[str, ...]) -> tuple[Part, ...]:
    return tuple(Part(name, some) for name, some in values.items())


_PLACE = ("assigned", "returned", "called", "listed")
_FEW = ("1", "2", "3", "4")


def _place(place: str, draw: Random) -> str:
    """The tokens before a value."""
    match place:
        case "assigned":
            return f"{draw.choice(NAMES)} ="
        case "returned":
            return "return"
        case "called":
            return f"{draw.choice(FUNCTIONS)} ("
    return f"{draw.choice(NAMES)} = {draw.choice(NAMES)} ,"


def _words(num: str, draw: Random) -> str:
    return " ".join(draw.choice(WORDS) for _ in range(int(num)))


def _items(num: str, draw: Random) -> str:
    return " , ".join(draw.choice(NUMBERS) for _ in range(int(num)))


def _quotes(values: Values, draw: Random) -> str:
    mark = {"single": "'", "double": '"'}[values["quote"]]
    return f"{_place(values['place'], draw)} {mark} {_words(values['words'], draw)}"


def _brackets(values: Values, draw: Random) -> str:
    """Opening brackets of the given number of lists, one of which may be closed already."""
    inner = f"[ {_items('1', draw)} ] ," if values["ended"] == "one" else ""
    opened = "[ " * int(values["opened"])
    return f"{draw.choice(NAMES)} = {opened} {inner} {_items(values['items'], draw)}"


def _kinds(values: Values, draw: Random, *, names: tuple[str, ...]) -> str:
    """Two variables, each a set or a string, and a line that begins with one of them."""
    first, second = draw.sample(names, 2) if len(names) > 2 else names
    made = {"set": "set ( )", "string": "str ( )"}
    lines = f"{first} = {made[values['first']]} {LINE} {second} = {made[values['other']]} {LINE}"
    if values["between"] == "call":
        lines += f" {draw.choice(FUNCTIONS)} ( {draw.choice(WORDS)} ) {LINE}"
    return f"{lines} {first if values['asked'] == 'first' else second}"


def _asked_is_string(values: Values) -> bool:
    return values["first" if values["asked"] == "first" else "other"] == "string"


_TWO_KINDS = _parts(first=("set", "string"), other=("set", "string"), asked=("first", "other"), between=("nothing", "call"))
_AFTER_KIND = (f"( 1 ) {LINE}", f"str ( ) {LINE}")


def _braces(values: Values, draw: Random) -> str:
    """A formatted string that ends in a name in braces, or in a word."""
    text = f'{_place(values["place"], draw)} f" {_words(values["words"], draw)}'
    return f"{text} {{ {draw.choice(NAMES)}" if values["last"] == "name" else f"{text} {draw.choice(WORDS)}"


def _nested_line(values: Values, draw: Random) -> str:
    """A statement at the first level of indentation, and the end of its line."""
    begins = values["statement"] != "call"
    word = {"for": f"for {draw.choice(NAMES)} in {draw.choice(NAMES)} :", "while": f"while {draw.choice(NAMES)} < 5 :"}
    line = word[values["statement"]] if begins else f"{draw.choice(FUNCTIONS)} ( {draw.choice(NAMES)} )"
    return f"def run ( {_items(values['arguments'], draw)} ) : {LINE} {ONE} {line} {LINE}"


def _condition(values: Values, draw: Random) -> str:
    one = draw.choice(NAMES)
    return {"name": one, "call": f"check ( {one} )", "equal": f"{one} == {draw.choice(NUMBERS)}"}[values["condition"]]


def _indent(values: Values) -> str:
    return {"none": "", "one": ONE, "two": TWO}[values["indent"]]


_INDENT = ("none", "one", "two")

QUESTIONS: Mapping[str, Question] = {
    "single_double_quote": Question(
        ("'", '"'),
        _parts(quote=("single", "double"), place=_PLACE, words=_FEW),
        lambda v: v["quote"] == "double",
        _quotes,
        (LINE, LINE),
    ),
    "bracket_counting": Question(
        ("]", "]]"),
        _parts(opened=("1", "2"), ended=("none", "one"), items=_FEW),
        lambda v: v["opened"] == "2",
        _brackets,
        (LINE, LINE),
    ),
    "set_or_string": Question(
        (".add", "+="), _TWO_KINDS, _asked_is_string, lambda v, draw: _kinds(v, draw, names=NAMES), _AFTER_KIND
    ),
    "set_or_string_fixedvarname": Question(
        (".add", "+="), _TWO_KINDS, _asked_is_string, lambda v, draw: _kinds(v, draw, names=("a", "b")), _AFTER_KIND
    ),
    "with_as": Question(
        ("as", ":"),
        _parts(statement=("with", "if"), function=("open", *FUNCTIONS), indent=_INDENT),
        lambda v: v["statement"] == "if",
        lambda v, draw: f"{_indent(v)} {v['statement']} {v['function']} ( {draw.choice(NAMES)} )",
        (f"{NAMES[0]} : {LINE}", f"pass {LINE}"),
    ),
    "for_while": Question(
        ("in", "<"),
        _parts(statement=("for", "while"), name=NAMES, indent=_INDENT),
        lambda v: v["statement"] == "while",
        lambda v, draw: f"{_indent(v)} {v['statement']} {v['name']}",
        (f"{NAMES[0]} : {LINE}", f"5 : {LINE}"),
    ),
    "if_ternary": Question(
        (":", "else"),
        _parts(form=("statement", "value"), condition=("name", "call", "equal"), place=_PLACE),
        lambda v: v["form"] == "value",
        lambda v, draw: " ".join(
            [_place(v["place"], draw), draw.choice(NAMES), LINE if v["form"] == "statement" else "", "if", _condition(v, draw)]
        ),
        (f"pass {LINE}", f"0 {LINE}"),
    ),
    "if_equals": Question(
        ("=", "=="),
        _parts(form=("assignment", "condition"), name=NAMES, indent=_INDENT),
        lambda v: v["form"] == "condition",
        lambda v, draw: f"{_indent(v)} {'if' if v['form'] == 'condition' else ''} {v['name']}",
        (f"1 {LINE}", f"1 : {LINE}"),
    ),
    "fstring_brace": Question(
        ('"', "}"),
        _parts(last=("word", "name"), place=_PLACE, words=_FEW),
        lambda v: v["last"] == "name",
        _braces,
        (LINE, f'" {LINE}'),
    ),
    "bracket_brace": Question(
        ("]", "}"),
        _parts(bracket=("list", "set"), place=_PLACE, items=_FEW),
        lambda v: v["bracket"] == "set",
        lambda v, draw: f"{_place(v['place'], draw)} {'[' if v['bracket'] == 'list' else '{'} {_items(v['items'], draw)}",
        (LINE, LINE),
    ),
    "indent_for": Question(
        (ONE, TWO),
        _parts(statement=("call", "for", "while"), arguments=_FEW),
        lambda v: v["statement"] != "call",
        _nested_line,
        (f"pass {LINE}", f"pass {LINE}"),
    ),
    "lambda_func": Question(
        (":", ")"),
        _parts(form=("lambda", "def"), name=NAMES, arguments=_FEW),
        lambda v: v["form"] == "def",
        lambda v, draw: (
            f"{v['name']} = lambda {_items(v['arguments'], draw)}"
            if v["form"] == "lambda"
            else f"def {v['name']} ( {_items(v['arguments'], draw)}"
        ),
        (f"1 {LINE}", f": pass {LINE}"),
    ),
    "enumerate_range": Question(
        ("range", "enumerate"),
        _parts(names=("one", "two"), indent=_INDENT, name=NAMES),
        lambda v: v["names"] == "two",
        lambda v, draw: f"{_indent(v)} for {v['name']}" + (f" , {draw.choice(NAMES)}" if v["names"] == "two" else "") + " in",
        (f"( 5 ) : {LINE}", f"( {NAMES[0]} ) : {LINE}"),
    ),
    "class_init": Question(
        ("run", "__init__"),
        _parts(inside=("module", "class"), name=NAMES, between=("nothing", "pass")),
        lambda v: v["inside"] == "class",
        lambda v, draw: (
            (f"class {v['name']} : {LINE} {ONE}" if v["inside"] == "class" else f"{v['name']} = 1 {LINE}")
            + (f" pass {LINE} {ONE if v['inside'] == 'class' else ''}" if v["between"] == "pass" else "")
            + " def"
        ),
        (f"( ) : pass {LINE}", f"( ) : pass {LINE}"),
    ),
    "var_swap": Question(
        ("a", "b"),
        _parts(first=("a", "b"), indent=_INDENT, between=("nothing", "1", "2")),
        lambda v: v["first"] == "b",
        lambda v, draw: (
            f"{_indent(v)} {v['first']} , {_other(v)} = {_other(v)}"
            + (f" + {v['between']}" if v["between"] != "nothing" else "")
            + " ,"
        ),
        (LINE, LINE),
    ),
}
"""Every question by its name. In `bracket_counting` the open lists decide, in `set_or_string` the kind of the variable
of the queried name; in the others one part alone decides and the others are distractors."""


def _other(values: Values) -> str:
    return "b" if values["first"] == "a" else "a"
