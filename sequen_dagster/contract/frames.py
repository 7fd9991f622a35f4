"""Contract: frames of polars, pandas and Arrow as records, and rows as frames of the same kind."""

from collections.abc import Iterator
from typing import cast

import pandas as pd
import polars as pl
import pyarrow as pa
from typing_extensions import TypeVar  # with a default: in typing from Python 3.13 on

from sequen_dagster.exports.tables import Row, rows_of, rows_of_objects

# The kinds of frames that are taken and given; files come in polars frames.
Frame = TypeVar("Frame", bound=pl.DataFrame | pd.DataFrame | pa.Table, default=pl.DataFrame)


def read_frame(frame: object) -> Iterator[Row]:
    """Read the rows of a frame.

    Raises:
        TypeError: it is of another kind.
    """
    if isinstance(frame, pl.DataFrame):
        return rows_of(frame.to_arrow())
    if isinstance(frame, pa.Table):
        return rows_of(frame)
    if isinstance(frame, pd.DataFrame):
        named = frame.rename(columns=str)
        try:
            return rows_of(pa.Table.from_pandas(named, preserve_index=False))
        except (pa.ArrowException, OverflowError, TypeError):
            # Columns of mixed objects have no Arrow type.
            return rows_of_objects(named.to_dict("records"))
    message = (
        f"validate() takes a polars or pandas DataFrame or an Arrow Table, "
        f"not {type(frame).__name__}."
    )
    raise TypeError(message)


def convert_like(frame: Frame, rows: pl.DataFrame) -> Frame:
    """Convert polars rows to the kind of another frame."""
    if isinstance(frame, pl.DataFrame):
        return cast("Frame", rows)
    return cast("Frame", rows.to_pandas() if isinstance(frame, pd.DataFrame) else rows.to_arrow())
