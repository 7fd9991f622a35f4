"""Reports: event types and fields that look like one of the schema's and are not read as it."""

import re
from collections.abc import Collection, Iterable
from typing import Final

from sequen_dagster.contract.warnings import nearest_standard
from sequen_dagster.fields import ALIASES, FIELD_NAMES
from sequen_dagster.reports.document import NearMiss

# What collectors of behavioural data call the reserved fields, without case and punctuation.
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
# Common names that mean something of their own where nothing is missing.
_LOOSE: Final = {
    synonym for synonyms in _SYNONYMS.values() for synonym in synonyms if not synonym.endswith("id")
}


def near_types(counts: Iterable[tuple[str, int]]) -> list[NearMiss]:
    """Custom types that look like a standard one that was misspelt.

    Args:
        counts: (type, events).

    Returns:
        What they are and what was probably meant.

    Example:
        >>> [(one.name, one.meant) for one in near_types([("pageview", 7), ("login", 1)])]
        [('pageview', 'page_view')]
    """
    return [
        NearMiss(kind="type", type=None, name=name, meant=meant, records=count, rule=None)
        for name, count in counts
        if (meant := nearest_standard(name)) is not None
    ]


def near_fields(
    counts: Iterable[tuple[str, str, int]],
    *,
    detectors: Collection[str],
    carried: Collection[tuple[str, str]],
) -> list[NearMiss]:
    """Custom fields of accepted events that are spelt almost like one that would be read.

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
        if field in detectors or field in ALIASES:
            continue
        meant = _RESERVED.get(_bare(field)) if "." not in field else None
        meant = meant if meant and _bare(field) not in _LOOSE else paths.get(_bare(field))
        if meant is not None and (event_type, meant) not in carried:
            found.append(_field_miss(event_type, field, meant, count, None))
    return found


def near_fields_of_quarantined(
    counts: Iterable[tuple[str, str, str, int]],
) -> list[NearMiss]:
    """What quarantined records have instead of the field that they miss.

    Args:
        counts: (event type, rule, key of the record, records).

    Returns:
        What they are and what was probably meant.

    Example:
        >>> found = near_fields_of_quarantined([("click", "missing_identity", "userId", 3)])
        >>> (found[0].name, found[0].meant, found[0].records)
        ('userId', 'uid', 3)
    """
    found = []
    for event_type, rule, field, count in counts:
        missing = rule.removeprefix("missing_")
        wanted = {"uid", "sid", "cid"} if missing == "identity" else {missing}
        meant = ALIASES.get(field) or _RESERVED.get(_bare(field))
        if meant in wanted and field != meant:
            found.append(_field_miss(event_type, field, meant, count, rule))
    return found


def _field_miss(event_type: str, field: str, meant: str, count: int, rule: str | None) -> NearMiss:
    canonical = ALIASES.get(meant, meant)
    return NearMiss(
        kind="field", type=event_type, name=field, meant=canonical, records=count, rule=rule
    )


def _bare(name: str) -> str:
    return re.sub("[^a-z]", "", name.lower())
