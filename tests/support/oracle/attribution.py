"""Section 8: conversions, their units, the touches of a unit and what each model credits.

In: a `History`. Out: the rows of fct_conversions and fct_attributions. Whole numbers
throughout: values in millionths, credits in billionths.
"""

import math
import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from support.oracle.fields import carried
from support.oracle.history import History, relations_agree
from support.oracle.reading import Number, exact, whole_units
from support.oracle.rules import Row, Rules, microseconds, order, six_digits, utf8

TOO_LARGE = Decimal(10**18)
BILLION = 1_000_000_000
DECIMAL_TEXT = re.compile(r"-?[0-9]+(\.[0-9]+)?")
MODELS = ("first_touch", "last_touch", "linear", "position_based", "time_decay")
TouchIndex = dict[tuple[str, str, str], list[Row]]


def numeric_millionths(value: object) -> int | None:
    """Return a number or numeric text in millionths, None where it is neither."""
    if isinstance(value, Number):
        number = exact(value.text)
    elif isinstance(value, str) and DECIMAL_TEXT.fullmatch(value):
        number = exact(value)
    else:
        return None
    # Compared, not abs(): that would round to the digits of the decimal context.
    is_readable = -TOO_LARGE < number < TOO_LARGE
    return whole_units(number, 6, cut=False) if is_readable else None


@dataclass(frozen=True)
class Conversion:
    """A conversion with its value in millionths and its items in order; a repeat has none."""

    event: Row
    visitor: str
    value: int | None
    currency: str | None
    quantities: dict[str, int]
    is_repeat: bool = False


def conversions_of(history: History) -> list[Conversion]:
    """Read value, currency and items of every conversion, the first of an order by (time, id)."""
    conversions = []
    seen: set[str] = set()
    for event in history.of_type("conversion"):
        rules, custom = history.rules, event["properties"]
        counted: Counter[str] = Counter(event["item_ids"])
        items = sorted(counted, key=utf8)
        value = numeric_millionths(carried(custom, rules.value_field, rules))
        named = carried(custom, rules.currency_field, rules)
        currency = named if isinstance(named, str) else None
        order_text = order_of(event, rules)
        said = (event["conversion_type"], order_text, sorted(event["item_ids"]), value, currency)
        is_repeat = order_text is not None and repr(said) in seen
        seen.add(repr(said))
        quantities = {} if is_repeat else {item: counted[item] for item in items}
        visitor = history.visitor[event["id"]]
        conversions.append(Conversion(event, visitor, value, currency, quantities, is_repeat))
    return conversions


def order_of(event: Row, rules: Rules) -> str | None:
    """Return what names the order of a conversion, as text; None where it names no order."""
    if rules.order_field is None:
        return None
    value = carried(event["properties"], rules.order_field, rules)
    text = value.text if isinstance(value, Number) else value
    words = (*rules.placeholder_ids, *rules.placeholder_identities)
    return text if isinstance(text, str) and text.lower() not in words else None


def is_mixed(currencies: list[str | None]) -> bool:
    """Return whether values of these currencies must not be added; no currency is one too."""
    return len(set(currencies)) > 1


def attributions_of(history: History, conversions: list[Conversion]) -> list[Row]:
    """Return the rows of fct_attributions."""
    index: TouchIndex = defaultdict(list)
    for event in history.events:
        if event["type"] in ("click", "impression"):
            index[event["type"], history.visitor[event["id"]], event["item_id"]].append(event)
    rows = []
    for conversion in conversions:
        if conversion.is_repeat:
            continue
        unit_values = share_values(conversion)
        for item_id in conversion.quantities:
            basis, touches = touches_of(history, conversion, item_id, index)
            rows += unit_rows(history, conversion, item_id, unit_values[item_id], basis, touches)
    return rows


