"""The instruments, one file per line of evidence. Registering one here gives it the conformance tests for free."""

import importlib

from assay.arguments import checked
from assay.errors import AssayError
from assay.instrument import Instrument

_INSTRUMENTS = {
    "systematicity": "assay.instruments.systematicity:Systematicity",
    "recombination": "assay.instruments.recombination:Recombination",
    "decodability": "assay.instruments.decodability:Decodability",
    "subnetworks": "assay.instruments.subnetworks:Subnetworks",
    "polar": "assay.instruments.polar:Polar",
    "fracture": "assay.instruments.fracture:Fracture",
    "subgraphs": "assay.instruments.subgraphs:Subgraphs",
    "binding": "assay.instruments.binding:Binding",
    "circuits": "assay.instruments.circuits:Circuits",
    "langue": "assay.instruments.langue:Langue",
}


@checked
def load_instrument(name: str) -> Instrument:
    """The instrument of that name; `AssayError` lists the names on a miss.

    Example::

        >>> assay.load_instrument("systematicity").question
        'Does the network work on combinations of parts that it was never trained on?'
    """
    if name not in _INSTRUMENTS:
        raise AssayError("an instrument must be one of those registered", given=name, choices=_INSTRUMENTS)
    module, _, attribute = _INSTRUMENTS[name].partition(":")
    return getattr(importlib.import_module(module), attribute)()


def all_instruments() -> tuple[Instrument, ...]:
    """Every registered instrument, in the order of the report.

    Example::

        >>> [instrument.name for instrument in assay.all_instruments()][:2]
        ['systematicity', 'recombination']
    """
    return tuple(load_instrument(name) for name in _INSTRUMENTS)
