"""The coverage of attributes, counted from the text of the rules over plain records.

It shares no line with the product: no shapes, no SQL, no list of words. Two attributes that need
sessions (referral_source, and the share of sessions of kind event) are left out.
"""

import gzip
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

Record = dict[str, Any]  # Any: whatever JSON holds
Counts = dict[str, tuple[int, int]]

SEARCHED_OBJECTS = ("properties", "context", "traits")
WORDS = {
    "null", "undefined", "none", "nan", "nil", "(not set)", "[object object]", "\\n", "n/a",
    "unknown",
}  # fmt: skip
ON_A_PAGE = {"page_view", "module_view", "impression", "click", "dwell_time", "scroll"}
STANDARD = {*ON_A_PAGE, "conversion"}
PAGE = ("page_id", "page.id", "page_url", "page.url", "url", "path")
FIELDS: dict[str, tuple[str, ...]] = {
    "search_query": ("search_query", "query", "q", "search_term", "search.query"),
    "geolocation": ("geolocation", "geo", "location", "country", "city"),
    "locale/language": (
        "locale", "language", "lang", "device_info.locale", "device_info.language",
    ),
    "device_type": (
        "device_type", "device", "device.type", "device_info.type", "device_info.platform",
        "device_info.model", "platform", "user_agent",
    ),
    "logged_in": ("logged_in", "is_logged_in", "authenticated"),
    "scroll_depth": ("scroll_depth", "depth", "scroll_pct", "scroll_percentage", "max_scroll"),
    "cart_content": ("cart_content", "cart", "cart_items", "basket"),
}  # fmt: skip
SEARCHES = ("search", "search_results", "results", "serp", "srp")
FORMS = (
    "partial_form_fill", "partial_form_fills", "form_fill", "form_start", "form_progress",
    "form_abandon",
)  # fmt: skip
REVIEWS = ("review", "review_click", "reviews", "read_review")
EXITS = ("outbound", "outbound_click", "external", "exit_link")
PUSHES = ("push_open", "push_click", "push_received", "push_notification")


def opened(value: Any) -> Any:
    """What JSON text of an object or array stands for; all else is what it is."""
    if isinstance(value, str):
        try:
            inner = json.loads(value)
        except ValueError:
            return value
        return inner if isinstance(inner, dict | list) else value
    return value


def within(holder: Any, path: str) -> Iterator[Any]:
    holder = opened(holder)
    if not isinstance(holder, dict):
        return
    if path in holder:
        yield holder[path]
    keys = path.split(".")
    for cut in range(1, len(keys)):
        yield from within(holder.get(".".join(keys[:cut])), ".".join(keys[cut:]))


def values_at(record: Record, path: str) -> Iterator[Any]:
    for place in ("", *(f"{place}." for place in SEARCHED_OBJECTS)):
        yield from within(record, f"{place}{path}")
    for place in SEARCHED_OBJECTS:
        yield from within(record.get(place), path)


def is_carried(value: Any) -> bool:
    value = opened(value)
    if isinstance(value, str):
        return bool(value.strip()) and value.lower() not in WORDS
    return value is not None and value not in ([], {})


def says_no(value: Any) -> bool:
    return value is False or (
        str(value).lower() in {"false", "0", "no", "off", "0.0"} and not isinstance(value, list)
    )


def has(record: Record, paths: Iterable[str]) -> bool:
    return any(is_carried(value) for path in paths for value in values_at(record, path))


def says(record: Record, *paths: str) -> bool:
    values = (value for path in paths for value in values_at(record, path))
    return any(is_carried(value) and not says_no(value) for value in values)


def bare(name: object) -> str:
    return re.sub(r"[\s_-]", "", str(name)).lower()


def is_named(record: Record, field: str, names: Iterable[str]) -> bool:
    name = record.get(field)
    if name is None or (field == "type" and name in STANDARD):
        return False
    return bare(name) in map(bare, names)


def is_medium(record: Record, medium: str) -> bool:
    return any(bare(value) == medium for value in values_at(record, "utm_medium"))


def has_place(record: Record) -> bool:
    pairs = (("lat", "lon"), ("lat", "lng"))
    return has(record, FIELDS["geolocation"]) or any(
        has(record, [one]) and has(record, [other]) for one, other in pairs
    )


