"""Simulated exports: what goes wrong at a producer, each defect with the code it must give.

In: a whole event. Out: the same event broken (the contract must refuse it, with the rules named
here) or unusual (it must accept it, with a warning).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sequen_dagster.simulate.sender import Event
    from sequen_dagster.simulate.settings import Family

_JSON: tuple[Family, ...] = ("lines", "document")
_TEXT: tuple[Family, ...] = ("lines", "document", "csv")
_ALL: tuple[Family, ...] = ("lines", "document", "csv", "parquet")
_IDENTITY = ("uid", "sid", "cid", "session_id", "client_id")
_RANKED = ("module_view", "impression")
_WITH_ITEM = ("impression", "click")
_DEPTH = 80


def _cut(line: bytes, turn: int) -> bytes:
    if turn % 2:
        return line[:-1] + b",}"
    return line[: len(line) // 2]


def _not_an_object(_line: bytes, turn: int) -> bytes:
    return (b"42", b'"heartbeat"', b"true")[turn % 3]


def _latin_1(line: bytes, _turn: int) -> bytes:
    return line[:-1] + b',"note":"caf\xe9"}'


def _nest(line: bytes, _turn: int) -> bytes:
    return line[:-1] + b',"trace":' + b'{"in":' * _DEPTH + b"1" + b"}" * _DEPTH + b"}"


def _lone_surrogate(line: bytes, _turn: int) -> bytes:
    return line.replace(b'"item_id":"', b'"item_id":"\\ud800', 1)


def _repeat_key(line: bytes, _turn: int) -> bytes:
    return line[:-1] + b',"sdk":"web-1","sdk":"web-2"}'


@dataclass(frozen=True, slots=True)
class Defect:
    """One kind of fault: what it does to an event, where it can occur, and what it must give.

    An event of one of the `types` (none named: any) for which `where` holds can have it. `put`
    holds values used in turn. `garble` works on the record's JSON text. A record that
    `is_unreadable` must be neither first nor last of its file: the first line may be a header,
    and a broken last one is a `truncated_tail`.
    """

    kind: str
    codes: tuple[str, ...]
    families: tuple[Family, ...] = _ALL
    types: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    put: dict[str, tuple[object, ...]] = field(default_factory=dict)
    rewrite: tuple[str, Callable[[object], object]] | None = None
    where: Callable[[Event], bool] | None = None
    garble: Callable[[bytes, int], bytes] | None = None
    is_unreadable: bool = False
    has_surplus_cell: bool = False

    def fits(self, event: Event, family: Family) -> bool:
        """Whether an event can have the fault in a file of this family."""
        return (
            family in self.families
            and (not self.types or event["type"] in self.types)
            and (self.where is None or self.where(event))
        )

    def apply(self, event: Event, turn: int) -> None:
        """Change the event; `turn` counts the uses, so that all values take their turn."""
        for name in self.drop:
            event.pop(name, None)
        for name, values in self.put.items():
            event[name] = values[turn % len(values)]
        if self.rewrite:
            name, change = self.rewrite
            event[name] = change(event[name])


BROKEN: tuple[Defect, ...] = (
    Defect("missing_conversion_type", ("missing_conversion_type",), types=("conversion",),
         drop=("conversion_type",)),
    Defect("missing_item_ids", ("missing_item_ids",), types=("conversion",), drop=("item_ids",)),
    Defect("empty_item_ids", ("missing_item_ids",), _JSON, ("conversion",),
         put={"item_ids": ([], None)}),
    Defect("invalid_item_ids", ("invalid_item_ids",), types=("conversion",),
         put={"item_ids": (["sku_10001", None], ["sku_10001", " "])}),
    Defect("missing_dwell_ms", ("missing_dwell_ms",), types=("dwell_time",), drop=("dwell_ms",)),
    Defect("invalid_dwell_ms", ("invalid_dwell_ms",), types=("dwell_time",),
         put={"dwell_ms": (-1, 10**15)}),
    Defect("worded_dwell_ms", ("invalid_dwell_ms",), _TEXT, ("dwell_time",),
         put={"dwell_ms": ("fast", "12s")}),
    Defect("missing_page_type", ("missing_page_type",), types=("page_view",), drop=("page_type",)),
    Defect("invalid_page_type", ("invalid_page_type",), _JSON, ("page_view",),
         put={"page_type": (1.5, True, ["home"])}),
    Defect("missing_click_type", ("missing_click_type",), types=("click",), drop=("click_type",)),
    Defect("missing_item_id", ("missing_item_id",), types=_WITH_ITEM, drop=("item_id",)),
    Defect("blank_item_id", ("missing_item_id",), types=_WITH_ITEM,
         put={"item_id": ("  ", "\u3000")}),
    Defect("item_id_with_nul", ("invalid_item_id",), _JSON, _WITH_ITEM,
         put={"item_id": ("sku\x00_1",)}),
    Defect("lone_surrogate", ("invalid_item_id",), ("lines",), _WITH_ITEM, garble=_lone_surrogate),
    Defect("missing_rank", ("missing_rank",), types=_RANKED, drop=("rank",)),
    Defect("invalid_rank", ("invalid_rank",), types=_RANKED, put={"rank": (-1, 2**31)}),
    Defect("fractional_rank", ("invalid_rank",), _TEXT, _RANKED, put={"rank": (3.5, "first")}),
    Defect("bare_impression", ("missing_item_id", "missing_rank"), types=("impression",),
         drop=("item_id", "rank")),
    Defect("missing_type", ("missing_type",), drop=("type",)),
    Defect("invalid_type", ("invalid_type",), _JSON, put={"type": (7, False)}),
    Defect("missing_identity", ("missing_identity",), drop=_IDENTITY),
    Defect("invalid_uid", ("invalid_uid",), _JSON, put={"uid": (12.5, ["u_1"], {"id": "u_1"})}),
    Defect("missing_original_timestamp", ("missing_original_timestamp",),
         drop=("original_timestamp",)),
    Defect("invalid_original_timestamp", ("invalid_original_timestamp",),
         put={"original_timestamp": ("01/07/2025 10:15", "2025-02-30T10:00:00Z", "2025-W27-2")}),
    Defect("timestamp_out_of_range", ("invalid_original_timestamp",),
         put={"original_timestamp": ("2099-01-01T00:00:00Z", "1999-12-31T23:59:59Z")}),
    Defect("invalid_server_timestamp", ("invalid_server_timestamp",), _TEXT,
         put={"server_timestamp": ("soon", "2025-07-01T24:00:00Z")}),
    Defect("not_an_object", ("not_an_object",), _JSON, garble=_not_an_object, is_unreadable=True),
    Defect("malformed_json", ("malformed_json",), ("lines",), garble=_cut, is_unreadable=True),
    Defect("bad_encoding", ("bad_encoding",), ("lines",), garble=_latin_1, is_unreadable=True),
    Defect("too_deep", ("too_deep",), ("lines",), garble=_nest, is_unreadable=True),
    Defect("surplus_cell", ("malformed_csv",), ("csv",), has_surplus_cell=True, is_unreadable=True),
)  # fmt: skip


def _has_numeric_uid(event: Event) -> bool:
    return str(event.get("uid", "")).isdigit()


def _has_both_ids(event: Event) -> bool:
    return "uid" in event and "cid" in event


def _has_sid(event: Event) -> bool:
    return "sid" in event


def _integer(value: object) -> object:
    return int(str(value))


WARNED: tuple[Defect, ...] = (
    Defect("near_type", ("near_standard_type",), types=("page_view",), put={"type": ("pageview",)}),
    Defect("integer_uid", ("coerced",), _JSON, rewrite=("uid", _integer), where=_has_numeric_uid),
    Defect("text_rank", ("coerced",), _JSON, _RANKED, rewrite=("rank", str)),
    Defect("placeholder_cid", ("placeholder_id",), put={"cid": ("undefined", "null")},
         where=_has_both_ids),
    Defect("two_session_ids", ("alias_conflict",), put={"session_id": ("s_of_another_library",)},
         where=_has_sid),
    Defect("repeated_key", ("duplicate_key",), _JSON, garble=_repeat_key),
)  # fmt: skip


class InjectedDefects:
    """Chooses faults so that every kind gets its turn: of those that fit, the least used."""

    def __init__(self, defects: Sequence[Defect]) -> None:
        """Start with every kind unused."""
        self._defects = defects
        self.used: Counter[str] = Counter()

    def choose(self, event: Event, family: Family, *, may_be_unreadable: bool) -> Defect | None:
        """Return a fault for an event, or None where none fits."""
        fitting = [
            defect
            for defect in self._defects
            if (may_be_unreadable or not defect.is_unreadable) and defect.fits(event, family)
        ]
        if not fitting:
            return None
        return min(fitting, key=lambda defect: self.used[defect.kind])

    def inflict(self, defect: Defect, event: Event) -> int:
        """Apply a chosen fault; return how often it was used before."""
        turn = self.used[defect.kind]
        self.used[defect.kind] += 1
        defect.apply(event, turn)
        return turn
