"""Reports: what HTML, Markdown and pictures share: how numbers, times and names are written."""

import json
import re
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from sequen_dagster.contract.conflict_texts import describe_conflicts
from sequen_dagster.runtime.text import counted

_LONGEST_NAME: Final = 80
_HIDDEN: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f]+")
_METRICS: Final = {
    "identified_events": "events with a uid or cid",
    "sessions_with_sid": "sessions with a sid",
    "impressions_with_rank": "impressions with a rank",
    "clicks_linked": "clicks linked to their impression",
    "conversions_attributed": "conversions attributed",
}
_UNITS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"))


def name(text: object) -> str:
    """Untrusted text on one line, without characters that turn or hide text, cut to 80 characters.

    Example:
        >>> name("two" + chr(10) + "lines")
        'two lines'
    """
    return "-" if text is None else cut(one_line(str(text)), _LONGEST_NAME)


def one_line(text: str) -> str:
    """Untrusted text without control characters and those that turn the direction of writing."""
    return _HIDDEN.sub(" ", text)


def cut(text: str, longest: int) -> str:
    """Text of so many characters at most; an ellipsis says that there was more.

    Example:
        >>> cut("abcdef", 4)
        'abc…'
    """
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def percent(value: float | None) -> str:
    """A share as percent; only what is whole is shown as 0 or 100.

    Example:
        >>> percent(0.9996), percent(1.0), percent(0.0001), percent(None)
        ('99.9 %', '100 %', '0.1 %', '-')
    """
    if value is None:
        return "-"
    if value in (0, 1):
        return f"{100 * value:.0f} %"
    return f"{min(max(100 * value, 0.1), 99.9):.1f} %"


def whole_percent(value: float) -> str:
    """A limit as percent, with as many digits as it was given.

    Example:
        >>> whole_percent(0.95), whole_percent(0.125)
        ('95 %', '12.5 %')
    """
    return f"{100 * value:g} %"


def exact_percent(value: float) -> str:
    """A share as percent with two digits, cut rather than rounded up to what it is not."""
    return f"{int(value * 10_000) / 100:.2f} %"


def score(value: float) -> str:
    """A score from 0 to 1; only a whole one is shown as 1.00.

    Example:
        >>> score(0.998), score(1.0)
        ('0.99', '1.00')
    """
    return f"{int(value * 100 + 1e-9) / 100:.2f}"


def count(value: int | None) -> str:
    """A whole number with separators."""
    return "-" if value is None else f"{value:,}"


def moment(value: str | None) -> str:
    """A moment of the report's JSON, to the minute."""
    return "-" if value is None else f"{datetime.fromisoformat(value):%Y-%m-%d %H:%M}"


def duration(seconds: float | None) -> str:
    """A length of time in its largest unit.

    Example:
        >>> duration(59), duration(5400), duration(-7200), duration(None)
        ('59 s', '1.5 h', '-2.0 h', '-')
    """
    if seconds is None:
        return "-"
    for length, unit in _UNITS:
        if abs(seconds) >= length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.1f} s" if abs(seconds) < 10 else f"{seconds:.0f} s"


def snippet(event: dict[str, Any]) -> str:
    """An event as JSON over several lines."""
    fields = ",\n".join(f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in event.items())
    return f"{{\n{fields}\n}}"


def filesize(size: int) -> str:
    """A size in bytes in its largest unit.

    Example:
        >>> filesize(999), filesize(1_500_000)
        ('999 bytes', '1.5 MB')
    """
    for length, unit in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if size >= length:
            return f"{size / length:.1f} {unit}"
    return f"{size} bytes"


def describe_repeats(report: dict[str, Any]) -> list[str]:
    """Sentences about orders that were sent more than once.

    Args:
        report: the report as JSON.

    Returns:
        Nothing where every order came once.

    Example:
        >>> orders = {"conversions": 3, "repeats": 2}
        >>> orders |= {"repeats_by_another_visitor": 0, "differing": 0}
        >>> value = [{"currency": "EUR", "conversions": 2, "value": "200.000000"}]
        >>> describe_repeats({"orders": orders, "repeated_value_by_currency": value})
        ['2 of 3 conversions that name an order repeat one (left out of all sums: 200 EUR).']
    """
    orders = report["orders"]
    sentences = []
    if orders["repeats"]:
        value = ", ".join(_value(row) for row in report["repeated_value_by_currency"])
        left_out = f" (left out of all sums: {value})" if value else ""
        repeat = "repeats" if orders["repeats"] == 1 else "repeat"
        sentences.append(
            f"{orders['repeats']:,} of {counted(orders['conversions'], 'conversion')} that name "
            f"an order {repeat} one{left_out}."
        )
    if orders["repeats_by_another_visitor"]:
        came = counted(orders["repeats_by_another_visitor"], "repeat")
        sentences.append(f"{came} came from another visitor than the order.")
    if orders["differing"]:
        came = counted(orders["differing"], "order")
        sentences.append(
            f"{came} came with different items, values or currencies, which all count."
        )
    return sentences


