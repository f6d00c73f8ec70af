"""The function that gives a table's target after an exchange of parts."""

from collections.abc import Callable, Mapping
from pathlib import Path

from assay.errors import AssayError, shortened
from assay.factory import find_function


class Executor:
    """A function `(parts, row)` to the content of a target cell.

    `parts` maps every part that follows from no other to its value as written in the table, `row` every column of the base.
    """

    def __init__(self, where: Path, name: str, function: Callable[..., object]):
        self.where, self.name, self._function = where, name, function

    def __call__(self, parts: Mapping[str, object], row: Mapping[str, object]) -> object:
        try:
            return self._function(dict(parts), dict(row))
        except Exception as error:  # a user's function: report any error to them
            raise AssayError(
                f"{self.where}: executor must answer, or return None where there is no answer",
                given=f"{self.name} of {shortened(dict(parts))} raises {type(error).__name__}: {error}",
            ) from error


class AddressedExecutor(Executor):
    """An executor with an address, `package.module:function`, from which it is unpickled."""

    def __init__(self, path: Path, address: str):
        module, _, name = address.partition(":")
        super().__init__(path, address, find_function(module, name, beside=path.parent))

    def __reduce__(self) -> tuple[type, tuple[Path, str]]:
        return AddressedExecutor, (self.where, self.name)
