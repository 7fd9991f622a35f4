"""Exceptions of the engines, whose texts quote records, turned into ones that show no value."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from traceback import walk_tb
from types import TracebackType
from typing import Final

import duckdb

from sequen_dagster.errors import FaultError

_PACKAGE: Final = Path(__file__).parents[1]
# What DuckDB says about the values it met. Errors of files, locks, names and SQL are of other
# classes.
_ENGINE: Final = (
    duckdb.DataError,
    duckdb.IntegrityError,
    duckdb.InternalError,
    duckdb.FatalException,
    duckdb.SequenceException,
    duckdb.InvalidInputException,
    duckdb.InvalidTypeException,
)
# Arrow, msgspec and Python's own converters raise subclasses of these.
_CODE: Final = (
    ArithmeticError,
    AttributeError,
    LookupError,
    NotImplementedError,
    RecursionError,
    TypeError,
    ValueError,
)
# Their errors quote values, too. By name: who only builds tables does not wait for their imports.
_PACKAGES: Final = ("pandera", "polars")


@contextmanager
def without_values() -> Iterator[None]:
    """Have no exception out of the block show a value of an event.

    Use it around whatever takes records or rows in hand. An exception is a fault of ours there, bad
    records being data, and its text goes into logs that more people read than the tables.

    Raises:
        duckdb.Error: of the class that the engine raised, with the place in the code for a text.
        FaultError: with the place in the code, of whatever else was raised.
    """
    try:
        yield
    except _ENGINE as error:
        raise type(error)(_describe_error(error)) from None
    except Exception as error:
        package = type(error).__module__.partition(".")[0]
        if isinstance(error, _CODE) or package in _PACKAGES:
            raise FaultError(_describe_error(error)) from None
        raise


def _describe_error(error: Exception) -> str:
    kind = type(error).__name__
    return (
        f"{kind} in {find_place(error.__traceback__)}. Its text may quote events and is not shown."
    )


def find_place(traceback: TracebackType | None) -> str:
    """The innermost line of our own code on the way to an exception, but for its first line."""
    lines = [
        (Path(frame.f_code.co_filename), number)
        for frame, number in walk_tb(traceback)
        if _PACKAGE in Path(frame.f_code.co_filename).parents
    ]
    # The first is the line that this module yields at.
    if len(lines) < 2:
        return "code that is not ours"
    path, number = lines[-1]
    return f"{path.relative_to(_PACKAGE).as_posix()}:{number}"
