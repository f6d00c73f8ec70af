"""What each measure is, in a sentence or two, by its key: titles alone explain nothing to who has not read docs/methods."""

from collections.abc import Iterable, Mapping

from assay.evidence import Measure

_EXCHANGED = (
    "The state of one part is taken from one trained input and put into another, so that the inside holds another combination. "
    "The score is that of the output against what the task declares for that combination"
)
_LOST = "How much {} is lost when the states of the site have their mean"

DEFINITIONS: Mapping[str, str] = {
    "seen_score": "The network's mean score on combinations that occur in training.",
    "novel_score": (
        "The network's mean score on novel combinations outside 1-coverage: no exchange of fragments that act alike in "
        "training turns them into trained ones."
    ),
    "generalisation_gap": "The score on seen combinations minus that on novel ones.",
    "novel_recombination": f"{_EXCHANGED}, over combinations that were never trained, at the best places.",
    "novel_recombination_side_by_side": (
        f"{_EXCHANGED}, over combinations that were never trained, at those places alone that hold the parts side by side, "
        "as a sum, before any training: whatever combines them lies behind such a place."
    ),
    "novel_recombination_past_the_mixing": f"{_EXCHANGED}, over combinations that were never trained, at all other places.",
    "novel_recombination_of_prototypes": (
        "As novel recombination, where the whole state is the sum of the mean effects of the parts, so that nothing of either "
        "input is left."
    ),
    "seen_recombination": f"{_EXCHANGED}, over trained combinations: weaker, since their outputs were learned.",
    "organisation": (
        "Tidiness of the units: (1 - share of redundant units) (1 - share of contributions that cancel) / (1 + spread of "
        "their scales, squared). It says nothing about parts."
    ),
    "decodability_gain": (
        "How much better a linear probe reads the value of a part from the activations, on combinations that it was not "
        "fitted on, than the same probe in untrained copies."
    ),
    "necessity": (
        "Without the subnetwork found for one part: accuracy on the other part's problems minus that on its own, above "
        "untrained copies."
    ),
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