def share_values(conversion: Conversion) -> dict[str, int | None]:
    """Share a conversion's value by quantity; the last item takes the remainder."""
    if conversion.value is None:
        return dict.fromkeys(conversion.quantities)
    total = sum(conversion.quantities.values())
    shares = [conversion.value * quantity // total for quantity in conversion.quantities.values()]
    shares[-1] += conversion.value - sum(shares)
    return dict(zip(conversion.quantities, shares, strict=True))


def touches_of(
    history: History, conversion: Conversion, item_id: str, index: TouchIndex
) -> tuple[str, list[Row]]:
    """Return basis and touches of a unit, in order and capped."""
    rules = history.rules
    event = conversion.event
    explicit_id = history.target(event, "impression_id")
    if explicit_id is not None:
        explicit = history.by_id[explicit_id]
        if (
            explicit["item_id"] == item_id
            and relations_agree(event, explicit)
            and explicit["original_timestamp"] <= event["original_timestamp"]
        ):
            return "explicit", [explicit]
    for basis, touch_type, days in (
        ("click", "click", rules.click_touch_days),
        ("view", "impression", rules.view_touch_days),
    ):
        touches = [
            touch
            for touch in index.get((touch_type, conversion.visitor, item_id), [])
            if timedelta(0) <= age_of(touch, event) <= timedelta(days=days)
            and relations_agree(event, touch)
        ]
        if touches:
            return basis, capped(sorted(touches, key=order), rules.max_touches)
    return "none", []


def age_of(touch: Row, event: Row) -> timedelta:
    """Return how long before the conversion a touch was."""
    age: timedelta = event["original_timestamp"] - touch["original_timestamp"]
    return age


def capped(touches: list[Row], most: int) -> list[Row]:
    """Keep the first and the latest of too many touches."""
    return touches if len(touches) <= most else [touches[0], *touches[len(touches) - most + 1 :]]


def unit_rows(
    history: History,
    conversion: Conversion,
    item_id: str,
    unit_value: int | None,
    basis: str,
    touches: list[Row],
) -> list[Row]:
    """Return the rows of one unit: one per touch, or one that has no touch."""
    half_life = timedelta(days=history.rules.half_life_days)
    ages = [age_of(touch, conversion.event) for touch in touches]
    # A unit without touches has one row, which holds all of it in every model.
    credits_by_model = credits_of(ages or [timedelta(0)], half_life)
    values_by_model = {m: values_of(unit_value, parts) for m, parts in credits_by_model.items()}
    rows = []
    for place, touch in enumerate(touches or [None]):
        row: Row = {
            "conversion_id": conversion.event["id"],
            "item_id": item_id,
            "touch_id": "" if touch is None else touch["id"],
            "basis": basis,
            "touch_type": None if touch is None else touch["type"],
            "visitor_key": conversion.visitor,
            "currency": conversion.currency,
            "quantity": conversion.quantities[item_id],
            "touch_number": None if touch is None else place + 1,
            "touch_count": len(touches),
            "unit_value": six_digits(unit_value),
            "touch_at": None if touch is None else touch["original_timestamp"],
            "converted_at": conversion.event["original_timestamp"],
        }
        for name in ("rec_id", "module_view_id", "page_view_id", "rank"):
            row[name] = None if touch is None else history.filled[touch["id"]][name]
        for model in MODELS:
            row[f"{model}_credit"] = Decimal(f"{credits_by_model[model][place]}E-9")
            row[f"{model}_value"] = six_digits(values_by_model[model][place])
        rows.append(row)
    return rows


def credits_of(ages: list[timedelta], half_life: timedelta) -> dict[str, list[int]]:
    """Return per model the credit of each touch; `ages` has one age per touch, oldest first."""
    count = len(ages)
    nothing = [0] * (count - 1)
    return {
        "first_touch": [BILLION, *nothing],
        "last_touch": [*nothing, BILLION],
        "linear": rest_to_last([BILLION // count] * count),
        "position_based": rest_to_last(position_based(count)),
        "time_decay": rest_to_last(time_decay(ages, half_life)),
    }


def position_based(count: int) -> list[int]:
    """Return 0.4, shares of 0.2, 0.4; halves for two; everything for one."""
    if count == 1:
        return [BILLION]
    if count == 2:
        return [BILLION // 2, BILLION // 2]
    middle = BILLION // 5 // (count - 2)
    return [BILLION * 2 // 5, *[middle] * (count - 2), BILLION * 2 // 5]


def time_decay(ages: list[timedelta], half_life: timedelta) -> list[int]:
    """Return credits by weights that halve with every half-life."""
    weights = [
        math.floor(2 ** -(microseconds(age) / microseconds(half_life)) * 1e9 + 0.5) for age in ages
    ]
    total = sum(weights)
    # Weights so old that all are 0: the last touch takes everything as the remainder.
    return [weight * BILLION // total if total else 0 for weight in weights]


def rest_to_last(parts: list[int]) -> list[int]:
    """Add what is missing to a whole to the last part."""
    return [*parts[:-1], parts[-1] + BILLION - sum(parts)]


def values_of(unit_value: int | None, parts: list[int]) -> list[int] | list[None]:
    """Share a value by credits; the last touch takes the remainder."""
    if unit_value is None:
        return [None] * len(parts)
    values = [unit_value * part // BILLION for part in parts]
    return [*values[:-1], unit_value - sum(values[:-1])]


def conversion_rows(
    history: History, conversions: list[Conversion], attributions: list[Row]
) -> list[Row]:
    """Return the rows of fct_conversions."""
    attributed = {row["conversion_id"] for row in attributions if row["basis"] != "none"}
    return [
        {
            "id": conversion.event["id"],
            "visitor_key": conversion.visitor,
            "session_key": history.session[conversion.event["id"]][0],
            "source": conversion.event["source"],
            "conversion_type": conversion.event["conversion_type"],
            "currency": conversion.currency,
            "item_count": len(conversion.event["item_ids"]),
            "unit_count": len(conversion.quantities),
            "value": six_digits(conversion.value),
            "is_attributed": conversion.event["id"] in attributed,
            "is_repeat": conversion.is_repeat,
            "original_timestamp": conversion.event["original_timestamp"],
        }
        for conversion in conversions
    ]
