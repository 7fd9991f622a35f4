"""Sections 4 to 7: one event per id, its visitor, its session, its links, its matches.

In: accepted rows. Out: a `History`, every question the tables ask answered per event id.
"""

import hashlib
import json
from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import timedelta

from support.oracle.rules import Row, Rules, order, utf8

LINKS = {
    "page_view_id": "page_view",
    "module_view_id": "module_view",
    "impression_id": "impression",
}
FILLED = (
    "rec_id", "module_view_id", "page_view_id", "linked_module_view_id", "linked_page_view_id",
    "rank",
)  # fmt: skip


@dataclass
class History:
    """All events in order, and what sections 5 to 7 say of each, by event id."""

    rules: Rules
    events: list[Row]
    by_id: dict[str, Row] = field(default_factory=dict)
    visitor: dict[str, str] = field(default_factory=dict)
    # (session key, anchor sid or None)
    session: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    # (status, id of the target or None), by event id and field
    link: dict[tuple[str, str], tuple[str, str | None]] = field(default_factory=dict)
    # (id of the impression or None, match_method), by click id
    match: dict[str, tuple[str | None, str]] = field(default_factory=dict)
    # the columns of FILLED, by id of a click or an impression
    filled: dict[str, Row] = field(default_factory=dict)

    def of_type(self, event_type: str) -> list[Row]:
        """Return the events of a type, in order."""
        return [event for event in self.events if event["type"] == event_type]

    def target(self, event: Row, name: str) -> str | None:
        """Return the id that an event's link resolves to."""
        return self.link[event["id"], name][1]


def history_of(accepted: list[Row], rules: Rules) -> History:
    """Answer sections 4 to 7 for all accepted rows, copies of an id included."""
    history = History(rules, sorted(winners(accepted), key=order))
    history.by_id = {event["id"]: event for event in history.events}
    stitch(history)
    split_into_sessions(history)
    resolve_links(history)
    fill_impressions(history)
    match_clicks(history)
    return history


def winners(accepted: list[Row]) -> list[Row]:
    """Return the one row of each id that section 4 lets win."""
    best: dict[str, Row] = {}
    for row in accepted:
        rival = best.get(row["id"])
        if rival is None or precedence(row) < precedence(rival):
            best[row["id"]] = row
    return list(best.values())


def precedence(row: Row) -> tuple[object, ...]:
    """Return the key by which the smallest of several rows of an id wins."""
    given = row["given_ingest_timestamp"]
    return (
        given is None,
        row["ingest_timestamp"] if given is None else given,
        row["original_timestamp"],
        row["record_md5"],
        utf8(row["source_file"]),
        row["source_line"],
        row["source_item"],
        utf8(row["source"]),
    )


def stitch(history: History) -> None:
    """Section 5: give every event its visitor."""
    on_sid: dict[str, set[tuple[str | None, str]]] = defaultdict(set)
    on_cid: dict[str, list[Row]] = defaultdict(list)
    first_of: dict[tuple[str, str], Row] = {}
    nobodies = nobodies_of(history)
    for event in history.events:
        uid, sid, cid = event["uid"], event["sid"], event["cid"]
        if uid is not None and sid is not None and ("sid", sid) not in nobodies:
            on_sid[sid].add((cid, uid))
        if uid is not None and cid is not None and ("cid", cid) not in nobodies:
            on_cid[cid].append(event)
        if uid is None and sid is not None and cid is not None:
            first_of.setdefault((cid, sid), event)
    for event in history.events:
        uid, sid, cid = event["uid"], event["sid"], event["cid"]
        if uid is None and history.rules.stitching:
            uid = uid_of_session(event, on_sid)
            if uid is None and cid is not None:
                # An event without sid decides for itself.
                decider = event if sid is None else first_of[cid, sid]
                uid = uid_of_device(decider, on_cid.get(cid, []))
        named = [("uid", uid), ("cid", cid), ("sid", sid)]
        if ("cid", cid) in nobodies and ("sid", sid) not in nobodies:
            named = [("uid", uid), ("sid", sid), ("cid", cid)]
        history.visitor[event["id"]] = next(f"{kind}:{v}" for kind, v in named if v is not None)


def nobodies_of(history: History) -> set[tuple[str, str]]:
    """Return the cids and sids, as (kind, value), that too many share to identify anybody."""
    if not history.rules.stitching:
        return set()
    seen: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for event in history.events:
        for kind, other in (("cid", "uid"), ("sid", "uid"), ("sid", "cid")):
            if event[kind] is not None and event[other] is not None:
                seen[kind, event[kind], other].add(event[other])
    most = history.rules.max_users_per_device
    return {(kind, value) for (kind, value, _), others in seen.items() if len(others) > most}


def uid_of_session(event: Row, on_sid: dict[str, set[tuple[str | None, str]]]) -> str | None:
    """Return the one uid seen on the event's sid, as far as cids do not speak against it."""
    if event["sid"] is None:
        return None
    cid = event["cid"]
    uids = {
        uid
        for other_cid, uid in on_sid.get(event["sid"], set())
        if cid is None or other_cid is None or other_cid == cid
    }
    return uids.pop() if len(uids) == 1 else None