def needs_cart(record: Record) -> bool:
    clicks = ("add_to_cart", "remove_from_cart", "checkout")
    return (
        record["type"] == "conversion"
        or (record["type"] == "click" and is_named(record, "click_type", clicks))
        or (
            record["type"] == "page_view"
            and is_named(record, "page_type", ("cart", "basket", "checkout"))
        )
    )


def by_hand(records: Iterable[Record]) -> Counts:
    """How many recent events each attribute applies to, and how many carry it."""
    records = list(records)
    pages = {one.get("id"): one for one in records if one["type"] == "page_view"}
    timed = {one.get("page_view_id") for one in records if one["type"] == "dwell_time"}
    first, last = recent_days(records)
    recent = [one for one in records if first <= day_of(one) <= last]

    def on_a_named_page(one: Record) -> bool:
        return has(one, PAGE) or has(pages.get(one.get("page_view_id"), {}), PAGE)

    def count(
        applies: Callable[[Record], bool], carries: Callable[[Record], bool]
    ) -> tuple[int, int]:
        applicable = [one for one in recent if applies(one)]
        return len(applicable), sum(map(carries, applicable))

    def matching(matches: Callable[[Record], bool]) -> tuple[int, int]:
        return 0, sum(map(matches, recent))

    def every(_: Record) -> bool:
        return True

    def carrying(attribute: str) -> Callable[[Record], bool]:
        return lambda one: has(one, FIELDS[attribute])

    return {
        "page_id": count(lambda one: one["type"] in ON_A_PAGE, on_a_named_page),
        "search_query": count(
            lambda one: one["type"] == "page_view" and is_named(one, "page_type", SEARCHES),
            carrying("search_query"),
        ),
        "geolocation": count(every, has_place),
        "locale/language": count(every, carrying("locale/language")),
        "device_type": count(every, carrying("device_type")),
        "logged_in": count(every, carrying("logged_in")),
        "dwell_time": count(
            lambda one: one["type"] == "page_view",
            lambda one: one.get("dwell_ms") is not None or one.get("id") in timed,
        ),
        "scroll_depth": count(lambda one: one["type"] == "scroll", carrying("scroll_depth")),
        "cart_content": count(
            needs_cart,
            lambda one: (
                has(one, FIELDS["cart_content"])
                or (one["type"] == "conversion" and bool(one.get("item_ids")))
            ),
        ),
        "partial_form_fills": matching(
            lambda one: is_named(one, "type", FORMS) or says(one, "partial_form_fills")
        ),
        "review_click": matching(
            lambda one: (
                is_named(one, "click_type", REVIEWS) or is_named(one, "type", ["review_click"])
            )
        ),
        "outbound_click": matching(
            lambda one: (
                is_named(one, "click_type", EXITS) or is_named(one, "type", ["outbound_click"])
            )
        ),
        "email_campaign": matching(
            lambda one: (
                says(one, "email_campaign")
                or is_medium(one, "email")
                or is_named(one, "type", ["email_open", "email_click"])
            )
        ),
        "push_notifications": matching(
            lambda one: (
                says(one, "push_notification", "push_notifications")
                or is_medium(one, "push")
                or is_named(one, "type", PUSHES)
            )
        ),
    }


def day_of(record: Record) -> date:
    return datetime.fromisoformat(record["original_timestamp"]).date()


def recent_days(records: Iterable[Record]) -> tuple[date, date]:
    """28 days up to the latest day with two events and more than a tenth of the usual day."""
    days = Counter(map(day_of, records))
    half, so_far, usual = days.total() / 2, 0, 0
    for size in sorted(days.values()):
        so_far += size
        if so_far >= half:
            usual = size
            break
    of_some_size = [day for day, size in days.items() if size >= 2 and size > usual / 10]
    last = max(of_some_size or days)
    return last - timedelta(days=27), last


def accepted_of(folder: Path) -> Iterator[Record]:
    """Accepted records, read without the pipeline: identity is all that these sets lack."""
    for path in sorted(folder.glob("*.gz")):
        for line in gzip.decompress(path.read_bytes()).splitlines():
            record = json.loads(line)
            if any(record.get(name) is not None for name in ("uid", "sid", "cid")):
                yield record


def reported(report: dict[str, Any], counted: Counts) -> Counts:
    """The same attributes as the report has them."""
    return {
        row["attribute"]: (row["applicable_events"], row["carrying_events"])
        for row in report["attributes"]
        if row["source"] == "(all)" and row["attribute"] in counted
    }
