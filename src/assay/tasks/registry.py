"""The families of tasks, written out since their classes import torch; a test compares every option with the field it names."""

from importlib.metadata import EntryPoint

from assay.plugins import TASKS, loaded, plugins, unbroken
from assay.tasks.family import TaskFamily
from assay.tasks.family_options import LATENT, NUMBER, SLOTS, options


def task_families() -> tuple[TaskFamily, ...]:
    """Every built-in family, then those of plug-ins; a broken plug-in is a warning."""
    return (*_FAMILIES, *unbroken(plugins(TASKS, _names()), _plugged_in))


def family_named(name: str) -> TaskFamily | None:
    """The family of that name; a plug-in is imported for its own names alone."""
    own = next((family for family in _FAMILIES if family.name == name), None)
    if own is not None:
        return own
    return _plugged_in(entry) if (entry := plugins(TASKS, _names()).get(name)) else None


def _names() -> list[str]:
    return [family.name for family in _FAMILIES]


def _plugged_in(entry: EntryPoint) -> TaskFamily:
    return loaded(
        entry, lambda found: isinstance(found, TaskFamily) and found.name == entry.name, "a TaskFamily that has this name"
    )


_FAMILIES = (
    TaskFamily(
        name="modular-addition",
        summary="y = (i + j) mod p, of two tokens; every novel pair is outside 1-coverage",
        form="modular-addition:coverage=0.7",
        home="assay.tasks.modular_addition:ModularAddition",
        options=options(
            ("coverage", "number", "0.7", "share of the combinations that are trained"),
            *SLOTS[1:],
            ("p", "integer", "31", "the modulus"),
            ("names", "integer", "1", "tokens of each number; with 2 or more there are synonyms, as a control"),
        ),
    ),
    TaskFamily(
        name="modular",
        summary="y = g_j(f_i(x)) mod p: two parts choose the functions, a third is their argument",
        form="modular:coverage=0.8",
        home="assay.tasks.modular:Modular",
        options=options(
            *SLOTS,
            ("p", "integer", "11", "the modulus"),
            ("num_first", "integer", "12, or all different maps", "how many f_i there are"),
            ("num_second", "integer", "12, or all different maps", "how many g_j there are"),
            ("maps", "shift, affine or permutation", "shift", "what the maps do to the integers mod p"),
            ("stages", "2 or 3", "2", "with 3, y = h_k(g_j(f_i(x)))"),
            ("num_third", "integer", "4", "number of h_k besides none, which is the identity"),
            ("novel", "random, pairs or depth", "random", "chance, pairs never trained, or k mostly none in training"),
            ("synonyms", "true or false", "False", "as a control, values whose maps are equal"),
        ),
    ),
    TaskFamily(
        name="commands",
        summary="which action stands at step t of a command of one or two phrases",
        form="commands:phrases=1,max_times=3",
        home="assay.tasks.commands:Commands",
        options=options(
            *SLOTS,
            ("num_verbs", "integer", "6", "verbs, one of which only turns"),
            ("phrases", "1 or 2", "2", "phrases of a command, joined by a conjunction"),
            ("max_times", "2 or 3", "2", "how often a phrase may be repeated"),
            ("steps", "integer", "8", "t is below it"),
            (
                "novel",
                "random, primitive, template or length",
                "random",
                "chance, a verb in other than plain commands, a manner in one direction, or long commands",
            ),
        ),
    ),
    TaskFamily(
        name="binding",
        summary="the shape of the first object that has the colour asked for",
        form="binding:num_objects=2,num_colours=4",
        home="assay.tasks.binding:BindingTask",
        options=options(
            *SLOTS,
            ("num_objects", "2 or 3", "3", "objects in a scene"),
            ("num_shapes", "integer", "4", "shapes that objects can have"),
            ("num_colours", "integer", "3", "colours that objects can have"),
            (
                "novel",
                "random, pairs, roles or objects",
                "random",
                "chance, pairs of shape and colour, the same but for the first object, or scenes with the last object",
            ),
            ("form", "slots or scene", "slots", "a token for each attribute, or an 8 x 8 grid"),
        ),
    ),
    TaskFamily(
        name="lists",
        summary="which attribute an entity has in the list of entities before the question",
        form="lists:largest=3",
        home="assay.tasks.lists:Lists",
        options=options(
            ("kind", "city, shape, food or made-up", "city", "which words name entities and attributes"),
            ("num_entities", "integer", "16", "entities, 4 to 16"),
            ("num_attributes", "integer", "16", "attributes, 4 to 16"),
            ("smallest", "integer", "2", "entities in the shortest trained list"),
            ("largest", "integer", "4", "entities in the longest trained list"),
            ("free", "integer", "2", "places beyond the longest trained list; with 0 every list begins at the first place"),
            ("fixed", "number", "0.0", "share of training lists in which each entity has one attribute of its own"),
            ("novel", "role, queried, balanced or all", "queried", "which pairs are new in novel lists"),
            ("backwards", "true or false", "False", "the attribute stands before its entity"),
            ("seed", "integer", "0", "of which pairs are held out"),
        ),
    ),
    TaskFamily(
        name="list-texts",
        summary="lists of entities in sentences for a local language model",
        form="list-texts:path/to/model,kind=city",
        home="assay.tasks.list_texts:ListTexts",
        options=options(
            ("folder", "folder", None, "a local Hugging Face model with its tokenizer"),
            ("kind", "city, shape, food or made-up", "city", "which words name entities and attributes"),
            ("smallest", "integer", "2", "entities in the shortest list"),
            ("largest", "integer", "4", "entities in the longest list"),
            ("backwards", "true or false", "False", "the attribute stands before its entity"),
            ("question", "true or false", "False", "the answer follows a question"),
            ("prefix", "token", "none", "in front of everything, such as <|endoftext|>"),
            ("seed", "integer", "0", "of the lists that are drawn"),
        ),
        variant="folder",
    ),
    TaskFamily(
        name="scenes",
        summary="reconstruct a picture of overlapping objects with a shape and a colour each",
        form="scenes:size=10,most=4",
        home="assay.tasks.scenes:Scenes",
        options=options(
            ("size", "integer", "10", "pixels along a side"),
            ("fewest", "integer", "3", "objects in a trained scene, at least"),
            ("most", "integer", "4", "objects in a trained scene, at most"),
            ("num_shapes", "integer", "4", "shapes, 2 to 6"),
            ("num_colours", "integer", "6", "colours, 2 to 6"),
            ("seed", "integer", "0", "of which pairs of shape and colour are held out"),
        ),
    ),
    TaskFamily(
        name="transducer",
        summary="the state that a random finite-state machine reaches on a string, or its last output",
        form="transducer:num_states=5,num_symbols=3",
        home="assay.tasks.transducer:Transducer",
        options=options(
            *SLOTS,
            ("num_states", "integer", "4", "states of the machine"),
            ("num_symbols", "integer", "4", "number of input symbols, and of output symbols"),
            ("length", "integer", "6", "symbols in a string"),
            ("answer", "state or output", "state", "the state that is reached, or the last symbol written"),
            ("machines", "1 or 2", "1", "machines that read the same string; the answer is the pair of theirs"),
            (
                "novel",
                "random, context or length",
                "random",
                "chance, pairs of state and symbol in the second half, or strings without pauses",
            ),
            ("synonyms", "true or false", "False", "as a control, symbols that act identically at some position"),
        ),
    ),
    TaskFamily(
        name="digits",
        summary="one digit of a sum, or of a number times a digit",
        form="digits:operation=times,digits=3",
        home="assay.tasks.digits:Digits",
        options=options(
            *SLOTS,
            ("operation", "add or times", "add", "a + b, or a times one digit"),
            ("base", "integer", "7", "of the digits, at least 3"),
            ("digits", "2, 3 or 4", "2", "of each number"),
            ("novel", "random, carry or pairs", "random", "chance, carries in a row, or pairs of digits at one position"),
        ),
    ),
    TaskFamily(
        name="trees",
        summary="the value of ((a op1 b) op2 (c op3 d)) modulo a small number",
        form="trees:modulus=3",
        home="assay.tasks.trees:Trees",
        options=options(
            *SLOTS,
            ("modulus", "integer", "3", "numbers are below it"),
            (
                "novel",
                "random, under or depth",
                "random",
                "chance, operators under operators, or trees whose subtrees both are real",
            ),
        ),
    ),
    TaskFamily(
        name="hyperteacher",
        summary="regression on a teacher whose weights are a mixture of a few of its modules",
        form="hyperteacher:supports=random,num_train=28",
        home="assay.tasks.hyperteacher:Hyperteacher",
        options=options(*LATENT, ("samples_per_task", "integer", "16", "rows drawn for each choice of modules and amounts")),
    ),
    TaskFamily(
        name="preference_grid",
        summary="imitate an expert that collects objects, whose preference is a mixture of a few modules",
        form="preference_grid:supports=random,num_train=28",
        home="assay.tasks.preference_grid:PreferenceGrid",
        options=options(
            *LATENT,
            ("num_colours", "integer", "16", "colours that objects can have"),
            ("num_objects", "integer", "4", "objects in a grid, at most 8"),
            ("scored", "action or episode", "action", "whether each action counts, or only whole episodes"),
        ),
    ),
    TaskFamily(
        name="bit-parity",
        summary="which of four rows of bits breaks one of two agreements",
        form="bit-parity:num_bits=20",
        home="assay.tasks.bit_parity:BitParity",
        options=options(("num_bits", "integer", "20", "bits of an item; four of them matter")),
    ),
    TaskFamily(
        name="agreement",
        summary="which of four sentences has a subject or a verb of the wrong number",
        form="agreement:number=plural",
        home="assay.tasks.sentences:Agreement",
        options=NUMBER,
    ),
    TaskFamily(
        name="anaphora",
        summary="which of four sentences has an antecedent or a reflexive pronoun of the wrong number",
        form="anaphora:number=plural",
        home="assay.tasks.sentences:Anaphora",
        options=NUMBER,
    ),
    TaskFamily(
        name="shapes",
        summary="which of four pictures breaks one of two facts about what is inside, what touches and how many there are",
        form="shapes:facts=inside-contact",
        home="assay.tasks.shapes:Shapes",
        options=options(
            ("facts", "inside-contact, inside-count or contact-count", "inside-contact", "the two that are the parts")
        ),
    ),
    TaskFamily(
        name="odd-one-out",
        summary="which of four inputs of another task has a part with a value that was not declared",
        form="odd-one-out:i=0+1+2,j=0+1+2/modular:p=7",
        home="assay.tasks.odd_one_out_of:OddOneOutOf",
        options=options(("of", "parts with their values, / and a task", None, "when an item obeys, and what items are")),
        variant="of",
        leads_to_code=True,
    ),
    TaskFamily(
        name="scan",
        summary="navigation commands and their action sequences, with the published splits",
        form="scan:addprim_jump",
        home="assay.tasks.scan:Scan",
        options=options(("split", "name of a published split", None, "which combinations are novel")),
        variant="split",
    ),
    TaskFamily(
        name="non-adjacent-sum",
        summary="the largest sum of elements that are not adjacent, written out step by step",
        form="non-adjacent-sum:n=6,train=3000",
        home="assay.tasks.non_adjacent_sum:NonAdjacentSum",
        options=options(
            ("n", "integer", "6", "elements, 2 to 8"),
            ("high", "integer", "5", "elements are the integers from its negative to it"),
            ("train", "integer", "3000", "lists in training"),
            ("novel", "integer", "8000", "lists that are novel"),
            ("seed", "integer", "0", "of which lists these are"),
            ("shortest", "integer", "0", "trained lists have from so many to n elements; 0 for n alone"),
            ("longer", "integer", "0", "novel lists have so many elements more than n"),
        ),
    ),
    TaskFamily(
        name="multiplication",
        summary="the product of two numbers, multiplied by hand and written out step by step",
        form="multiplication:first=2,second=2,train=2000",
        home="assay.tasks.multiplication:Multiplication",
        options=options(
            ("first", "integer", "2", "digits of the first factor, 1 to 5"),
            ("second", "integer", "2", "digits of the second factor, 1 to 5"),
            ("train", "integer", "2000", "pairs in training"),
            ("novel", "integer", "2000", "pairs that are novel"),
            ("seed", "integer", "0", "of which pairs these are"),
            ("smaller", "true or false", "False", "train factors with fewer digits too"),
            ("longer", "integer", "0", "novel factors have so many digits more"),
            ("nonce", "true or false", "False", "an arbitrary table instead of the product of two digits"),
        ),
    ),
    TaskFamily(
        name="treebank",
        summary="sentences with gold dependency trees, for probes of a language model",
        form="treebank:en_ewt",
        home="assay.tasks.treebank:Treebank",
        options=options(
            ("name", "en_ewt, fr_sequoia, fr_gsd, en_pud, fr_pud, de_pud; en_nested", "en_ewt", "a published treebank; ours"),
            ("file", "CoNLL-U file", "none", "a treebank of one's own instead"),
            ("min_words", "integer", "2", "shorter sentences are left out"),
            ("max_words", "integer", "any", "longer sentences are left out"),
            ("no_addresses", "true or false", "False", "leave out sentences with .com or @"),
            ("seed", "integer", "0", "of the division of a treebank that has no splits of its own"),
        ),
        variant="name",
    ),
    TaskFamily(
        name="text",
        summary="the next byte of a text, for a network trained on this text alone",
        form="text:tinyshakespeare",
        home="assay.tasks.text:Text",
        options=options(
            (
                "name",
                "tinyshakespeare, gutenberg, gutenberg_a, gutenberg_b, genesis_en, genesis_fr, genesis_sv or wikitext2",
                "tinyshakespeare",
                "a registered text",
            ),
            ("file", "UTF-8 text file", "none", "a text of one's own instead"),
            ("length", "integer", "128", "bytes of a window"),
            ("num_words", "integer", "300", "words with a value of their own"),
            (
                "scored",
                "true or false",
                "True",
                "false for a model with a tokenizer of its own, whose states are read without scoring it",
            ),
        ),
        variant="name",
    ),
    TaskFamily(
        name="code",
        summary="programs of a Python-like language: the next token, or a question about which of two tokens follows",
        form="code:single_double_quote",
        home="assay.tasks.code:Code",
        options=options(
            ("question", "program or the name of a question", "program", "program asks for the next token everywhere"),
            ("length", "integer", "32", "tokens of a window"),
            ("coverage", "number", "0.8", "share of the combinations that are trained"),
            ("seed", "integer", "0", "of which these are"),
        ),
        variant="question",
    ),
    TaskFamily(
        name="language",
        summary="the next word of lines of a small language, on which every instrument can be run",
        form="language:coverage=0.5",
        home="assay.tasks.language:Language",
        options=options(*SLOTS),
    ),
    TaskFamily(
        name="sprites",
        summary="the number that two pictured objects, each with a shape and a colour, make together",
        form="sprites:coverage=0.5",
        home="assay.tasks.sprites:Sprites",
        options=options(*SLOTS),
    ),
    TaskFamily(
        name="graphs",
        summary="path length or relation between two entities of a small world described by a text",
        form="graphs:family,size=5",
        home="assay.tasks.graphs:Graphs",
        options=options(
            ("world", "arithmetic, family, metro, scene or social", "family", "what the texts tell of"),
            ("size", "integer", "5", "entities in a text, at least 3; odd in arithmetic"),
            ("num_names", "integer", "400", "names of entities, the last quarter of which is held out for novel texts"),
            ("trained_names", "integer", "all but the kept", "names in trained texts; fewer are learned sooner"),
            ("novel", "names, relations or both", "names", "what is new in novel texts"),
            ("seed", "integer", "0", "of which names are kept"),
        ),
        variant="world",
    ),
    TaskFamily(
        name="picture",
        summary="the colour of a pixel from its coordinates, of a picture that an evolved network draws",
        form="picture:skull",
        home="assay.tasks.evolved_picture:Picture",
        options=options(
            ("name", "skull, butterfly or apple", "skull", "the picture"),
            ("size", "integer", "64", "pixels along a side; the published pictures have 256"),
            ("phases", "own or random", "own", "random: as a null, another picture of the same spectrum"),
            ("seed", "integer", "0", "of random phases"),
        ),
        variant="name",
    ),
    TaskFamily(
        name="table",
        summary="data of one's own: JSON Lines, CSV or Parquet, declared in a small TOML file",
        form="table:path/to/table.toml",
        home="assay.tasks.table:read_table",
        options=options(("path", "file", None, "the TOML declaration")),
        variant="path",
        leads_to_code=True,
    ),
)
