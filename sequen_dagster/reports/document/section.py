"""Reports: what all parts of the document share: their base class and the units of numbers.

The line below a property is its description in the JSON Schema; a test asks for both.
"""

from typing import Any, Final

import pydantic


class Section(pydantic.BaseModel):
    """A part of the report; texts and numbers only, without a value of an event."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


def unit(name: str) -> Any:  # Any: what `pydantic.Field` is declared to return
    """The unit of a property, as the JSON Schema names it."""
    return pydantic.Field(json_schema_extra={"unit": name})


BYTES: Final = unit("bytes")
CLICKS: Final = unit("clicks")
CONVERSIONS: Final = unit("conversions")
DAY: Final = unit("UTC day")
EVENTS: Final = unit("events")
FILES: Final = unit("files")
FLAG: Final = unit("true or false")
HASH: Final = unit("hash, hexadecimal")
IMPRESSIONS: Final = unit("impressions")
LIST: Final = unit("list")
MOMENT: Final = unit("UTC time")
NAME: Final = unit("name")
ORDERS: Final = unit("orders")
PATH: Final = unit("path")
PLACE: Final = unit("place in an order, from 1")
RECORDS: Final = unit("records")
ROWS: Final = unit("rows")
SCORE: Final = unit("score, 0 to 1")
SECONDS: Final = unit("seconds")
SECTION: Final = unit("section")
SESSIONS: Final = unit("sessions")
SHARE: Final = unit("share, 0 to 1")
TEXT: Final = unit("text")
VERSION: Final = unit("version")
