"""Bounds on the size of files and numbers that are read, and the readers that enforce them.

Every reader of Assay opens its files here. Anything beyond a bound is refused with an `AssayError` before it is read, parsed or
allocated: no file can make Assay hang, run out of memory or end in a traceback.
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
"""Bytes of a file of weights (64 GiB): larger networks do not fit into the memory of the machines that audits run on."""
MOST_ELEMENTS = 4_000_000
"""Commas and brackets in a JSON file, which bound its elements: four million take at most 0.5 GB and two seconds."""
MOST_TABLE_CELLS = 32_000_000
"""Values in the rows of a table: as objects of Python they take about 100 bytes each."""
MOST_CELLS = 2**27
"""Numbers in one tensor made from a file or from options (1 GiB of 64-bit numbers)."""
MOST_NESTED = 64
"""Lists and tables inside each other: our reports nest 9 deep, and recursive code stops at about 1,000."""
MOST_DOTTED = 16
"""Parts of a dotted name in TOML: a declaration needs 2, and the parser's time grows with the square."""
MOST_LAYERS, MOST_SIZE = 1_000, 10**9
"""Layers, and any other whole number, in the configuration of a network: the deepest published ones have some 100 layers."""
WHOLE_BITS = 63
"""Whole numbers lie in [-2^63, 2^63), which every library can hold."""

if TYPE_CHECKING:
    import numpy as np
    import pyarrow
