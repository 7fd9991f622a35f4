"""Simulated exports: time.

In: unix milliseconds. Out: the timestamp forms producers write, and when visits start.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from itertools import accumulate
from typing import Literal

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

_EPOCH = date(1970, 1, 1)
_HOUR_WEIGHTS = (
    1, 1, 1, 1, 1, 2, 4, 7, 9, 10, 11, 12, 12, 11, 10, 10, 11, 13, 15, 16, 15, 11, 6, 3,
)  # fmt: skip
_WEEKDAY_WEIGHTS = (10, 10, 10, 11, 12, 14, 13)


def day_start_ms(day: date) -> int:
    """Return midnight UTC of a day in unix milliseconds."""
    return (day - _EPOCH).days * DAY_MS


@lru_cache(maxsize=4096)
def day_text(day_number: int) -> str:
    """Return the ISO date of a day counted from 1970-01-01."""
    return (_EPOCH + timedelta(days=day_number)).isoformat()


@lru_cache(maxsize=4096)
def _minute_text(minute_number: int) -> str:
    """Return all but the seconds of an ISO time; cached, as events of a file share minutes."""
    day, minutes = divmod(minute_number, 24 * 60)
    return f"{day_text(day)}T{minutes // 60:02d}:{minutes % 60:02d}:"


def iso(at_ms: int, *, offset_minutes: int = 0, zone: str = "Z") -> str:
    """Return the ISO form of a time, to the millisecond, in a fixed offset from UTC."""
    minute, rest = divmod(at_ms, MINUTE_MS)
    return f"{_minute_text(minute + offset_minutes)}{rest // 1000:02d}.{rest % 1000:03d}{zone}"


@dataclass(frozen=True, slots=True)
class Clock:
    """How a device writes a time."""

    style: Literal["utc", "offset", "unix_ms", "unix_s"] = "utc"
    offset_minutes: int = 0

    def text(self, at_ms: int) -> str | int:
        """Return the time as the device writes it; only `unix_s` cuts the milliseconds."""
        if self.style == "utc":
            return iso(at_ms)
        if self.style == "unix_ms":
            return at_ms
        if self.style == "unix_s":
            return at_ms // 1000
        sign, minutes = ("-" if self.offset_minutes < 0 else "+"), abs(self.offset_minutes)
        zone = f"{sign}{minutes // 60:02d}:{minutes % 60:02d}"
        return iso(at_ms, offset_minutes=self.offset_minutes, zone=zone)


class Calendar:
    """Turns the share of events simulated so far into a time, busy hours and days in mind."""

    def __init__(self, first_day: date, days: int) -> None:
        """Weigh every hour of the simulated days."""
        weights = [
            _HOUR_WEIGHTS[hour] * _WEEKDAY_WEIGHTS[(first_day + timedelta(days=day)).weekday()]
            for day in range(days)
            for hour in range(24)
        ]
        self._start_ms = day_start_ms(first_day)
        self._edges = [0, *accumulate(weights)]

    def at(self, share: float) -> int:
        """Return the time by which this share (0 up to, not including, 1) has happened."""
        weight = share * self._edges[-1]
        hour = bisect_right(self._edges, weight) - 1
        fraction = (weight - self._edges[hour]) / (self._edges[hour + 1] - self._edges[hour])
        return self._start_ms + hour * HOUR_MS + int(fraction * HOUR_MS)
