"""Definitions of the measures by key, in a sentence or two, for readers who do not know docs/methods."""

from collections.abc import Iterable, Mapping

from assay.evidence import Measure

_LOST = "The loss of {} when the states of the site are set to their mean"

DEFINITIONS: Mapping[str, str] = {
    "seen_score": "The network's mean score on combinations that occur in training.",
    "novel_score": "Mean score on novel combinations outside 1-coverage: no exchange of equivalents gives a trained one.",
    "novel_score_by_unfamiliar_pairs": "The novel score by the number of pairs of values that no trained combination holds.",
    "generalisation_gap": "The score on seen combinations minus that on novel ones.",
    "novel_from_state": (
        "C: the share of novel combinations outside 1-coverage whose composed state gets the declared answer from the rest of "
        "the network. The state is the mean of trained ones plus the effect of each part (form sum), or a trained state plus "
        "differences of effects (form shift; part: of one part). C estimates the novel score if novel inputs lead to it."
    ),
    "novel_from_first_state": "C at the first additive cut. It is the estimate where no novel inputs are given.",
    "novel_from_state_by_kind": "C for synonyms of trained combinations, and for novel ones inside 1-coverage.",
    "novel_from_state_by_exchanges": "C by the number of exchanges between trained combinations that give the novel one.",
    "seen_from_effect_in_context": (
        "Cs where one part of a trained state is exchanged by an effect that was measured beside one value of another part, "
        "the context. This is the value that the state itself has (same context), or a different one (other contexts). If all "
        "contexts share one code of the part, both work; if each context has a code of its own, the second fails."
    ),
    "seen_from_state": "Cs: the share of held-out trained combinations whose composed state gets the declared answer.",
    "seen_as_state": "Es: the share of held-out trained inputs that are answered like the state composed for them.",
    "novel_as_state": "E, the way in: the share of novel inputs that are answered like the state composed for them.",
    "novel_both": "P: the share of novel inputs that are answered correctly, and like the state composed for them.",
    "novel_from_state_by_labels": "C, on combinations whose answers are known only from the labels of novel inputs.",
    "novel_constructed_input": (
        "C at a cut that is an affine image of the input. It is the answer to a composed input, which is behaviour."
    ),
    "coherence": (
        "The share of the first-order changes of the outputs, over all weights, that respects the declared regularity, such as "
        "a symmetry. Units are on a common scale (the balanced gauge): rescaling or rotating them changes nothing."
    ),
    "coherence_of_weights": "Coherence without the common scale: all weights are read as they are.",
    "sharing": (
        "An orbit is a set of examples that the declared regularity maps to each other, such as examples that differ in one "
        "part alone. Sharing is the share of orbits whose examples respond alike to small changes of the weights (mean cosine "
        "over all layers above a quarter)."
    ),
    "entanglement": (
        "Over how many parts a weight acts: 0 for one, 1 for all alike. These parts are sets of outputs or examples that the "
        "task names with its regularities, such as, in sprites, the examples whose second object is in the upper left."
    ),
    "lateralisation": "How far the weights into a unit act on one side: all first (or second, ...) examples of the orbits.",
    "dimensions": "Axes for 99 % of the variance of hidden states (maps), in the balanced gauge or standardised.",
    "predictability": "Held-out R2 of a unit from the other units of its layer.",
    "decodability_of_parts": "Held-out R2 of a linear probe for the same parts as in entanglement, at the best layer.",
    "contexts_least": (
        "The context is the part that the regularity exchanges. The cosine of the responses for two of its values is computed "
        "for all pairs of values and all layers; this is the smallest: near 0 where one value has weights of its own."
    ),
    "contexts_most": "The largest of these cosines: near 0 where no layer is shared by two values.",
    "contexts_entering": (
        "The lowest cosine for two values of the context in any layer, computed with centred inputs and not weighted by the "
        "outgoing weights. It is near 0 if the layer has an entry for each value, as a table does, whatever the entry holds."
    ),
    "decodability_gain": (
        "The accuracy of a linear probe on combinations held out from its fit, minus that in untrained copies, each network "
        "read at its best site or from the input. The readout is what is probed: the value, presence or amount of a part."
    ),
    "decodability_on_novel_combinations": "The same probe, fitted on all seen combinations and scored on novel ones.",
    "selectivity": "Accuracy of the probe minus that on a random label for each combination (the control task).",
    "decodability_by_site": (
        "The accuracy of the probe at one site, on held-out combinations. Arrays of more than 512 numbers are read as a mean "
        "over all dimensions but the last, and the last position. Sites are cut to 64 axes, the “encoded input” to 1,024."
    ),
    "necessity": "Without a part's subnetwork: accuracy on the other part minus that on its own, above untrained copies.",
    "necessity_at_the_smallest_mask": "Necessity of the smallest subnetwork that solves the part's problems alone.",
    "sufficiency": "With the subnetwork alone: accuracy on its own problems minus the other part's, above untrained copies.",
    "trained_steps": "Share of right nodes in the computation graphs of trained inputs, each step on right arguments.",
    "novel_steps_full_seen": "The same on novel inputs, at nodes whose full subgraph, the step and all before it, was trained.",
    "novel_steps_recombined": "The same on novel inputs, where a step was trained but not its full subgraph: a table fails.",
    "novel_steps_applied": "The same at nodes whose step was never trained: only the operation itself succeeds there.",
    "novel_steps_outside_coverage": "The same at untrained steps outside 1-coverage, which no exchange of arguments gives.",
    "novel_log_odds_full_seen": "Log odds ratio of a right node with its full subgraph trained, within layers and operations.",
    "novel_nodes_own_steps": "Share of right nodes on novel inputs, each computed from the network's own values.",
    "composition_gap": (
        "The share of nodes that would be right if the operation were applied to the network's own values of the arguments, "
        "minus the share that is right. Near 0 the network composes its parts; above 0 it knows parts without composing them, "
        "and below 0 wholes without their parts."
    ),
    "bits": "The network's mean code length of held-out text, in bits per byte.",
    "saved": "Bits per byte of the best n-gram on the same excerpts, minus those of the network.",
    "gain": "Bits per byte of an n-gram minus those of its best mixture with the network: what the network adds.",
    "left": "The share of the variance of word surprisal that frequency, n-gram and context do not explain.",
    "cost": "The bits per byte that a shuffle of the text costs the network. What costs nothing is not used.",
    "neighbours": "The share of a word's nearest neighbours that the network, at a layer, shares with counts of the text.",
    "neighbours_apart": "The same, with neighbours that share the word's stem left out.",
    "neighbours_null": "The same with counts of shuffled text, and with random vectors.",
    "rsa": "Rank correlation of the similarities of all pairs of words, given frequency and spelling.",
    "groups": "Agreement of clusters of the network's words with groups of words, corrected for chance.",
    "matched": "The share of words matched with themselves in counts of the text by similarities alone.",
    "segregation": (
        "FG-ARI of the network's segments, rescaled from the best of four baseline partitions (0) to 1: a fixed grid, "
        "another scene's segments, positions, and colours of the input."
    ),
    "fg_ari": "Adjusted Rand index of segments over the pixels of objects. It ignores the background.",
    "matched_iou": "Mean intersection over union of each object with the segment that it is matched with.",
    "same_object": (
        "Accuracy of a quadratic read-out of the states at two places, fitted on other scenes, that tells whether one object "
        "covers both; half of the pairs are of one object. Compare it with the same accuracy from the input at these places."
    ),
    "same_object_ablation": (
        "The change of the outputs when the directions with the largest weights in this read-out are removed from the "
        "states, compared with random directions of equal variance."
    ),
    "separation": (
        "Separation of entities, rescaled from the best null (0) to 1. In lists: the paired contrast, in which two entities of "
        "one list are queried so that preferences for a place or an attribute cancel. In scenes: the accuracy with which the "
        "attributes that belong together are read from the states of segments."
    ),
    "novel_reuse": (
        "Accuracy on pairs never bound in training, rescaled from the best null (0) to the accuracy on trained pairs (1): "
        "with pairs trained only in the first place of a list (role), with only the queried pair new (queried), with no "
        "listed attribute ever trained with the queried entity (balanced), with all pairs new (all)."
    ),
    "novel_binding": "The lowest of separation, reuse and, in scenes, segregation, with the interval of the minimum.",
    "novel_accuracy": "Accuracy for pairs of entity and attribute never bound in training.",
    "isolation": (
        "1 minus leakage: leakage is the change of the answer for one entity when another's attribute changes, relative to "
        "the change of the other's own answer."
    ),
    "common_format": (
        "Accuracy with which attributes of one object are read from its state by read-outs fitted on the states of the other "
        "objects, in other scenes. The ceiling is that of read-outs fitted on the same object."
    ),
    "illusory_conjunctions": "Of the errors, the share that names an attribute of another listed entity.",
    "transplant": (
        "The share of lists in which an entity is answered by its attribute after the states of this pair were patched into"
        " a list that shares nothing with it."
    ),
    "circuit_size": (
        "The share of a network's edges, nonzero weights between units, in the smallest circuit that still does the task "
        "(loss of .15 nats for two answers) when all other units are set to their mean."
    ),
    "circuit_weights": "The same, found by pruning single weights; a removed edge passes on the mean of its source.",
    "circuit_alone": "The score of the circuit alone under other ablations than by the mean.",
    "circuit_removed": "The loss of score without the circuit under other ablations than by the mean.",
    "circuit_role": "For each unit of the circuit, the correlation of its values in it with those in the whole network.",
    "circuit_stability": "The overlap of the units of circuits found on different halves of the examples.",
    "circuit_transfer": "The score, on one half of a part's values, of the circuit found on the other half.",
    "circuit_necessity": "The loss of score when the units of that circuit are set to their mean.",
    "circuit_sufficiency": "The score of the circuit alone. Circuits for nonsense tasks reach it too, so compare their sizes.",
    "circuit_adversarial": (
        "The circuit's loss when an adversary chooses, for each unit outside, the share of its own value that it keeps: "
        "once for a whole batch, which is the fair test, and once for every example."
    ),
    "circuit_off_target": "The rise of the loss on another task when the units of that circuit are set to their mean.",
    "uuas": "Share of the declared edges that a linear distance probe finds, ignoring direction (unlabelled attachment).",
    "las": "Share of the declared edges that the polar probe finds, with direction and relation (labelled attachment).",
    "uas": "Share of words whose head is found, with direction (unlabelled attachment).",
    "type_accuracy": "Share of the declared edges whose relation is read correctly from the edge's direction.",
    "selectivity_of_type_accuracy": "Accuracy on relations minus that on a control task, in which words fix random relations.",
    "selectivity_of_uuas": "UUAS minus that on a control task, in which words fix random heads.",
    "score_lost_without_the_polar_subspace": f"{_LOST.format('score')} in the subspace that the polar probe reads.",
    "score_lost_without_the_relation_axes": f"{_LOST.format('score')} along the mean edges of the relations.",
    "agreement_lost_without_the_polar_subspace": f"{_LOST.format('agreement')} in the subspace that the polar probe reads.",
    "agreement_lost_without_the_relation_axes": f"{_LOST.format('agreement')} along the mean edges of the relations.",
}


def defined(measures: Iterable[Measure]) -> list[tuple[str, str]]:
    """Name and definition of every measure that has one, without duplicates."""
    found = {measure.key: (measure.name, DEFINITIONS[measure.key]) for measure in measures if measure.key in DEFINITIONS}
    return list(found.values())
