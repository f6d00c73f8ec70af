"""How large a file or a number may be that a user or a stranger gives, and the readers that hold to it.

Every reader of Assay opens its files here. What is beyond a bound is refused with an `AssayError` before it is read, parsed
or allocated: no file can make Assay hang, exhaust the memory or end in a traceback.
"""

import io
import json
import math
import os
import re
import stat
import tomllib
import warnings
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

from assay.errors import AssayError, shortened

MOST_JSON = 2**26
"""Bytes of a JSON file (64 MiB): the reports of `assay demo` have 0.2 MB each."""
MOST_TOML = 2**20
"""Bytes of a table's declaration (1 MiB): it is written by hand, line by line."""
MOST_TABLE = 2**29
"""Bytes of the rows of a table, or of a treebank (512 MiB): the largest file of a registered treebank has 14 MB. All of them
are held in memory as objects of Python, which take several times as much."""
MOST_WEIGHTS_FILE = 2**36
"""Bytes of a file of weights (64 GiB): larger networks are beyond the memory of the machines that audits run on."""
MOST_ELEMENTS = 4_000_000
"""Commas and brackets in a JSON file, which bound its elements: four million take at most 0.5 GB and two seconds."""
MOST_TABLE_CELLS = 32_000_000
"""Values in the rows of a table: as objects of Python they take about 100 bytes each."""
MOST_CELLS = 2**27
"""Numbers in one tensor that is made of a file or of options (1 GiB of 64-bit numbers)."""
MOST_NESTED = 64
"""Lists and tables inside each other: our reports nest 9 deep, and recursive code stops at about 1,000."""
MOST_DOTTED = 16
"""Parts of a dotted name in TOML: a declaration needs 2, and the parser's time grows with the square."""
MOST_LAYERS, MOST_SIZE = 1_000, 10**9
"""Layers, and any other whole number, in the configuration of a network: the deepest published ones have some 100 layers."""
WHOLE_BITS = 63
"""Whole numbers lie in [-2^63, 2^63), which every library that they go to can hold."""

if TYPE_CHECKING:
    import numpy as np
    import pyarrow
