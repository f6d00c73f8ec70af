"""What each measure is, in a sentence or two, by its key: titles alone explain nothing to who has not read docs/methods."""

from collections.abc import Iterable, Mapping

from assay.evidence import Measure

_LOST = "How much {} is lost when the states of the site have their mean"

DEFINITIONS: Mapping[str, str] = {
    "seen_score": "The network's mean score on combinations that occur in training.",
    "novel_score": (
        "The network's mean score on novel combinations outside 1-coverage: no exchange of fragments that act alike in "
        "training turns them into trained ones."
    ),
    "generalisation_gap": "The score on seen combinations minus that on novel ones.",
    "novel_from_state": (
        "C: at a cut, the state of a novel combination outside 1-coverage is put together of trained ones, as their mean plus "
        "the effect of each part (form sum), or as a trained state plus the difference of effects (form shift; part: of one "
        "alone). The share of combinations of which the rest of the network gives the declared answer to it. It estimates the "
        "novel score if novel inputs get to the cut."
    ),
    "novel_from_first_state": (
        "C at the first cut that passes the rule of the headline cut: what the rest of the network, with all that comes behind "
        "that cut, answers to states put together there. It is the estimate where no novel input is given."
    ),
    "novel_from_state_by_kind": "C of synonyms of trained combinations, and of novel ones inside 1-coverage.",
    "novel_from_state_by_exchanges": "C by how many exchanges of a part between trained combinations make the novel one.",
    "seen_from_effect_in_context": (
        "Cs where one part of a trained state is exchanged by an effect beside one value of another part: the value "
        "that the state itself has (the same context), or another one (other contexts). With one code of the part for "
        "all contexts both work; with copies by context the latter does not."
    ),
    "seen_from_state": "Cs: the same as C of held-out trained combinations.",
    "seen_as_state": "Es: the share of held-out trained inputs that are answered as the state put together for them.",
    "novel_as_state": "E, the way in: the share of novel inputs that are answered as the state put together for them.",
    "novel_both": "P: the share of novel inputs that are answered as their state, and right.",
    "novel_from_state_by_labels": "C, where the answers are known from labels of novel inputs alone.",
    "novel_constructed_input": (
        "C at a cut that is an affine image of the input. It says what the network answers to an input that was put together, "
        "which is behaviour."
    ),
    "coherence": (
        "Of the first-order changes of the outputs that all weights can make, the share that respects the declared regularity, "
        "counted so that rescaling and rotating units changes nothing."
    ),
    "sharing": (
        "The share of what the declared regularity takes to each other (orbits) whose examples respond to small changes of the "
        "weights as one: a mean cosine above a quarter over all layers."
    ),
    "contexts_least": (
        "The cosine of the responses for two values of the context, for the two values and the layer that are least alike: "
        "near 0 where one of them has weights of its own."
    ),
    "contexts_most": "The same for the two values and the layer that are most alike: near 0 where no layer serves both.",
    "contexts_entering": (
        "The least cosine of two values of the context in any layer, with centred inputs that are not weighed by what the "
        "weights make of them: near 0 where a table has an entry for each, whatever it holds."
    ),
    "decodability_gain": (
        "How much better a linear probe reads the value of a part from the activations, on combinations that it was not "
        "fitted on, than the same probe in untrained copies."
    ),
    "necessity": (
        "Without the subnetwork found for one part: accuracy on the other part's problems minus that on its own, above "
        "untrained copies."
    ),
    "trained_steps": "Share of right nodes of computation graphs of trained inputs, each step on the right values before it.",
    "novel_steps_recombined": (
        "The same on novel inputs, at nodes whose step was trained on these very arguments while the full computation subgraph "
        "was not: a table of subgraphs fails there."
    ),
    "novel_steps_applied": (
        "The same at nodes whose step was never trained on these arguments: a table of steps fails there, and only the "
        "operation is right."
    ),
    "novel_steps_outside_coverage": (
        "The same at nodes whose step was never trained and lies outside 1-coverage of the trained ones: no exchange of "
        "arguments that act alike gives it either."
    ),
    "saved": "Bits per byte of the best n-gram on the same excerpts, minus those of the network.",
    "gain": (
        "Bits per byte of an n-gram, minus those of its mixture with the network at the best weight: what the network adds to "
        "n-grams."
    ),
    "neighbours": (
        "The share of a word's nearest neighbours that two systems of relations have in common: the states of the network at a "
        "layer, and counts of the same text."
    ),
    "segregation": (
        "FG-ARI of the network's segments, from the best of four partitions that need no network on the scene (0) to 1: a "
        "blind grid, another scene's segments, positions, colours of the input."
    ),
    "fg_ari": "Adjusted Rand index of segments over the pixels of objects. It does not see what bleeds into the background.",
    "matched_iou": "Mean intersection over union of each object with the segment that it is matched with.",
    "same_object": (
        "Accuracy of a quadratic read-out of the states at two places, fitted on other scenes, that tells whether one object "
        "covers both; half of the pairs are of one object. It is to be held against the same of the input at these places."
    ),
    "same_object_ablation": (
        "How far the outputs move when the directions that this read-out weighs most are removed from the states, beside "
        "random directions that carry as much variance."
    ),
    "separation": (
        "Whether entities are kept apart, from the best null (0) to 1. In lists: the paired contrast, for which whatever "
        "favours a place or an attribute cancels. In scenes: whether it is read from the states of segments which attributes "
        "go together."
    ),
    "novel_reuse": (
        "Accuracy on pairs never bound in training, from the best null (0) to the accuracy on trained pairs (1): of pairs that "
        "were trained in the first place alone (role), with the queried pair new alone (queried), with no listed attribute "
        "known of the queried entity (balanced), with all pairs new (all)."
    ),
    "novel_binding": "The lowest of these scores, with the interval of the minimum.",
    "isolation": (
        "1 minus leakage: how little the answer for one entity moves when another's attribute changes, of how much the other's "
        "own answer does."
    ),
    "common_format": (
        "Accuracy with which attributes of one object are read from its state by read-outs fitted on the states of the other "
        "objects, in other scenes. The ceiling is that of read-outs fitted on the same object."
    ),
    "illusory_conjunctions": "Of the errors, the share that names an attribute of another listed entity.",
    "transplant": (
        "A pair's states are put into a list that shares nothing with it. The share of lists where its entity is then answered "
        "by its attribute."
    ),
    "circuit_size": (
        "The share of a network's edges, nonzero weights between units, that the smallest circuit keeps with which it does the "
        "task, at .15 nats for two answers, when all other units have their mean."
    ),
    "circuit_weights": (
        "The share of a network's edges in the smallest circuit that is pruned weight by weight: a cut edge passes on the mean "
        "of its source."
    ),
    "circuit_necessity": "The score that the network loses when the units of that circuit have their mean.",
    "circuit_sufficiency": "The score of the circuit alone. Circuits for nonsense have it too: see their sizes.",
    "circuit_adversarial": (
        "The circuit's loss when an adversary chooses how much of its own value each unit outside keeps: once for a batch, "
        "which is the fair one, and once for every example."
    ),
    "circuit_off_target": "How much the network's loss of another task rises when the units of that circuit have their mean.",
    "uuas": "Share of the declared edges that a linear distance probe finds, whatever their direction (unlabelled attachment).",
    "las": "Share of the declared edges that the polar probe finds with direction and relation (labelled attachment).",
    "selectivity_of_type_accuracy": "Accuracy on relations minus that on a control task.",
    "selectivity_of_uuas": "UUAS minus that on a control task.",
    "score_lost_without_the_polar_subspace": f"{_LOST.format('score')} in the subspace that the polar probe reads.",
    "score_lost_without_the_relation_axes": f"{_LOST.format('score')} along the axes of the relations.",
    "agreement_lost_without_the_polar_subspace": f"{_LOST.format('agreement')} in the subspace that the polar probe reads.",
    "agreement_lost_without_the_relation_axes": f"{_LOST.format('agreement')} along the axes of the relations.",
}


def defined(measures: Iterable[Measure]) -> list[tuple[str, str]]:
    """Name and definition of every measure that has one, each once."""
    found = {measure.key: (measure.name, DEFINITIONS[measure.key]) for measure in measures if measure.key in DEFINITIONS}
    return list(found.values())
