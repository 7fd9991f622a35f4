"""The tables: sections 4 to 8 as rows with the columns of the fct_ and dim_ tables.

In: accepted rows of the current files. Out: table name to rows, in no promised order.
"""

from collections import defaultdict
from datetime import timedelta
from decimal import Decimal

from support.oracle.attribution import (
    Conversion,
    attributions_of,
    conversion_rows,
    conversions_of,
    is_mixed,
    numeric_millionths,
)
from support.oracle.fields import carried
from support.oracle.history import LINKS, History, history_of
from support.oracle.rules import Row, Rules, in_millionths, microseconds, order, six_digits, utf8
from support.oracle.words import FIELDS

SCROLL_DEPTHS = ("scroll_depth", "depth", "scroll_pct", "scroll_percentage", "max_scroll")
AS_SENT = (
    *FIELDS, "properties", "source", "source_file", "source_line", "source_item", "received_at",
)  # fmt: skip


def marts(accepted: list[Row], rules: Rules | None = None) -> dict[str, list[Row]]:
    """Build every fct_ table and dim_visitors from accepted rows."""
    history = history_of(accepted, rules or Rules())
    conversions = conversions_of(history)
    attributions = attributions_of(history, conversions)
    impressions = impression_rows(history, attributions)
    clicks = click_rows(history)
    return {
        "fct_events": event_rows(history),
        "fct_sessions": session_rows(history, conversions),
        "fct_page_views": page_view_rows(history, impressions, clicks),
        "fct_module_views": module_view_rows(history, impressions),
        "fct_impressions": impressions,
        "fct_clicks": clicks,
        "fct_conversions": conversion_rows(history, conversions, attributions),
        "fct_attributions": attributions,
        "fct_recommendations": recommendation_rows(history, impressions, attributions),
        "dim_visitors": visitor_rows(history),
    }


def own_columns(history: History, event: Row, *names: str) -> Row:
    """Return id, visitor, session and time of an event, and the named fields as sent."""
    return {
        "id": event["id"],
        "visitor_key": history.visitor[event["id"]],
        "session_key": history.session[event["id"]][0],
        "original_timestamp": event["original_timestamp"],
        **{name: event[name] for name in names},
    }


def event_rows(history: History) -> list[Row]:
    """Return fct_events: what was sent, the visitor, the session, the links."""
    rows = []
    for event in history.events:
        row = own_columns(history, event, *AS_SENT)
        row["batch_id"] = event.get("batch_id")
        for name in LINKS:
            status, target = history.link[event["id"], name]
            row[name.removesuffix("_id") + "_link"] = status
            row[f"linked_{name}"] = target
        rows.append(row)
    return rows


def session_rows(history: History, conversions: list[Conversion]) -> list[Row]:
    """Return fct_sessions."""
    by_session: dict[str, list[Row]] = defaultdict(list)
    converted: dict[str, list[Conversion]] = defaultdict(list)
    for event in history.events:
        by_session[history.session[event["id"]][0]].append(event)
    for conversion in conversions:
        if not conversion.is_repeat:
            converted[history.session[conversion.event["id"]][0]].append(conversion)
    return [session_row(history, key, events, converted[key]) for key, events in by_session.items()]


def session_row(
    history: History, key: str, events: list[Row], conversions: list[Conversion]
) -> Row:
    """Return the row of one session; `events` are in order, `conversions` without repeats."""
    types = [event["type"] for event in events]
    pages = [event["page_type"] for event in events if event["type"] == "page_view"]
    dwells = [in_millionths(one["dwell_ms"]) for one in events if one["type"] == "dwell_time"]
    valued = [conversion for conversion in conversions if conversion.value is not None]
    mixed = is_mixed([conversion.currency for conversion in valued])
    sid = history.session[events[0]["id"]][1]
    started_at, ended_at = events[0]["original_timestamp"], events[-1]["original_timestamp"]
    return {
        "session_key": key,
        "visitor_key": history.visitor[events[0]["id"]],
        "sid": sid,
        "session_source": "derived" if sid is None else "given",
        "entry_page_type": pages[0] if pages else None,
        "exit_page_type": pages[-1] if pages else None,
        "event_count": len(events),
        "page_view_count": types.count("page_view"),
        "impression_count": types.count("impression"),
        "click_count": types.count("click"),
        "conversion_count": types.count("conversion"),
        "dwell_ms": six_digits(sum(dwells)),
        "duration_seconds": seconds(ended_at - started_at),
        "conversion_value": None if mixed else total([one.value for one in valued]),
        "is_converted": bool(conversions),
        "is_mixed_currency": mixed,
        "started_at": started_at,
        "ended_at": ended_at,
    }


def seconds(duration: timedelta) -> Decimal | None:
    """Return a duration in seconds, to the microsecond."""
    return six_digits(microseconds(duration))


def total(values: list[int | None]) -> Decimal | None:
    """Return the sum of values in millionths, None where there is none."""
    present = [value for value in values if value is not None]
    return six_digits(sum(present)) if present else None


def page_view_rows(history: History, impressions: list[Row], clicks: list[Row]) -> list[Row]:
    """Return fct_page_views."""
    dwells: dict[str, list[int]] = defaultdict(list)
    depths: dict[str, list[int]] = defaultdict(list)
    for event in history.events:
        page = history.target(event, "page_view_id")
        if page is not None and event["type"] == "dwell_time":
            dwells[page].append(in_millionths(event["dwell_ms"]))
        if page is not None and event["type"] == "scroll":
            carries = [carried(event["properties"], name, history.rules) for name in SCROLL_DEPTHS]
            found = [numeric_millionths(value) for value in carries]
            depths[page] += [depth for depth in found if depth is not None][:1]
    seen, clicked = counts(impressions), counts(clicks)
    rows = []
    for event in history.of_type("page_view"):
        page = event["id"]
        row = own_columns(history, event, "page_type", "source")
        row["dwell_ms"] = six_digits(sum(dwells[page])) if page in dwells else None
        row["max_scroll_depth"] = six_digits(max(depths[page])) if depths[page] else None
        row["impression_count"] = seen[page]
        row["click_count"] = clicked[page]
        rows.append(row)
    return rows


