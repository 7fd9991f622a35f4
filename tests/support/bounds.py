"""Settings of the marts that are numbers: their bounds, and events that lie on these."""

from collections.abc import Iterator
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any

from sequen_dagster.settings import SequenSettings
from support.histories import START, Row, clicked, event, purchase, shown
from support.oracle import Number, Rules
from support.replay import MARKS

NUMBERS = [name.removeprefix("sequen_") for name in MARKS]
OF_RULES = {one.name for one in fields(Rules)}
FIRST = datetime.fromisoformat("2000-01-01T00:00:00")
LONGEST = START - FIRST
# Larger numbers of events, users or touches than this are not reached: no system sends them.
MOST_ROWS = 1_010


def bounds_of(name: str) -> tuple[int, int, int]:
    """The smallest, the usual and the largest value of a setting."""
    field = SequenSettings.model_fields[name]
    [least] = [one.ge for one in field.metadata if hasattr(one, "ge")]
    [most] = [one.le for one in field.metadata if hasattr(one, "le")]
    return least, field.default, most


def rules_with(numbers: dict[str, int]) -> Rules:
    """The rules of the oracle under these settings; it knows nothing of the reports."""
    return Rules(**{name: value for name, value in numbers.items() if name in OF_RULES})


def edge_rows(rules: Rules) -> Iterator[Row]:
    """Events as far apart as a setting says, and a microsecond further; as many, and one more."""
    for number, (name, length) in enumerate(durations(rules).items()):
        for micros in (0, 1):
            at = START - length - timedelta(microseconds=micros)
            yield from pair(name, at if length < LONGEST else FIRST, f"{number}{micros}")
    for more in (0, 1):
        yield from crowd(rules.max_users_per_device + more, f"many{more}")
        yield from touches(rules.max_touches + more, f"touches{more}")
        for n in range(min(rules.oversized_visitor_events + more, MOST_ROWS)):
            yield event(later(n), uid=f"oversized{more}")


def durations(rules: Rules) -> dict[str, timedelta]:
    return {
        "session": timedelta(minutes=rules.session_timeout_minutes),
        "window": timedelta(minutes=rules.click_window_minutes),
        "click": timedelta(days=rules.click_touch_days),
        "view": timedelta(days=rules.view_touch_days),
        "half life": timedelta(days=rules.half_life_days),
    }


def later(micros: int) -> datetime:
    return START + timedelta(microseconds=micros)


def pair(name: str, at: datetime, key: str) -> Iterator[Row]:
    """Two events that belong together, or just do not."""
    bought: dict[str, Any] = {"order_total": Number("1"), "order_id": key}
    if name == "session":
        yield event(at, cid=key)
        yield event(START, cid=key)
    elif name == "window":
        yield shown(at, uid=key)
        yield clicked(START, uid=key)
    elif name == "view":
        yield shown(at, uid=key)
        yield purchase(START, ["a"], uid=key, **bought)
    else:
        yield clicked(at, uid=key)
        yield clicked(later(-1), uid=key)
        yield purchase(START, ["a"], uid=key, **bought)


def crowd(count: int, key: str) -> Iterator[Row]:
    """A device of so many users, and events that belong to one of them, or to none."""
    for n in range(min(count, MOST_ROWS)):
        yield event(later(n), cid=key, uid=f"{key}{n}")
        yield event(later(n), sid=key, cid=f"{key}{n}")
    yield event(later(0), cid=key)
    yield event(later(0), cid=key, sid=f"{key}s")
    yield event(later(0), sid=key)
    yield event(later(0), sid=key, cid=key)


def touches(count: int, key: str) -> Iterator[Row]:
    for n in range(min(count, MOST_ROWS)):
        yield clicked(later(n - MOST_ROWS), uid=key, rec_id=f"r{n % 3}")
    yield purchase(START, ["a"], uid=key, order_total=Number("1"))