LARGEST = 1e300
"""Largest absolute value of a real number, so that the sum of two and the distance between them stay finite."""
_TOML_TOKEN = re.compile(r'"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'|[\w-]+|\.|[ \t]+|[\s\S]')


# Files


def is_file(path: Path | str) -> bool:
    """Whether the path exists and is no folder; False for a name that no file can have."""
    return os.path.lexists(_name(path)) and not os.path.isdir(path)


def open_file(path: Path | str, *, most: int, next_step: str = "") -> io.BufferedIOBase:
    """A regular file, opened for reading.

    **Raises:** `AssayError` when there is none that can be read, when it is a folder, a pipe or a device, or when it has more
    than `most` bytes.
    """
    try:
        # Without O_NONBLOCK opening a pipe would wait for a writer.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise AssayError(f"{shortened(path)} must be readable", given=reason, next_step=next_step) from error
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
    """The checks of `open_file`, for a library that opens the file itself."""
    open_file(path, most=most, next_step=next_step).close()


def read_bytes(path: Path | str, *, most: int, next_step: str = "") -> bytes:
    """The content of a regular file. **Raises:** `AssayError` as `open_file` does."""
    with open_file(path, most=most, next_step=next_step) as file:
        return read_at_most(file, path, most=most, next_step=next_step)


def read_at_most(file: io.BufferedIOBase, path: Path | str, *, most: int, next_step: str = "") -> bytes:
    """The rest of a stream, such as an unpacked gzip file. **Raises:** `AssayError` beyond `most` bytes."""
    try:
        content = file.read(most + 1)
    except OSError as error:
        raise AssayError(f"{shortened(path)} must be readable", given=error, next_step=next_step) from error
    if len(content) > most:  # files under /proc report a size of 0
        raise _too_long(path, "more", most, next_step)
    return content


def _too_long(path: Path | str, given: str, most: int, next_step: str) -> AssayError:
    return AssayError(f"{shortened(path)} must have at most {most:,} bytes", given=given, next_step=next_step)


def _name(path: Path | str) -> str:
    """The path, or an empty one where it holds a NUL byte, which no system takes."""
    text = os.fspath(path)
    return "" if "\0" in text else text


def first_line(error: Exception) -> str:
    """First line of an exception's message; the name of the exception where it has none."""
    return str(error).strip().partition("\n")[0] or type(error).__name__


# Content of files


def parse_json(
    content: bytes, where: object, *, rule: str = "must be whole JSON", finite: bool = True, next_step: str = ""
) -> Any:
    """Value of a JSON text: lists, dictionaries without repeated keys, finite numbers, whole numbers within 64 bits.

    **Arguments:**

    - `where`: name of the text in a message, such as its path; `rule`: the rule that the message states.
    - `finite`: whether NaN and infinities are refused here; if not, the caller must refuse them.

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
    except ValueError as error:  # the message is about a number, a key, or the encoding
        given = f"{error}: it is truncated or altered"
    raise AssayError(f"{shortened(where)} {rule}", given=given, next_step=next_step)


def check_elements(content: bytes, where: object, *, most: int, next_step: str = "") -> None:
    """**Raises:** `AssayError` when a JSON text may hold more than `most` elements, counted by its commas and brackets."""
    elements = sum(content.count(sign) for sign in (b",", b"[", b"{"))
    if elements > most:
        rule = f"{shortened(where)} must hold at most {most:,} elements"
        raise AssayError(rule, given=f"{elements:,} commas and brackets", next_step=next_step)


def read_json_value(path: Path | str, *, next_step: str = "") -> Any:
    """The value of a JSON file. **Raises:** `AssayError` as `read_bytes` and `parse_json` do."""
    return parse_json(read_bytes(path, most=MOST_JSON, next_step=next_step), path, next_step=next_step)


def check_configuration(path: Path | str) -> None:
    """Check the configuration of a network for absurd sizes, before a library builds it.

    **Raises:** `AssayError` for a whole number above `MOST_SIZE`, or above `MOST_LAYERS` where its name says layers.
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


def read_parquet(source: io.BufferedIOBase, where: object) -> "pyarrow.Table":
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
        # Not the statistics of its columns: damaged ones make pyarrow end the process.
        cells = file.metadata.num_rows * file.metadata.num_columns
        if cells > MOST_TABLE_CELLS:
            rule = f"{shortened(where)} must hold at most {MOST_TABLE_CELLS:,} values"
            raise AssayError(rule, given=f"{cells:,}")
        names = file.schema_arrow.names
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            rule = f"columns of {shortened(where)} must differ in name"
            raise AssayError(rule, given=f"{twice!r} twice")
        # The header of the file may be wrong, so the rows that arrive are counted as well.
        held, come, batches = sum(max(0, group.total_byte_size) for group in groups), 0, []
        for batch in file.iter_batches() if held <= MOST_TABLE else ():
            batches.append(batch)
            come += batch.nbytes
            if come > MOST_TABLE:
                break
        if max(held, come) > MOST_TABLE:
            raise _too_long(str(where), f"{max(held, come):,}, unpacked", MOST_TABLE, "")
        table = pyarrow.Table.from_batches(batches, schema=file.schema_arrow)
        table.validate(full=True)  # finds strings that are not UTF-8, among others
        return table
    except (pyarrow.ArrowException, OSError, ValueError, OverflowError, MemoryError, KeyError, TypeError) as error:
        if isinstance(error, AssayError):
            raise
        raise AssayError(rule, given=error) from error


def map_npy(path: Path) -> "np.ndarray":
    """Array of an `.npy` file, memory-mapped read-only.

    **Raises:** `AssayError` for any other file, pickled objects, values that are no numbers, and more than `MOST_CELLS`.
    """
    import numpy as np

    rule, headers = f"{shortened(path)} must be a whole .npy file of numbers", np.lib.format
    with open_file(path, most=8 * MOST_CELLS + 2**16) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy warns of files that Python 2 wrote
        try:
            read = {(1, 0): headers.read_array_header_1_0, (2, 0): headers.read_array_header_2_0}[headers.read_magic(file)]
            shape, by_column, dtype = read(file)
            shape = tuple(map(int, shape))  # numpy counts booleans as integers
        except Exception as error:  # for a damaged header numpy raises whatever its parsers raise
            raise AssayError(rule, given=first_line(error)) from None
        numbers, held = math.prod(shape), os.fstat(file.fileno()).st_size - file.tell()
        if dtype.kind not in "iuf" or not 1 <= len(shape) <= 8 or min(shape) < 1:
            raise AssayError(rule, given=f"{dtype} of shape {shape}")
        if numbers > MOST_CELLS:
            rule = f"{shortened(path)} must hold at most {MOST_CELLS:,} numbers"
            raise AssayError(rule, given=f"{numbers:,}")
        if numbers * dtype.itemsize > held:
            raise AssayError(rule, given=f"{held:,} bytes for {numbers:,} numbers")
        return np.memmap(file, dtype, "c", file.tell(), shape, "F" if by_column else "C")


def in_python(values: Any, where: object) -> list[Any]:
    """An Arrow table as a list of rows, or one of its columns as a list of cells.

    **Raises:** `AssayError` for values that Python cannot hold, such as times beyond the year 9999.
    """
    import pyarrow

    try:
        return values.to_pylist()
    except (pyarrow.ArrowException, ValueError, OverflowError) as error:
        raise AssayError(f"{where} must hold values that Python can hold", given=error) from error


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
    """Check the nesting of lists and tables, and the size of the whole numbers in them."""
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
    """Check the number of parts of dotted names. A value with that many dotted words is refused as well."""
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
    """Whether a value is a whole number within 64 bits, and no boolean."""
    return isinstance(value, int) and not isinstance(value, bool) and -(2**WHOLE_BITS) <= value < 2**WHOLE_BITS


def check_whole(what: str, value: object, *, least: int, most: int) -> None:
    """**Raises:** `AssayError` when the value is no whole number from `least` to `most`."""
    if not is_whole(value) or not least <= value <= most:
        raise AssayError(f"{what} must be a whole number from {least:,} to {most:,}", given=value)


def check_real(what: str, value: object, *, above: float = -math.inf, least: float = -math.inf) -> None:
    """**Raises:** `AssayError` when the value is no finite number, is not above `above`, or is below `least`."""
    number = isinstance(value, float) or is_whole(value)
    if not (number and abs(value) <= LARGEST and value > above and value >= least):
        limit = f" above {above:g}" if above > -math.inf else f" of at least {least:g}" if least > -math.inf else ""
        raise AssayError(f"{what} must be a finite number{limit}", given=value)


def check_seed(what: str, seed: object) -> None:
    """Check a seed. **Raises:** `AssayError` when it is no whole number in [0, 2^63)."""
    if not is_whole(seed) or seed < 0:
        raise AssayError(f"{what} must be a whole number from 0 to 2^63 - 1", given=seed)