def counts(rows: list[Row]) -> dict[str, int]:
    """Count impressions or clicks by the page view their filled page resolves to."""
    by_page: dict[str, int] = defaultdict(int)
    for row in rows:
        by_page[row["linked_page_view_id"]] += 1
    return by_page


def module_view_rows(history: History, impressions: list[Row]) -> list[Row]:
    """Return fct_module_views."""
    shown: dict[str, list[Row]] = defaultdict(list)
    for impression in impressions:
        shown[impression["linked_module_view_id"]].append(impression)
    rows = []
    for event in history.of_type("module_view"):
        row = own_columns(history, event, "page_view_id", "rec_id", "item_id", "rank")
        row["linked_page_view_id"] = history.target(event, "page_view_id")
        row["impression_count"] = len(shown[event["id"]])
        row["clicked_impression_count"] = sum(one["is_clicked"] for one in shown[event["id"]])
        rows.append(row)
    return rows


def impression_rows(history: History, attributions: list[Row]) -> list[Row]:
    """Return fct_impressions."""
    click_counts: dict[str, int] = defaultdict(int)
    for impression_id, _ in history.match.values():
        if impression_id is not None:
            click_counts[impression_id] += 1
    converted = set()
    for row in attributions:
        if row["last_touch_credit"] > 0 and row["touch_type"] == "impression":
            converted.add(row["touch_id"])
        if row["last_touch_credit"] > 0 and row["touch_type"] == "click":
            converted.add(history.match[row["touch_id"]][0])
    rows = []
    for event in history.of_type("impression"):
        row = own_columns(history, event, "source", "item_id", "item_id_relation")
        row |= history.filled[event["id"]]
        row["click_count"] = click_counts[event["id"]]
        row["is_clicked"] = click_counts[event["id"]] > 0
        row["is_converted"] = event["id"] in converted
        rows.append(row)
    return rows


def click_rows(history: History) -> list[Row]:
    """Return fct_clicks."""
    rows = []
    for event in history.of_type("click"):
        row = own_columns(history, event, "source", "item_id", "item_id_relation", "click_type")
        row |= history.filled[event["id"]]
        row["matched_impression_id"], row["match_method"] = history.match[event["id"]]
        rows.append(row)
    return rows


def recommendation_rows(
    history: History, impressions: list[Row], attributions: list[Row]
) -> list[Row]:
    """Return fct_recommendations: one row per rec_id that an event gives."""
    sent: dict[str, list[Row]] = defaultdict(list)
    credited: dict[str, list[Row]] = defaultdict(list)
    for event in history.events:
        if event["rec_id"] is not None:
            sent[event["rec_id"]].append(event)
    for row in attributions:
        if row["rec_id"] is not None and row["last_touch_credit"] > 0:
            credited[row["rec_id"]].append(row)
    clicked = {row["id"] for row in impressions if row["is_clicked"]}
    return [
        recommendation_row(rec_id, events, credited[rec_id], clicked)
        for rec_id, events in sent.items()
    ]


def recommendation_row(
    rec_id: str, events: list[Row], credited: list[Row], clicked: set[str]
) -> Row:
    """Return the row of one rec_id."""
    shown = [event for event in events if event["type"] == "impression"]
    clicked_count = sum(event["id"] in clicked for event in shown)
    requests = [one["server_timestamp"] for one in events if one["server_timestamp"] is not None]
    requested_at = min(requests, default=None)
    first_at = min((event["original_timestamp"] for event in shown), default=None)
    valued = [row for row in credited if row["last_touch_value"] is not None]
    mixed = is_mixed([row["currency"] for row in valued])
    waited = None if requested_at is None or first_at is None else first_at - requested_at
    return {
        "rec_id": rec_id,
        "impression_count": len(shown),
        "clicked_impression_count": clicked_count,
        "conversion_count": len({row["conversion_id"] for row in credited}),
        "ctr": clicked_count / len(shown) if shown else None,
        "value": None
        if mixed
        else total([in_millionths(row["last_touch_value"]) for row in valued]),
        "request_to_view_seconds": None if waited is None else seconds(waited),
        "is_mixed_currency": mixed,
        "requested_at": requested_at,
        "first_impression_at": first_at,
    }


def visitor_rows(history: History) -> list[Row]:
    """Return dim_visitors."""
    by_visitor: dict[str, list[Row]] = defaultdict(list)
    for event in history.events:
        by_visitor[history.visitor[event["id"]]].append(event)
    rows = []
    for visitor, events in by_visitor.items():
        ordered = sorted(events, key=order)
        rows.append(
            {
                "visitor_key": visitor,
                "uids": distinct(events, "uid"),
                "cids": distinct(events, "cid"),
                "event_count": len(events),
                "session_count": len({history.session[event["id"]][0] for event in events}),
                "is_oversized": len(events) > history.rules.oversized_visitor_events,
                "first_seen_at": ordered[0]["original_timestamp"],
                "last_seen_at": ordered[-1]["original_timestamp"],
            }
        )
    return rows


def distinct(events: list[Row], name: str) -> list[str]:
    """Return the present values of a field, sorted by bytes."""
    return sorted({event[name] for event in events if event[name] is not None}, key=utf8)
