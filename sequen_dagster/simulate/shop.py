"""Simulated exports: the shop, its items, and the people who visit it.

In: the settings and one random source. Out: a `Shop` that visits draw from.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from sequen_dagster.simulate.clock import DAY_MS, MINUTE_MS, Clock, day_start_ms

if TYPE_CHECKING:
    from sequen_dagster.simulate.settings import Simulation

CATEGORIES = (
    "shoes", "jackets", "bags", "watches", "lamps", "chairs",
    "kitchen", "garden", "toys", "books", "audio", "sport",
)  # fmt: skip
_ITEMS_PER_CATEGORY = 50
_PULL = 0.1
# The rest of the events without sid lack it one by one, in visits that have one.
_SIDLESS_PART = 0.85
_QUIET_MS = 31 * MINUTE_MS
_LOYAL_SHARE = 0.15
_LOYAL_WEIGHT = 8
# Odd, hence a bijection modulo 2 ** 48: numbered keys look random and never collide.
_SCATTER = 0x5DEECE66D1B5


@dataclass(frozen=True, slots=True)
class Location:
    """Where a visitor lives."""

    country: str
    city: str
    locale: str
    currency: str
    offset_minutes: int


_PLACES = (
    Location("US", "Chicago", "en-US", "USD", -300),
    Location("US", "Portland", "en-US", "USD", -420),
    Location("DE", "Köln", "de-DE", "EUR", 120),
    Location("FR", "Besançon", "fr-FR", "EUR", 120),
    Location("GB", "Leeds", "en-GB", "GBP", 60),
    Location("IN", "Pune", "en-IN", "USD", 330),
)


@dataclass(frozen=True, slots=True)
class Item:
    """Something to buy; `relevance` is the probability of a click at rank 1."""

    item_id: str
    category: str
    price_cents: int
    relevance: float


@dataclass(frozen=True, slots=True)
class Device:
    """A browser or phone, with the habits of the library that sends its events."""

    cid: str
    clock: Clock
    is_app: bool
    model: str
    sid_key: str
    cid_key: str
    item_id_relation: str | None


@dataclass(frozen=True, slots=True)
class Person:
    """A visitor; people of one household share a device."""

    uid: str | None
    household: int
    place: Location
    devices: tuple[Device, ...]


class Quota:
    """Draws whether an event carries an attribute, so that the share comes out as set.

    Each draw is random but pulled back towards the share, or a small simulation would miss it.
    """

    __slots__ = ("_random", "applicable", "carrying", "share")

    def __init__(self, share: float, source: random.Random) -> None:
        """Start with nothing counted."""
        self.share = share
        self.applicable = 0
        self.carrying = 0
        self._random = source.random

    def draw(self) -> bool:
        """Decide for one applicable event, and count it."""
        short = self.share * self.applicable - self.carrying
        carries = self._random() < self.share + _PULL * short
        self.applicable += 1
        self.carrying += carries
        return carries

    def note(self, events: int, *, carries: bool) -> None:
        """Count events that were decided elsewhere."""
        self.applicable += events
        self.carrying += events * carries


class Shop:
    """Items, people, quotas and keys: all that outlives a visit."""

    def __init__(self, simulation: Simulation) -> None:
        """Stock the shop and make its visitors."""
        # Not for secrets: the same seed must give the same bytes.
        self.random = random.Random(simulation.seed)  # noqa: S311
        self.simulation = simulation
        self.ends_at = day_start_ms(simulation.first_day) + simulation.days * DAY_MS
        self.items = self._stock()
        self.shelves = {
            name: tuple(item for item in self.items if item.category == name) for name in CATEGORIES
        }
        self.quotas = {
            name: Quota(share, self.random) for name, share in simulation.coverages.items()
        }
        self.sidless_visits = Quota(simulation.without_sid_rate * _SIDLESS_PART, self.random)
        self.visit_count = 0
        self._key_count = 0
        self._order_count = 0
        self._busy_until: list[int] = []
        self._people: list[Person] = []
        for _ in range(simulation.visitor_count):
            self._welcome()
        weights = [
            _LOYAL_WEIGHT if self.random.random() < _LOYAL_SHARE else 1 for _ in self._people
        ]
        self._weights = list(accumulate(weights))

    def key(self, prefix: str) -> str:
        """Return a new unique key."""
        self._key_count += 1
        number = (self._key_count + self.simulation.seed * 0x9E3779B1) * _SCATTER
        return f"{prefix}{number & 0xFFFFFFFFFFFF:012x}"

    def is_reloaded_order(self) -> bool:
        """Say of the next order whether its last page is loaded twice: every tenth is."""
        self._order_count += 1
        return self._order_count % 10 == 5

    def visitor(self, at_ms: int) -> Person:
        """Return a person whose household has been quiet for longer than a session's gap."""
        for _ in range(20):
            person = self.random.choices(self._people, cum_weights=self._weights)[0]
            if self._busy_until[person.household] + _QUIET_MS < at_ms:
                return person
        self._weights.append(self._weights[-1] + 1)
        return self._welcome(alone=True)

    def occupy(self, person: Person, until_ms: int) -> None:
        """Keep the household of a person from another visit until a while after this time."""
        self._busy_until[person.household] = until_ms

    def _stock(self) -> tuple[Item, ...]:
        return tuple(
            Item(
                item_id=f"sku_{10_000 + number}",
                category=CATEGORIES[number % len(CATEGORIES)],
                price_cents=int(self.random.lognormvariate(8.2, 0.8)) + 99,
                relevance=round(self.random.betavariate(1.0, 6.0), 4),
            )
            for number in range(len(CATEGORIES) * _ITEMS_PER_CATEGORY)
        )

    def _welcome(self, *, alone: bool = False) -> Person:
        draw, simulation = self.random.random, self.simulation
        number = len(self._people)
        uid = None
        if draw() < simulation.account_rate:
            uid = str(70_000_000 + number) if number % 4 == 0 else f"u_{number:06d}"
        place = _PLACES[int(draw() * len(_PLACES))]
        devices = [self._device(place) for _ in range(1 + (draw() < 0.25) + (draw() < 0.05))]
        household = len(self._busy_until)
        if draw() < simulation.shared_device_rate and self._people and not alone:
            household = self._people[-1].household
            devices[0] = self._people[-1].devices[0]
        else:
            self._busy_until.append(0)
        person = Person(uid, household, place, tuple(devices))
        self._people.append(person)
        return person

    def _device(self, place: Location) -> Device:
        draw, simulation = self.random.random, self.simulation
        is_app, is_alias, habit = draw() < 0.35, draw() < simulation.alias_rate, draw()
        clock = Clock()
        if habit > 0.85:
            clock = Clock("unix_ms")
        elif habit > 0.6:
            clock = Clock("offset", place.offset_minutes)
        return Device(
            cid=self.key("c_"),
            clock=clock,
            is_app=is_app,
            model=("iPhone 15" if habit < 0.5 else "Pixel 8") if is_app else "browser",
            sid_key="session_id" if is_alias else "sid",
            cid_key="client_id" if is_alias else "cid",
            item_id_relation="products" if draw() < 0.2 else None,
        )
