"""Reports: what comes near a name of the schema, is not read as it, and what to do about it.

In: names of types, fields and values with their counts. Out: near misses, each with its advice.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from difflib import SequenceMatcher
from functools import lru_cache
from typing import Final

from sequen_dagster.contract.shapes import SEARCHED_OBJECTS
from sequen_dagster.contract.warnings import nearest_standard
from sequen_dagster.fields import ALIASES, FIELD_NAMES, STANDARD_TYPES
from sequen_dagster.reports.document.completeness import NearMiss

# What collectors of behavioral data call the reserved fields, without case and punctuation.
_SYNONYMS: Final = {
    "uid": ("userid", "customerid", "accountid", "memberid"),
    "sid": ("visitid",),
    "cid": ("deviceid", "anonymousid", "visitorid", "browserid"),
    "type": ("eventtype", "eventname", "event"),
    "original_timestamp": ("timestamp", "ts", "eventtime", "eventtimestamp", "occurredat", "time"),
    "rec_id": ("recommendationid",),
    "rank": ("position", "pos"),
    "item_id": ("productid", "sku", "contentid", "articleid"),
    "item_ids": ("items", "products", "productids", "skus"),
    "page_type": ("pagename", "pagecategory"),
    "click_type": ("clickname", "action"),
    "conversion_type": ("conversionname", "goal"),
    "dwell_ms": ("dwelltime", "dwell", "timeonpage", "duration"),
}
_RESERVED: Final = {
    **{re.sub("[^a-z]", "", name): name for name in (*FIELD_NAMES, *ALIASES)},
    **{synonym: name for name, synonyms in _SYNONYMS.items() for synonym in synonyms},
}
# Where an object under a key may be the event itself, more names say so.
_WITHIN: Final = {
    **_RESERVED,
    **dict.fromkeys(("eventid", "messageid", "insertid", "uuid"), "id"),
    **dict.fromkeys(("timestampms", "timestampunixtimems", "eventtimems"), "original_timestamp"),
}
# Common names that mean something of their own where nothing is missing.
_LOOSE: Final = {
    synonym for synonyms in _SYNONYMS.values() for synonym in synonyms if not synonym.endswith("id")
}
_IDENTITY: Final = frozenset({"uid", "sid", "cid"})
# Two letters changed places in a name of six: 0.83.
_MIN_LIKENESS: Final = 0.8
# Of fields there are many, and most that differ by more are others.
_MIN_FIELD_LIKENESS: Final = 0.9
_MIN_FIELD_LENGTH: Final = 6
# A shorter name is a part of too many words.
_MIN_PART: Final = 4
_LONGEST_VALUE: Final = 40


def near_types(
    counts: Iterable[tuple[str, int]], *, expected: Collection[str] = ()
) -> list[NearMiss]:
    """Custom types that look like a standard one, or like one that counts for an attribute.

    Args:
        counts: (type, events).
        expected: types that count for an attribute.

    Returns:
        What they are and what was probably meant.

    Example:
        >>> [(one.name, one.meant) for one in near_types([("pageview", 7), ("login", 1)])]
        [('pageview', 'page_view')]
    """
    found = []
    for name, count in counts:
        meant = nearest_standard(name)
        advice = f"Send it as {meant}, to the letter: as it is, it counts as a type of your own."
        if meant is None and name not in STANDARD_TYPES:
            meant = nearest(name, expected)
            advice = f"Send it as {meant}, if that is what it means."
        if meant is not None:
            found.append(
                NearMiss(kind="type", type=None, field=None, name=name, meant=meant,
                         records=count, rule=None, advice=advice)
            )  # fmt: skip
    return found


def near_values(
    counts: Iterable[tuple[str, str, int]], *, expected: Mapping[str, Collection[str]]
) -> list[NearMiss]:
    """Page types, click types, media and the like that come near one that counts.

    Args:
        counts: (field, value, events).
        expected: by field the names that count for an attribute.

    Returns:
        What they are and what was probably meant.

    Example:
        >>> expected = {"page_type": ["search", "serp"]}
        >>> found = near_values([("page_type", "serach", 2), ("page_type", "SERP", 1)],
        ...                     expected=expected)
        >>> [(one.field, one.name, one.meant) for one in found]
        [('page_type', 'serach', 'search')]
    """
    return [
        NearMiss(kind="value", type=None, field=field, name=value, meant=meant, records=count,
                 rule=None, advice=f"Send {meant} as {field}, if that is what it means.")
        for field, value, count in counts
        if (meant := nearest(value, expected.get(field, ()))) is not None
    ]  # fmt: skip


def near_ids(counts: Iterable[tuple[str, int]]) -> list[NearMiss]:
    """Id fields of accepted events that hold numbers with a decimal point.

    Args:
        counts: (field, events with an id such as 1001.0).

    Returns:
        One for each field that has any.
    """
    return [_double_id(field, count, None) for field, count in counts if count]


def nearest(name: str, expected: Collection[str]) -> str | None:
    """The name among those expected that this one comes near; None where it is one, or like none.

    Example:
        >>> nearest("Search page", ["cart", "search"]), nearest("E-Mail", ["email"])
        ('search', None)
        >>> nearest("shopping_cart", ["cart"]), nearest("web push", ["push"])
        ('cart', 'push')
    """
    if len(name) > _LONGEST_VALUE or any(normalize(name) == normalize(one) for one in expected):
        return None
    near = [(likeness, one) for one in sorted(expected) if (likeness := _likeness(name, one))]
    return max(near, key=lambda one: one[0])[1] if near else None


def normalize(name: str) -> str:
    """A name as it is compared: without case, white space, `-` and `_`.

    Example:
        >>> normalize("Search-Results"), normalize("e mail")
        ('searchresults', 'email')
    """
    return re.sub(r"[\s_-]", "", name).lower()


def near_fields(
    counts: Iterable[tuple[str, str, int]],
    *,
    detectors: Collection[str],
    carried: Collection[tuple[str, str]],
) -> list[NearMiss]:
    """Custom fields of accepted events that are spelled almost like one that would be read.

    Args:
        counts: (event type, field, events).
        detectors: paths that count for an attribute of completeness.
        carried: (event type, reserved field) that every event of the type has already.

    Returns:
        What they are and what was probably meant.
    """
    paths = {_bare(path): path for path in sorted(detectors, reverse=True)}
    found = []
    for event_type, field, count in counts:
        place, _, path = field.partition(".")
        looked_up = path if place in SEARCHED_OBJECTS and path else field
        if not count or {field, looked_up} & set(detectors) or field in ALIASES:
            continue
        bare = _bare(looked_up)
        meant = _RESERVED.get(bare) if "." not in field else None
        meant = meant if meant and bare not in _LOOSE else paths.get(bare)
        if meant is None and "." not in looked_up:
            meant = _likely_field(looked_up, tuple(sorted(detectors)))
        if meant is not None and (event_type, meant) not in carried:
            found.append(_field_miss(event_type, field, meant, count, None))
    return found


def near_fields_of_quarantined(
    counts: Iterable[tuple[str, str, str, int]],
) -> list[NearMiss]:
    """What quarantined records have instead of the field that they miss.

    Args:
        counts: (event type, rule, key of the record, records); `key/inner` is a key of an object
            in it, `key[]/inner` one of the first object of an array.

    Returns:
        What they are and what was probably meant; a key that holds the event comes first.

    Example:
        >>> found = near_fields_of_quarantined([("click", "missing_identity", "userId", 3)])
        >>> (found[0].name, found[0].meant, found[0].records)
        ('userId', 'uid', 3)
    """
    counts = list(counts)
    keys = _keys_that_hold_events(counts)
    unwrapped = {(one.type, one.name) for one in keys}
    found = list(keys)
    for event_type, rule, field, count in counts:
        if rule.startswith("invalid_"):
            found.append(_double_id(field, count, rule))
            continue
        holder, _, inner = field.rpartition("/")
        if (event_type, holder.removesuffix("[]")) in unwrapped or holder.endswith("[]"):
            continue
        wanted = _wanted_fields(rule)
        name = inner or field
        meant = ALIASES.get(name) or _RESERVED.get(_bare(name))
        if holder and (meant not in wanted or _bare(name) in _LOOSE):
            meant = _RESERVED.get(_bare(holder + inner))
        if meant in wanted and field != meant:
            shown = f"{holder}.{inner}" if holder else field
            found.append(_field_miss(event_type, shown, meant, count, rule))
    return found


def _keys_that_hold_events(counts: Iterable[tuple[str, str, str, int]]) -> list[NearMiss]:
    """Keys whose object has a time, and more of what events have, where the record has none."""
    within: dict[tuple[str, str], set[str]] = {}
    missed: dict[tuple[str, str], set[str]] = {}
    records: Counter[tuple[str, str]] = Counter()
    for event_type, rule, field, count in counts:
        holder, _, inner = field.rpartition("/")
        meant = ALIASES.get(inner) or _WITHIN.get(_bare(inner))
        if not holder or meant is None or rule.startswith("invalid_"):
            continue
        place = (event_type, holder)
        within.setdefault(place, set()).add(ALIASES.get(meant, meant))
        missed.setdefault(place, set()).update(_wanted_fields(rule))
        records[place] = max(records[place], count)
    found = []
    for (event_type, holder), names in within.items():
        needed = names & missed[event_type, holder] & {"type", "original_timestamp"}
        # Many objects have an id and a type of their own.
        if needed and len(names) >= (2 if "original_timestamp" in needed else 3):
            key = holder.removesuffix("[]")
            advice = (
                f"Name {key} in the setting events_keys: then what it holds is read as events."
                if holder != key
                else f"Unwrap {key}: export the object that it holds as the record itself."
            )
            found.append(
                NearMiss(kind="key", type=event_type, field=None, name=key,
                         meant=", ".join(sorted(names)), records=records[event_type, holder],
                         rule=None, advice=advice)
            )  # fmt: skip
    return found


def _wanted_fields(rule: str) -> frozenset[str]:
    missing = rule.removeprefix("missing_")
    return _IDENTITY if missing == "identity" else frozenset({missing})


def _field_miss(event_type: str, field: str, meant: str, count: int, rule: str | None) -> NearMiss:
    canonical = ALIASES.get(meant, meant)
    at_the_top = " at the top of the record" if "." in field and meant in _RESERVED.values() else ""
    advice = f"Send it as {canonical}{at_the_top}."
    return NearMiss(
        kind="field", type=event_type, field=None, name=field, meant=canonical, records=count,
        rule=rule, advice=advice,
    )  # fmt: skip


def _double_id(field: str, count: int, rule: str | None) -> NearMiss:
    return NearMiss(
        kind="id", type=None, field=field, name="1001.0", meant="1001", records=count, rule=rule,
        advice=f"Export {field} as whole numbers or text: as a decimal number it is another id.",
    )  # fmt: skip


def _bare(name: str) -> str:
    return re.sub("[^a-z]", "", name.lower())


@lru_cache(maxsize=4096)
def _likely_field(field: str, detectors: tuple[str, ...]) -> str | None:
    bare = _bare(field)
    names = {_bare(name): name for name in (*detectors, *FIELD_NAMES)}
    likeness = {
        name: SequenceMatcher(None, bare, one).ratio()
        for one, name in names.items()
        if min(len(bare), len(one)) >= _MIN_FIELD_LENGTH
    }
    likely = max(likeness, key=likeness.__getitem__, default=None)
    return likely if likely and likeness[likely] >= _MIN_FIELD_LIKENESS else None


def _likeness(name: str, one: str) -> float:
    """How near a name comes, 0 for not near: by its letters, or because it holds the other."""
    if set(_words(one)) <= set(_words(name)) and len(normalize(one)) >= _MIN_PART:
        return len(normalize(one)) / 100
    ratio = SequenceMatcher(None, normalize(name), normalize(one)).ratio()
    return ratio if ratio >= _MIN_LIKENESS else 0


def _words(name: str) -> list[str]:
    return re.findall("[a-z0-9]+", re.sub("([a-z0-9])([A-Z])", r"\1 \2", name).lower())
