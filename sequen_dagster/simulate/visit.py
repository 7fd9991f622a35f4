"""Simulated exports: what a visitor does, from arrival to leaving.

In: a shop, a time. Out: the records of one visit, in order, with known links and clicks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sequen_dagster.simulate.clock import MINUTE_MS
from sequen_dagster.simulate.sender import Event, Record, Sender
from sequen_dagster.simulate.shop import CATEGORIES

if TYPE_CHECKING:
    from sequen_dagster.simulate.shop import Item, Shop

_WINDOW_MS = 30 * MINUTE_MS
_MOST_PAGES = 20
_LEAVE_CHANCE = 0.2
_QUERIES = ("running shoes", "café set", "lamp 40 cm", "größe 42", "gift, under $30", 'tv 55"')
_SOURCES = ("google", "seo", "direct", "instagram", "newsletter")
_OCCASIONS = ("partial_form_fills", "review_click", "outbound_click")


@dataclass(frozen=True, slots=True)
class Shown:
    """An impression that a later click may go back to."""

    key: str
    item: Item
    rank: int
    rec_id: str
    page: str
    sends_page: bool
    at: int


class Visit:
    """Walks through the shop page by page; `walk` gives the records."""

    def __init__(self, shop: Shop, *, started_at: int) -> None:
        """Choose a visitor, a device, and what the visit is an occasion for."""
        person = shop.visitor(started_at)
        draw = shop.random.random
        shop.visit_count += 1
        main = draw() < 0.7 or len(person.devices) == 1
        device = person.devices[0 if main else 1 + int(draw() * (len(person.devices) - 1))]
        self._shop = shop
        self._person = person
        self._draw = draw
        self._sender = Sender(shop, person, device, started_at=started_at)
        self._relation: Event = {}
        if device.item_id_relation:
            self._relation = {"item_id_relation": device.item_id_relation}
        self._page = ""
        self._pages = 0
        self._opened_at = 0
        self._queue: list[Shown] = []
        self._last_shown: dict[str, tuple[int, str]] = {}
        self._cart: dict[str, tuple[Item, int, Shown | None]] = {}
        self._occasions = [name for name in _OCCASIONS if shop.quotas[name].draw()]
        self._logs_in = draw() < shop.simulation.login_rate
        self._referrer = ""

    def walk(self) -> list[Record]:
        """Return every event of the visit, in order of time."""
        self._arrive()
        self._browse(self._entry())
        while self._pages < _MOST_PAGES and self._draw() > _LEAVE_CHANCE:
            self._browse(self._next_page())
            if self._logs_in and not self._sender.is_logged_in and self._person.uid:
                self._log_in()
        self._use_occasions(self._any_item())
        if self._draw() < 0.02:
            self._convert("newsletter", {"item_ids": ["newsletter_weekly"]})
        self._close_page()
        self._shop.occupy(self._person, self._sender.now)
        return self._sender.finish()

    def _arrive(self) -> None:
        quotas = self._shop.quotas
        if quotas["push_notifications"].draw():
            self._referrer = "push"
            self._sender.send("push_open", {"campaign": "weekend_sale"}, by_server=True)
        if quotas["email_campaign"].draw():
            self._referrer = "email"
            self._sender.send("email_click", {"campaign": "spring_mail"}, by_server=True)
        self._sender.wait(1_000, 3_000)

    def _entry(self) -> str:
        roll = self._draw()
        if roll < 0.45:
            return "home"
        return "search" if roll < 0.65 else "category" if roll < 0.8 else "product"

    def _next_page(self) -> str:
        if self._queue and self._draw() < 0.85:
            return "product"
        self._queue.clear()
        if self._cart and self._draw() < 0.4:
            return "cart"
        return "search" if self._draw() < 0.5 else "category"

    def _browse(self, page_type: str) -> None:
        if page_type == "product":
            self._product()
        elif page_type == "cart":
            self._checkout()
        else:
            self._open_page(page_type)
            if page_type == "home":
                self._carousel(1, self._shop.items, size=6)
                self._carousel(2, self._shop.items, size=6)
            else:
                category = CATEGORIES[int(self._draw() * len(CATEGORIES))]
                self._results(self._shop.shelves[category], size=10)

    def _product(self) -> None:
        origin = self._queue.pop(0) if self._queue else None
        item = origin.item if origin else self._any_item()
        price = {"item_id": item.item_id, "price": item.price_cents / 100}
        self._open_page("product", {**price, **self._relation})
        self._sender.wait(2_000, 20_000)
        if self._draw() < 0.08:
            pause = {"item_id": f"video_{item.item_id[4:]}", "reason": "user_click"}
            self._sender.send("video_pause", {**pause, "current_time_sec": int(self._draw() * 300)})
        if self._draw() < 0.4:
            self._carousel(1, self._shop.shelves[item.category], size=5, without=item)
        self._use_occasions(item)
        if self._draw() < 0.15:
            self._add_to_cart(item, origin)

    def _add_to_cart(self, item: Item, origin: Shown | None) -> None:
        quantity = 1 + (self._draw() < 0.15) + (self._draw() < 0.05)
        bought = self._cart[item.item_id][1] if item.item_id in self._cart else 0
        self._cart[item.item_id] = (item, bought + quantity, origin)
        fields: Event = {"price": item.price_cents / 100, "quantity": quantity}
        self._carry_cart(fields)
        self._click(item, "add_to_cart", origin=origin, fields=fields)
        if self._draw() < 0.3:
            self._convert("add_to_cart", {"item_ids": [item.item_id], **self._relation})

    def _checkout(self) -> None:
        for page_type in ("cart", "checkout"):
            fields: Event = {}
            self._carry_cart(fields)
            self._open_page(page_type, fields)
            self._sender.wait(3_000, 30_000)
            if self._draw() < 0.25:
                return
        self._use_occasions(self._any_item())
        self._purchase()

    def _purchase(self) -> None:
        lines = list(self._cart.values())
        cents = sum(item.price_cents * quantity for item, quantity, _ in lines)
        place, draw = self._person.place, self._draw
        total = f"{cents // 100}.{cents % 100:02d}" if draw() < 0.05 else cents / 100
        fields: Event = {
            "item_ids": self._cart_items(),
            "order_id": self._shop.key("ord_"),
            "order_total": total,
            "currency": place.currency,
            "payment_method": "apple_pay" if draw() < 0.3 else "card",
            "shipping_address": {"country": place.country, "city": place.city},
            **self._relation,
        }
        origin = lines[0][2]
        if origin and draw() < 0.3:
            fields["impression_id"] = origin.key
        self._convert("purchase", fields).order_cents = cents
        # The page that says thank you, loaded once more.
        if self._shop.is_reloaded_order():
            self._convert("purchase", fields).order_cents = cents
        self._cart.clear()

    def _convert(self, conversion_type: str, fields: Event) -> Record:
        self._sender.wait(2_000, 15_000)
        # A conversion's own item_ids are its cart content.
        self._shop.quotas["cart_content"].note(1, carries=True)
        return self._sender.send("conversion", {"conversion_type": conversion_type, **fields})

    def _carry_cart(self, fields: Event) -> None:
        if self._shop.quotas["cart_content"].draw():
            fields["cart_content"] = self._cart_items()

    def _cart_items(self) -> list[str]:
        """Return the items in the cart, each as often as it was put there."""
        return [item.item_id for item, count, _ in self._cart.values() for _ in range(count)]

    def _carousel(
        self, rank: int, shelf: tuple[Item, ...], *, size: int, without: Item | None = None
    ) -> None:
        key, rec_id = self._shop.key("evt_"), self._shop.key("rec_")
        requested_at = self._sender.now
        self._sender.wait(100, 900)
        fields: Event = {"rank": rank, "rec_id": rec_id, "server_timestamp": requested_at}
        if self._draw() < 0.95:
            fields["page_view_id"] = self._page
        self._sender.send("module_view", fields, key=key)
        context: Event = {"rec_id": rec_id, "module_view_id": key}
        self._show(shelf, context, size=size, without=without)

    def _results(self, shelf: tuple[Item, ...], *, size: int) -> None:
        requested_at = self._sender.now
        self._sender.wait(100, 900)
        context: Event = {"rec_id": self._shop.key("rec_"), "server_timestamp": requested_at}
        self._show(shelf, context, size=size)

    def _show(
        self,
        shelf: tuple[Item, ...],
        context: Event,
        *,
        size: int,
        without: Item | None = None,
    ) -> None:
        sends_page = self._draw() < 0.8 or "module_view_id" not in context
        if sends_page:
            context["page_view_id"] = self._page
        context.update(self._relation)
        seen: list[Shown] = []
        for rank, item in enumerate(self._ranked(shelf, size, without), start=1):
            self._sender.wait(60, 400)
            key, at = self._shop.key("evt_"), self._sender.now
            fields: Event = {"item_id": item.item_id, "rank": rank, **context}
            self._sender.send("impression", fields, key=key)
            self._last_shown[item.item_id] = (at, self._page)
            rec_id = str(context["rec_id"])
            seen.append(Shown(key, item, rank, rec_id, self._page, sends_page, at))
        self._click_some(seen)

    def _ranked(self, shelf: tuple[Item, ...], size: int, without: Item | None) -> list[Item]:
        """Sort a sample as a fair but imperfect recommender would, so rank and merit mix."""
        source = self._shop.random
        sample = [item for item in source.sample(shelf, size) if item is not without]
        noise = {item.item_id: source.random() * 0.4 for item in sample}
        return sorted(sample, key=lambda item: -item.relevance - noise[item.item_id])

    def _click_some(self, seen: list[Shown]) -> None:
        eta = self._shop.simulation.position_bias
        for shown in seen:
            if self._draw() < shown.item.relevance / shown.rank**eta:
                self._sender.wait(1_000, 12_000)
                click_type = "like" if self._draw() < 0.15 else "select"
                self._click(shown.item, click_type, origin=shown)
                if click_type == "select":
                    self._queue.append(shown)

    def _click(
        self, item: Item, click_type: str, *, origin: Shown | None, fields: Event | None = None
    ) -> None:
        self._sender.wait(200, 2_000)
        link = self._link_of(item, origin)
        event: Event = {"item_id": item.item_id, "click_type": click_type, **(fields or {})}
        if origin and link == "impression_id":
            event["impression_id"] = origin.key
            if self._draw() < 0.5:
                event["rec_id"] = origin.rec_id
        elif origin and link == "rec_id":
            event["rec_id"] = origin.rec_id
        elif link == "page_view_id" or (
            # On the page that showed the item a page_view_id would match it.
            self._last_shown.get(item.item_id, (0, ""))[1] != self._page and self._draw() < 0.5
        ):
            event["page_view_id"] = self._page
        event.update(self._relation)
        self._sender.send("click", event).link = link

    def _link_of(self, item: Item, origin: Shown | None) -> str:
        """Choose how a click finds its impression; without any hint, time decides."""
        roll = self._draw()
        if origin and roll < self._shop.simulation.linked_click_rate:
            return "impression_id"
        shown_at, _ = self._last_shown.get(item.item_id, (-_WINDOW_MS, ""))
        is_recent = self._sender.now - shown_at <= _WINDOW_MS
        kind = self._draw()
        if origin and (kind < 0.35 or not is_recent):
            return "rec_id"
        if origin and kind < 0.65 and origin.page == self._page and origin.sends_page:
            return "page_view_id"
        return "window" if is_recent else "none"

    def _use_occasions(self, item: Item) -> None:
        for occasion in self._occasions:
            self._sender.wait(1_000, 8_000)
            if occasion == "partial_form_fills":
                self._sender.send("form_start", {"form": "delivery"})
                self._sender.wait(2_000, 9_000)
                self._sender.send("form_progress", {"form": "delivery", "filled_fields": 3})
            else:
                click_type = occasion.removesuffix("_click")
                self._click(item, click_type, origin=None)
        self._occasions = []

    def _log_in(self) -> None:
        if self._draw() < 0.4:
            self._sender.wait(4_000, 20_000)
            self._sender.log_in()
            self._sender.send("login", {"method": "password"})

    def _open_page(self, page_type: str, fields: Event | None = None) -> None:
        self._close_page()
        self._sender.wait(300, 1_500)
        quotas, sender = self._shop.quotas, self._sender
        self._page = self._shop.key("evt_")
        self._opened_at = sender.now
        self._pages += 1
        path = f"/{page_type}/{self._pages}"
        name = ("page_id", f"pg{path}")
        if self._pages % 3 == 0:
            name = ("page_url", f"https://shop.test{path}")
        sender.draw_context()
        sender.page_events = 0
        sender.page_field = name if quotas["page_id"].draw() else None
        event: Event = {"page_type": page_type, **(fields or {})}
        if page_type == "search" and quotas["search_query"].draw():
            event["search_query"] = _QUERIES[int(self._draw() * len(_QUERIES))]
        if self._pages == 1 and quotas["referral_source"].draw():
            source = _SOURCES[int(self._draw() * len(_SOURCES))]
            event["referral_source"] = self._referrer or source
        sender.send("page_view", event, key=self._page)

    def _close_page(self) -> None:
        if not self._page:
            return
        quotas, sender = self._shop.quotas, self._sender
        # A heavy tail, cut well below the gap that would end a session.
        sender.wait(1_500, int(min(180_000, self._shop.random.lognormvariate(9.6, 0.9)) + 2_000))
        page: Event = {"page_view_id": self._page}
        if self._draw() < 0.4:
            depth = {"scroll_depth": int(self._draw() * 1_000) / 10}
            sender.send("scroll", {**page, **(depth if quotas["scroll_depth"].draw() else {})})
            sender.wait(200, 2_000)
        if quotas["dwell_time"].draw():
            sender.send("dwell_time", {"dwell_ms": sender.now - self._opened_at, **page})
        quotas["page_id"].note(sender.page_events - 1, carries=sender.page_field is not None)
        self._page = ""

    def _any_item(self) -> Item:
        return self._shop.items[int(self._draw() * len(self._shop.items))]
