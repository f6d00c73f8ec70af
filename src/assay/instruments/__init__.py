"""The instruments, one file per line of evidence. Registering one here gives it the conformance tests for free."""

import importlib
from importlib.metadata import EntryPoint

from assay.arguments import checked
from assay.errors import AssayError
from assay.instrument import Instrument
from assay.plugins import INSTRUMENTS, loaded, plugins, unbroken

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
    """The instrument of that name, ours or that of a plug-in; `AssayError` lists the names on a miss.

    Example::

        >>> assay.load_instrument("systematicity").question
        'Does the network work on combinations of parts that it was never trained on?'
    """
    if name in _INSTRUMENTS:
        module, _, attribute = _INSTRUMENTS[name].partition(":")
        return getattr(importlib.import_module(module), attribute)()
    added = plugins(INSTRUMENTS, _INSTRUMENTS)
    if name not in added:
        raise AssayError("an instrument must be one of those registered", given=name, choices=[*_INSTRUMENTS, *added])
    return _plugged_in(added[name])


def all_instruments() -> tuple[Instrument, ...]:
    """Every registered instrument, in the order of the report; those of plug-ins follow ours, and a broken one is a warning.

    Example::

        >>> [instrument.name for instrument in assay.all_instruments()][:2]
        ['systematicity', 'recombination']
    """
    added = unbroken(plugins(INSTRUMENTS, _INSTRUMENTS), _plugged_in)
    return (*(load_instrument(name) for name in _INSTRUMENTS), *added)


def _plugged_in(entry: EntryPoint) -> Instrument:
    def fits(found: object) -> bool:
        return isinstance(found, type) and issubclass(found, Instrument) and found.name == entry.name

    return loaded(entry, fits, "an assay.Instrument class that has this name")()