LARGEST = 1e300
"""Of a real number, so that the sum of two and the distance between them stay finite."""
_TOML_TOKEN = re.compile(r'"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'|[\w-]+|\.|[ \t]+|[\s\S]')


# Files


def is_file(path: Path | str) -> bool:
    """Whether there is a file or anything else that is no folder; False for a name that no file can have."""
    return os.path.lexists(_name(path)) and not os.path.isdir(path)


def open_file(path: Path | str, *, most: int, next_step: str = "") -> io.BufferedIOBase:
    """A regular file, opened for reading.

    **Raises:** `AssayError` when there is none that can be read, when it is a folder, a pipe or a device, or when it has more
    than `most` bytes.
    """
    try:
        # Without O_NONBLOCK the opening of a pipe waits for somebody who writes into it.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except (OSError, ValueError) as error:
        told = getattr(error, "strerror", None) or str(error)
        raise AssayError(f"{shortened(path)} must be readable", given=told, next_step=next_step) from error
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            kind = "a folder" if stat.S_ISDIR(status.st_mode) else "a pipe, a device or a socket"
            raise AssayError(f"{shortened(path)} must be a regular file", given=kind, next_step=next_step)
        if status.st_size > most:
            raise _too_long(path, f"{status.st_size:,} bytes", most, next_step)
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def check_file(path: Path | str, *, most: int, next_step: str = "") -> None:
    """As `open_file`, for a library that opens the file itself."""
    open_file(path, most=most, next_step=next_step).close()


def read_bytes(path: Path | str, *, most: int, next_step: str = "") -> bytes:
    """The content of a regular file. **Raises:** `AssayError` as `open_file` does."""
    with open_file(path, most=most, next_step=next_step) as file:
        return read_at_most(file, path, most=most, next_step=next_step)


def read_at_most(file: io.BufferedIOBase, path: Path | str, *, most: int, next_step: str = "") -> bytes:
    """What a stream still holds, such as what a gzipped file unpacks to. **Raises:** `AssayError` beyond `most` bytes."""
    try:
        content = file.read(most + 1)
    except OSError as error:
        raise AssayError(f"{shortened(path)} must be readable", given=error, next_step=next_step) from error
    if len(content) > most:  # files of the system say that they have no bytes
        raise _too_long(path, "more", most, next_step)
    return content


def _too_long(path: Path | str, given: str, most: int, next_step: str) -> AssayError:
    return AssayError(f"{shortened(path)} must have at most {most:,} bytes", given=given, next_step=next_step)


def _name(path: Path | str) -> str:
    """The path, or an empty one where it holds a NUL byte, which no system takes."""
    text = os.fspath(path)
    return "" if "\0" in text else text


def first_line(error: Exception) -> str:
    """What a library says went wrong; the name of the exception where it says nothing."""
    return str(error).strip().partition("\n")[0] or type(error).__name__


# What is in them


def parse_json(
    content: bytes, where: object, *, rule: str = "must be whole JSON", finite: bool = True, next_step: str = ""
) -> Any:
    """The value of a JSON text: plain lists and dictionaries of different keys, finite numbers, whole ones within 64 bits.

    **Arguments:**

    - `where`: how a message calls the text, such as its path; `rule`: what it says of it.
    - `finite`: whether NaN and infinities are refused here; where not, whoever takes a number must refuse them.

    **Raises:** `AssayError` for anything else, for more than `MOST_ELEMENTS` elements, and for a nesting beyond `MOST_NESTED`.
    """
    check_elements(content, where, most=MOST_ELEMENTS, next_step=next_step)
    try:
        number = _finite if finite else float
        value = json.loads(content, parse_float=number, parse_constant=number, object_pairs_hook=_of_different_keys)
        _check_nesting(value)
        return value
    except RecursionError:
        given = _TOO_DEEP
    except json.JSONDecodeError as error:
        given = f"{error.msg} at line {error.lineno}, column {error.colno}: it is truncated or altered"
    except ValueError as error:  # of a number, a key, or the encoding
        given = f"{error}: it is truncated or altered"
    raise AssayError(f"{shortened(where)} {rule}", given=given, next_step=next_step)


def check_elements(content: bytes, where: object, *, most: int, next_step: str = "") -> None:
    """**Raises:** `AssayError` when a JSON text may hold more than so many elements, counted by its commas and brackets."""
    elements = sum(content.count(sign) for sign in (b",", b"[", b"{"))
    if elements > most:
        rule = f"{shortened(where)} must hold at most {most:,} elements"
        raise AssayError(rule, given=f"{elements:,} commas and brackets", next_step=next_step)


def read_json_value(path: Path | str, *, next_step: str = "") -> Any:
    """The value of a JSON file. **Raises:** `AssayError` as `read_bytes` and `parse_json` do."""
    return parse_json(read_bytes(path, most=MOST_JSON, next_step=next_step), path, next_step=next_step)


def check_configuration(path: Path | str) -> None:
    """Refuse the configuration of a network whose numbers are beyond those of any, before a library sets out to build it.

    **Raises:** `AssayError` for a whole number above `MOST_SIZE`, and for one above `MOST_LAYERS` whose name speaks of layers.
    """
    level: list[Any] = [read_json_value(path)]
    while level:
        pairs = [pair for node in level for pair in (node.items() if isinstance(node, dict) else enumerate(node))]
        level = [value for _, value in pairs if isinstance(value, dict | list)]
        for name, value in pairs:
            most = MOST_LAYERS if "layer" in str(name) else MOST_SIZE
            if isinstance(value, int) and abs(value) > most:
                raise AssayError(f"{shortened(path)}: {shortened(name)} must be at most {most:,}", given=value)


def parse_toml(content: bytes, where: object) -> dict[str, Any]:
    """The tables of a TOML text, with the bounds of `parse_json`.

    **Raises:** `AssayError` for anything else, and for a name of more than `MOST_DOTTED` parts.
    """
    rule = f"{shortened(where)} must be a TOML file"
    try:
        text = content.decode("utf-8-sig")
        _check_dotted(text)
        value = tomllib.loads(text, parse_float=_finite)
        _check_nesting(value)
    except RecursionError:
        raise AssayError(rule, given=_TOO_DEEP) from None
    except ValueError as error:
        raise AssayError(rule, given=error) from None
    return value


def read_parquet(source: io.BufferedIOBase, where: object, *, next_step: str = "") -> "pyarrow.Table":
    """The table of an opened Parquet file of at most `MOST_TABLE_CELLS` values and `MOST_TABLE` bytes, unpacked.

    **Raises:** `AssayError` for a damaged or a larger one; a file of a few kB can unpack to any size.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        next_step = "run `pip install assay[parquet]`, or save the rows as .csv or .jsonl"
        raise AssayError(f"{shortened(where)}: reading Parquet needs pyarrow", given=error, next_step=next_step) from None
    rule = f"{shortened(where)} must be a whole Parquet file"
    try:
        file = pyarrow.parquet.ParquetFile(source)
        groups = [file.metadata.row_group(index) for index in range(file.metadata.num_row_groups)]
        # Not what it says of its columns: pyarrow reads damaged statistics outside of what it catches, which ends the process.
        cells = file.metadata.num_rows * file.metadata.num_columns
        if cells > MOST_TABLE_CELLS:
            rule = f"{shortened(where)} must hold at most {MOST_TABLE_CELLS:,} values"
            raise AssayError(rule, given=f"{cells:,}", next_step=next_step)
        names = file.schema_arrow.names
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            rule = f"columns of {shortened(where)} must differ in name"
            raise AssayError(rule, given=f"{twice!r} twice", next_step=next_step)
        # What the head of the file says need not hold, so what comes is counted as well.
        held, come, batches = sum(max(0, group.total_byte_size) for group in groups), 0, []
        for batch in file.iter_batches() if held <= MOST_TABLE else ():
            batches.append(batch)
            come += batch.nbytes
            if come > MOST_TABLE:
                break
        if max(held, come) > MOST_TABLE:
            raise _too_long(str(where), f"{max(held, come):,}, unpacked", MOST_TABLE, next_step)
        table = pyarrow.Table.from_batches(batches, schema=file.schema_arrow)
        table.validate(full=True)  # finds texts that are no UTF-8, among others
        return table
    except (pyarrow.ArrowException, OSError, ValueError, OverflowError, MemoryError, KeyError, TypeError) as error:
        if isinstance(error, AssayError):
            raise
        raise AssayError(rule, given=error, next_step=next_step) from error


def map_npy(path: Path, *, next_step: str = "") -> "np.ndarray":
    """The numbers of an `.npy` file, mapped into memory: what is not used is not read, and the file is never written.

    **Raises:** `AssayError` for anything else, for pickled objects, for no numbers, and for more than `MOST_CELLS`.
    """
    import numpy as np

    rule, headers = f"{shortened(path)} must be a whole .npy file of numbers", np.lib.format
    with open_file(path, most=8 * MOST_CELLS + 2**16, next_step=next_step) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy's, of files that Python 2 wrote
        try:
            read = {(1, 0): headers.read_array_header_1_0, (2, 0): headers.read_array_header_2_0}[headers.read_magic(file)]
            shape, by_column, dtype = read(file)
            shape = tuple(map(int, shape))  # truth values count as whole numbers there
        except Exception as error:  # of a damaged header numpy raises whatever its parsers raise
            raise AssayError(rule, given=first_line(error), next_step=next_step) from None
        numbers, held = math.prod(shape), os.fstat(file.fileno()).st_size - file.tell()
        if dtype.kind not in "iuf" or not 1 <= len(shape) <= 8 or min(shape) < 1:
            raise AssayError(rule, given=f"{dtype} of shape {shape}", next_step=next_step)
        if numbers > MOST_CELLS:
            rule = f"{shortened(path)} must hold at most {MOST_CELLS:,} numbers"
            raise AssayError(rule, given=f"{numbers:,}", next_step=next_step)
        if numbers * dtype.itemsize > held:
            raise AssayError(rule, given=f"{held:,} bytes for {numbers:,} numbers", next_step=next_step)
        return np.memmap(file, dtype, "c", file.tell(), shape, "F" if by_column else "C")


def in_python(values: Any, where: object, *, next_step: str = "") -> list[Any]:
    """A table of Arrow as a list of rows, or a column of it as a list of cells.

    **Raises:** `AssayError` for values that Python cannot hold, such as times beyond the year 9999.
    """
    import pyarrow

    try:
        return values.to_pylist()
    except (pyarrow.ArrowException, ValueError, OverflowError) as error:
        raise AssayError(f"{where} must hold values that Python can hold", given=error, next_step=next_step) from error


_TOO_DEEP = f"more than {MOST_NESTED} lists or tables inside each other"


def _finite(text: str) -> float:
    if not math.isfinite(number := float(text)):
        raise ValueError(f"a number that is not finite: {shortened(text, 40)}")
    return number


def _of_different_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        twice, _ = Counter(key for key, _ in pairs).most_common(1)[0]
        raise ValueError(f"the key {shortened(twice, 40)!r} more than once in one object")
    return value


def _check_nesting(value: Any) -> None:
    """Lists and tables, level by level, and the whole numbers in them."""
    level = [[value]]
    for _ in range(MOST_NESTED + 1):
        children = [child for node in level for child in (node.values() if isinstance(node, dict) else node)]
        level = [child for child in children if isinstance(child, dict | list)]
        for child in children:
            if isinstance(child, int) and not -(2**WHOLE_BITS) <= child < 2**WHOLE_BITS:
                raise ValueError(f"a whole number beyond 64 bits, {shortened(child, 40)}")
        if not level:
            return
    raise ValueError(_TOO_DEEP)


def _check_dotted(text: str) -> None:
    """Names joined by dots, wherever they stand: a value in which dots join as many words is refused as well."""
    parts, dot = 0, False
    for token in _TOML_TOKEN.finditer(text):
        sign = token[0]
        if sign == ".":
            dot = True
        elif sign[0] in "\"'" or sign[0] == "-" or sign[0] == "_" or sign[0].isalnum():
            parts, dot = (parts + 1 if dot else 1), False
            if parts > MOST_DOTTED:
                raise ValueError(f"a name of more than {MOST_DOTTED} parts joined by dots")
        elif sign[0] not in " \t":
            parts, dot = 0, False


# Numbers


def is_whole(value: object) -> TypeGuard[int]:
    """Whether it is a whole number, and no truth value, within 64 bits."""
    return isinstance(value, int) and not isinstance(value, bool) and -(2**WHOLE_BITS) <= value < 2**WHOLE_BITS


def check_whole(what: str, value: object, *, least: int, most: int) -> None:
    """**Raises:** `AssayError` when it is no whole number from `least` to `most`."""
    if not is_whole(value) or not least <= value <= most:
        raise AssayError(f"{what} must be a whole number from {least:,} to {most:,}", given=value)


def check_real(what: str, value: object, *, above: float = -math.inf, least: float = -math.inf) -> None:
    """**Raises:** `AssayError` when it is no finite number, not above the one bound, or below the other."""
    number = isinstance(value, float) or is_whole(value)
    if not (number and abs(value) <= LARGEST and value > above and value >= least):
        limit = f" above {above:g}" if above > -math.inf else f" of at least {least:g}" if least > -math.inf else ""
        raise AssayError(f"{what} must be a finite number{limit}", given=value)


def check_seed(what: str, seed: object) -> None:
    """The one rule for seeds. **Raises:** `AssayError` when it is no whole number in [0, 2^63)."""
    if not is_whole(seed) or seed < 0:
        raise AssayError(f"{what} must be a whole number from 0 to 2^63 - 1", given=seed)