def uid_of_device(event: Row, known: list[Row]) -> str | None:
    """Return the uid of the latest of `known` at or before the event, else of the earliest."""
    if not known:
        return None
    at = event["original_timestamp"]
    not_later = bisect_right(known, at, key=lambda other: other["original_timestamp"])
    uid: str = known[max(not_later - 1, 0)]["uid"]
    return uid


def split_into_sessions(history: History) -> None:
    """Section 6: walk each visitor's events and carry the session that is in force."""
    limit = timedelta(minutes=history.rules.session_timeout_minutes)
    by_visitor: dict[str, list[Row]] = defaultdict(list)
    for event in history.events:
        by_visitor[history.visitor[event["id"]]].append(event)
    for visitor, events in by_visitor.items():
        in_force: tuple[str, str | None] | None = None
        previous = None
        for event in events:
            now = event["original_timestamp"]
            if previous is not None and now - previous > limit:
                in_force = None
            sid = event["sid"] if history.rules.session_rule == "given" else None
            if sid is not None:
                in_force = session_key(visitor, "sid", sid), sid
            elif in_force is None:
                in_force = session_key(visitor, "event", event["id"]), None
            history.session[event["id"]] = in_force
            previous = now


def session_key(visitor: str, kind: str, anchor: str) -> str:
    """Return the md5 of the JSON array [visitor, kind, anchor] as hex."""
    text = json.dumps([visitor, kind, anchor], ensure_ascii=False, separators=(",", ":"))
    return hashlib.md5(text.encode("utf-8"), usedforsecurity=False).hexdigest()


def resolve_links(history: History) -> None:
    """Section 7: give every link field of every event its status and target."""
    by_own_value: dict[tuple[str, str], str] = {}
    for event in history.events:
        for name, event_type in LINKS.items():
            if event["type"] == event_type and event[name] is not None:
                by_own_value.setdefault((name, event[name]), event["id"])
    for event in history.events:
        for name, event_type in LINKS.items():
            value = event[name]
            named = history.by_id.get(value)
            if value is None or event["type"] == event_type:
                answer: tuple[str, str | None] = "absent", None
            elif named is not None and named["type"] == event_type:
                answer = "resolved", value
            elif (name, value) in by_own_value:
                answer = "resolved", by_own_value[name, value]
            else:
                answer = "dangling", None
            history.link[event["id"], name] = answer


def own_values(history: History, event: Row) -> Row:
    """Return the columns of FILLED as the event itself gives them."""
    return {
        "rec_id": event["rec_id"],
        "module_view_id": event["module_view_id"],
        "page_view_id": event["page_view_id"],
        "linked_module_view_id": history.target(event, "module_view_id"),
        "linked_page_view_id": history.target(event, "page_view_id"),
        "rank": event["rank"],
    }


def fill(values: Row, other: Row, names: tuple[str, ...]) -> None:
    """Take from `other` what is not given; a link goes with the value it belongs to."""
    for name in names:
        if values[name] is None:
            values[name] = other[name]
            if f"linked_{name}" in values:
                values[f"linked_{name}"] = other[f"linked_{name}"]


def fill_impressions(history: History) -> None:
    """Give an impression without a page the page of its module."""
    for impression in history.of_type("impression"):
        values = own_values(history, impression)
        module_id = values["linked_module_view_id"]
        if module_id is not None:
            fill(values, own_values(history, history.by_id[module_id]), ("page_view_id",))
        history.filled[impression["id"]] = values


def match_clicks(history: History) -> None:
    """Match every click to its impression and fill the click from it."""
    seen: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for impression in history.of_type("impression"):
        seen[history.visitor[impression["id"]], impression["item_id"]].append(impression)
    for click in history.of_type("click"):
        candidates = seen.get((history.visitor[click["id"]], click["item_id"]), [])
        impression_id, method = match_of(history, click, candidates)
        history.match[click["id"]] = impression_id, method
        values = own_values(history, click)
        if impression_id is not None:
            names = ("rec_id", "rank", "module_view_id", "page_view_id")
            fill(values, history.filled[impression_id], names)
        history.filled[click["id"]] = values


def match_of(history: History, click: Row, candidates: list[Row]) -> tuple[str | None, str]:
    """Return the impression of a click and how it was found; candidates have its item_id."""
    explicit = history.target(click, "impression_id")
    if explicit is not None:
        return explicit, "impression_id"
    at = click["original_timestamp"]
    before = [
        impression
        for impression in candidates
        if impression["original_timestamp"] <= at and relations_agree(click, impression)
    ]
    for name in ("rec_id", "page_view_id"):
        same = [one for one in before if click[name] is not None and one[name] == click[name]]
        if same:
            return same[-1]["id"], name
    window = timedelta(minutes=history.rules.click_window_minutes)
    if before and at - before[-1]["original_timestamp"] <= window:
        return before[-1]["id"], "window"
    return None, "none"


def relations_agree(one: Row, other: Row) -> bool:
    """Return whether two events of an item_id mean the same item."""
    relation, other_relation = one["item_id_relation"], other["item_id_relation"]
    return relation is None or other_relation is None or relation == other_relation
