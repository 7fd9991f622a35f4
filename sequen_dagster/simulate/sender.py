"""Simulated exports: one event of a visit, and who sends it.

In: a visitor, a device, a time. Out: `Record`s, events with what is true of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sequen_dagster.simulate.clock import DAY_MS, Clock

if TYPE_CHECKING:
    from sequen_dagster.simulate.shop import Device, Person, Shop

Event = dict[str, object]

_SERVER_CLOCK = Clock("unix_s")
_OWN_FIELD = {
    "page_view": "page_view_id",
    "module_view": "module_view_id",
    "impression": "impression_id",
}
_OF_A_PAGE = frozenset({*_OWN_FIELD, "click", "dwell_time", "scroll"})
_MEAN_LATE_RUN = 4
_LATEST_DAYS = 3
_COOKIELESS_SHARE = 0.03
_SCATTERED_PART = 0.15
_VERSIONS = ("17.2", "18.0", "14", "15")


@dataclass(slots=True)
class Record:
    """An event to be written, with what is true of it.

    `event` holds times in unix ms; `clock` says how they are written. `link` is how a click was
    meant to find its impression. `defect` is "broken" or "warned" for a record that gets one.
    `copy_of` is "same" for a record written a second time, and "conflict" for one that has the
    id of another and other content.
    """

    event: Event
    at: int
    arrives_at: int
    number: int
    visit: int
    clock: Clock
    link: str | None = None
    order_cents: int = 0
    defect: str | None = None
    copy_of: str | None = None


class Sender:
    """Sends the events of one visit: identity, context, clock, arrival."""

    def __init__(self, shop: Shop, person: Person, device: Device, *, started_at: int) -> None:
        """Decide who the visitor is to the shop, and what the device says of itself."""
        self.shop = shop
        self.person = person
        self.device = device
        self.now = started_at
        self.records: list[Record] = []
        self.page_field: tuple[str, str] | None = None
        self.page_events = 0
        self._draw = shop.random.random
        self._quotas = shop.quotas
        self._number = shop.visit_count
        self._late_left = 0
        self._late_by = 0
        self._carried: dict[str, bool] = {}
        self._context: Event = {}
        self._context_events = 0
        self._identify()
        self._traits = self._describe()
        self.draw_context()

    @property
    def is_logged_in(self) -> bool:
        """Whether the events carry the uid now."""
        return self._uid is not None

    def wait(self, low_ms: int, high_ms: int) -> None:
        """Let time pass; at least a millisecond, or two events would tie."""
        self.now += low_ms + int(self._draw() * (high_ms - low_ms)) + 1

    def log_in(self) -> None:
        """Carry the uid from the next event on."""
        self._uid = self.person.uid
        self.draw_context()

    def draw_context(self) -> None:
        """Decide what the device says of itself with each event from now on."""
        self.settle_context()
        traits = (*self._traits, ("logged_in", "logged_in", self._uid is not None))
        self._carried = {name: self._quotas[name].draw() for name, _, _ in traits}
        self._context = {field: value for name, field, value in traits if self._carried[name]}

    def finish(self) -> list[Record]:
        """Count the whole visit, and return its records."""
        self.settle_context()
        self.shop.sidless_visits.note(len(self.records) - 1, carries=not self._has_sid)
        return self.records

    def settle_context(self) -> None:
        """Count the events that carried the context; each draw has counted one."""
        for name, carries in self._carried.items():
            self._quotas[name].note(self._context_events - 1, carries=carries)
        self._context_events = 0

    def send(
        self, event_type: str, fields: Event, *, key: str = "", by_server: bool = False
    ) -> Record:
        """Record one event now; `key` is its id where others link to it."""
        event = self._envelope(event_type, fields, key)
        event.update(fields)
        if event_type in _OF_A_PAGE:
            self.page_events += 1
            if self.page_field:
                event[self.page_field[0]] = self.page_field[1]
        event.update(self._context)
        self._context_events += 1
        clock = _SERVER_CLOCK if by_server else self.device.clock
        record = Record(event, self.now, self.now, len(self.records), self._number, clock)
        if by_server:
            # The server writes whole seconds, and what is written is what is true.
            record.at = event["original_timestamp"] = self.now // 1000 * 1000
        self._arrive(record)
        self.records.append(record)
        return record

    def _envelope(self, event_type: str, fields: Event, key: str) -> Event:
        event: Event = {}
        if self._draw() >= self.shop.simulation.without_id_rate:
            event["id"] = key or self.shop.key("evt_")
        elif key:
            # Without id, its own link field is what others find it by.
            fields[_OWN_FIELD[event_type]] = key
        event["type"] = event_type
        event["original_timestamp"] = self.now
        if self._uid is not None:
            event["uid"] = self._uid
        if self._sid is not None and self._draw() >= self._sid_gap:
            event[self.device.sid_key] = self._sid
        if self._has_cid:
            event[self.device.cid_key] = self.device.cid
        return event

    def _identify(self) -> None:
        person = self.person
        self._has_sid = not self.shop.sidless_visits.draw()
        self._has_cid = not self._has_sid or self._draw() >= _COOKIELESS_SHARE
        self._sid = self.shop.key("s_") if self._has_sid else None
        # An event needs one of the three, so a sid is only left out beside a cid.
        missing = self.shop.simulation.without_sid_rate * _SCATTERED_PART
        self._sid_gap = missing if self._has_cid else 0.0
        remembered = person.uid is not None and self._draw() < 0.4
        self._uid = person.uid if remembered else None

    def _describe(self) -> tuple[tuple[str, str, object], ...]:
        """Return attribute, field and value of what a device knows: apps nest, browsers do not."""
        place, device = self.person.place, self.device
        if not device.is_app:
            screen = "mobile" if self._draw() < 0.4 else "desktop"
            return (
                ("geolocation", "country", place.country),
                ("locale/language", "language", place.locale[:2]),
                ("device_type", "device_type", screen),
            )
        platform = "ios" if device.model.startswith("iPhone") else "android"
        version = _VERSIONS[int(self._draw() * len(_VERSIONS))]
        described = {"platform": platform, "version": version, "model": device.model}
        return (
            ("geolocation", "geolocation", {"country": place.country, "city": place.city}),
            ("locale/language", "locale", place.locale),
            ("device_type", "device_info", described),
        )

    def _arrive(self, record: Record) -> None:
        simulation = self.shop.simulation
        if not self._late_left and self._draw() < simulation.late_rate / _MEAN_LATE_RUN:
            self._lose_network()
        delay = 300 + int(self._draw() * 4_000)
        if self._late_left:
            self._late_left -= 1
            delay += self._late_by
            record.event["ingest_timestamp"] = self.now + delay
        elif self._draw() < simulation.ingest_rate:
            record.event["ingest_timestamp"] = self.now + delay
        record.arrives_at = self.now + delay

    def _lose_network(self) -> None:
        """Hold back a run of events, as a phone without network does, until a later day."""
        tomorrow = (self.now // DAY_MS + 1) * DAY_MS
        left_days = min(_LATEST_DAYS, (self.shop.ends_at - tomorrow) // DAY_MS)
        if left_days > 0:
            self._late_left = 1 + int(self._draw() * (2 * _MEAN_LATE_RUN - 1))
            self._late_by = tomorrow - self.now + int(self._draw() * left_days * DAY_MS)