def _value(row: dict[str, Any]) -> str:
    """A value of the report in its currency, without zeros at its end."""
    currency = row["currency"] or "without currency"
    if row["value"] is None:
        return f"{counted(row['conversions'], 'conversion')} in other currencies"
    return f"{Decimal(row['value']).normalize():,f} {currency}"


def describe_need(attribute: dict[str, Any]) -> str:  # Any: the report's JSON
    """What keeps an attribute from being complete, as the end of a sentence.

    Args:
        attribute: a row of the report that is not complete.

    Example:
        >>> one = {"kind": "field", "status": "partial", "coverage": 0.788, "threshold": 0.95}
        >>> counts = {"carrying_events": 623, "applicable_events": 791, "min_events": None}
        >>> describe_need(one | counts)
        '623 of the 791 events that should carry it do (78.8 %; needed: 95 %)'
    """
    carrying, needed = attribute["carrying_events"], attribute["min_events"]
    if attribute["kind"] == "event":
        return f"{counted(carrying, 'such event')} came; needed: {count(needed)}"
    needed_share = f"needed: {whole_percent(attribute['threshold'])}"
    if attribute["status"] == "not_applicable":
        return "no event came that should carry it"
    if not carrying:
        events = counted(attribute["applicable_events"], "event")
        return f"none of the {events} that should carry it does ({needed_share})"
    return (
        f"{count(carrying)} of the {counted(attribute['applicable_events'], 'event')} that should "
        f"carry it {'does' if carrying == 1 else 'do'} "
        f"({percent(attribute['coverage'])}; {needed_share})"
    )


def metric(code: str) -> str:
    """What a requirement counts, in words.

    Example:
        >>> metric("clicks_linked")
        'clicks linked to their impression'
    """
    return _METRICS.get(code, code.replace("_", " "))


def describe_requirement(row: dict[str, Any]) -> str:  # Any: the report's JSON
    """What was counted for a use of the data, and what it needs.

    Example:
        >>> row = {"metric": "sessions_with_sid", "have_count": 671, "total_count": 794}
        >>> describe_requirement(row | {"share": 0.845, "threshold": 0.8, "min_count": 100})
        'sessions with a sid: 671 of 794 (84.5 %; needed: 80 % and at least 100)'
    """
    return (
        f"{metric(row['metric'])}: {count(row['have_count'])} of {count(row['total_count'])} "
        f"({percent(row['share'])}; needed: {whole_percent(row['threshold'])} "
        f"and at least {count(row['min_count'])})"
    )


FILTERS: Final[dict[str, Callable[..., str]]] = {
    "requirement": describe_requirement,
    "metric": metric,
    "need": describe_need,
    "name": name,
    "percent": percent,
    "exact_percent": exact_percent,
    "whole_percent": whole_percent,
    "score": score,
    "count": count,
    "moment": moment,
    "duration": duration,
    "snippet": snippet,
    "filesize": filesize,
}


def describe_conflict(one: dict[str, Any]) -> str:
    """A sentence about the ids of a source that stand for different events."""
    return describe_conflicts(
        one["conflicting_share"], one["conflicting_records"], one["conflicting_ids"], one["types"]
    )


def overall(report: dict[str, Any]) -> dict[str, Any]:
    """The tiers of all sources together: the highest reached, the next, and what blocks it."""
    tiers = [tier for tier in report["tiers"] if tier["source"] == "(all)"]
    reached = [tier["tier"] for tier in tiers if tier["is_reached"]]
    following = next((tier for tier in tiers if not tier["is_reached"]), None)
    wanted = following["blocking_attributes"] if following else []
    return {
        "tiers": tiers,
        "name": reached[-1] if reached else "none",
        "next": following,
        "blocking": [
            attribute
            for attribute in report["attributes"]
            if attribute["source"] == "(all)" and attribute["attribute"] in wanted
        ],
    }
