"""Settings: types with both bounds, so that a number that cannot work is refused at load.

The upper bounds are far beyond use and within what the engines' and Python's arithmetic holds: a
hundred years in microseconds fit 64 bits, and a hundred years ago is a date.
"""

from typing import Annotated, Any

import pydantic

_HUNDRED_YEARS_IN_DAYS = 36_500


def _bounded(least: int, most: int) -> Any:
    # Any: what pydantic's Field gives.
    return pydantic.Field(ge=least, le=most)


Days = Annotated[int, _bounded(1, _HUNDRED_YEARS_IN_DAYS)]
Hours = Annotated[int, _bounded(1, 24 * _HUNDRED_YEARS_IN_DAYS)]
Minutes = Annotated[int, _bounded(1, 1440 * _HUNDRED_YEARS_IN_DAYS)]
# Waits of sensors: a day, and a year for another writer.
Wait = Annotated[int, _bounded(0, 86_400)]
LongWait = Annotated[int, _bounded(0, 31_536_000)]
Interval = Annotated[int, _bounded(1, 86_400)]
Few = Annotated[int, _bounded(1, 1_000)]
Many = Annotated[int, _bounded(1, 1_000_000)]
VeryMany = Annotated[int, _bounded(1, 10**15)]
Percent = Annotated[int, _bounded(0, 100)]
# A record is held in memory whole.
RecordBytes = Annotated[int, _bounded(1, 1024**3)]
