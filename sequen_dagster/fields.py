"""The one table of fields: what the event document reserves and what each event type demands.

The Pandera schemas, the Parquet schema of the lake and the asset checks are derived from `FIELDS`;
`make generate` writes what the dbt project and the documentation say of it. Source: the event
document ("Reserved Fields", "Standard Event Type fields", "Mandatory Fields By Event Type").
"""

from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["string", "type", "id", "identity", "timestamp", "rank", "dwell", "item_ids"]

STANDARD_TYPES: Final = (
    "page_view",
    "module_view",
    "impression",
    "click",
    "conversion",
    "dwell_time",
    "scroll",
)


@dataclass(frozen=True)
class Field:
    """One reserved or type field.

    Attributes:
        name: the spec's own name, used unchanged everywhere.
        kind: which converter reads it (see `sequen_dagster.contract.convert`).
        description: one sentence for an analyst.
        mandatory: whether every event must carry it.
        mandatory_for: the event types that must carry it.
        alias: another spelling that is read where the field itself is absent.
        is_link: whether it holds the id of another event.
        is_filled_in: whether the pipeline gives a value where none is sent.
    """

    name: str
    kind: Kind
    description: str
    mandatory: bool = False
    mandatory_for: tuple[str, ...] = ()
    alias: str | None = None
    is_link: bool = False
    is_filled_in: bool = False


FIELDS: Final = (
    Field(
        "id",
        "id",
        "Unique id of the event; generated from its content where none is sent.",
        is_filled_in=True,
    ),
    Field("type", "type", "Standard event type, or the name of a custom one.", mandatory=True),
    Field(
        "original_timestamp",
        "timestamp",
        "When the user performed the action (UTC).",
        mandatory=True,
    ),
    Field(
        "server_timestamp",
        "timestamp",
        "When the recommendation was requested from Sequen on behalf of the user (UTC).",
    ),
    Field(
        "ingest_timestamp",
        "timestamp",
        "When the event was received: as sent, else the arrival time of its file (UTC).",
        is_filled_in=True,
    ),
    Field("uid", "identity", "Id of the user."),
    Field("sid", "identity", "Id of the user's session.", alias="session_id"),
    Field("cid", "identity", "Id of the client: device, browser, app.", alias="client_id"),
    Field("rec_id", "id", "Recommendation that the event traces back to."),
    Field(
        "page_view_id", "id", "Id of the page_view event that this event belongs to.", is_link=True
    ),
    Field(
        "module_view_id",
        "id",
        "Id of the module_view event that this event belongs to.",
        is_link=True,
    ),
    Field(
        "impression_id", "id", "Id of the impression event that this event follows.", is_link=True
    ),
    Field(
        "rank",
        "rank",
        "Ranking position of the item or module.",
        mandatory_for=("module_view", "impression"),
    ),
    Field(
        "item_id",
        "id",
        "Item that the event is about.",
        mandatory_for=("impression", "click"),
    ),
    Field(
        "item_ids",
        "item_ids",
        "Items that the event is about, repeats included.",
        mandatory_for=("conversion",),
    ),
    Field("item_id_relation", "string", "Table that item_id and item_ids point into."),
    Field(
        "page_type",
        "string",
        "Name of the page, such as search or checkout.",
        mandatory_for=("page_view",),
    ),
    Field(
        "click_type",
        "string",
        "Kind of click, such as like or add_to_cart.",
        mandatory_for=("click",),
    ),
    Field(
        "conversion_type",
        "string",
        "Kind of conversion, such as purchase.",
        mandatory_for=("conversion",),
    ),
    Field(
        "dwell_ms",
        "dwell",
        "How long the user stayed, in milliseconds.",
        mandatory_for=("dwell_time",),
    ),
)

FIELD_NAMES: Final = tuple(field.name for field in FIELDS)
IDENTITY_FIELDS: Final = tuple(field.name for field in FIELDS if field.kind == "identity")
# Fields of which a whole value may be a word that means none.
ID_FIELDS: Final = tuple(field.name for field in FIELDS if field.kind in ("id", "identity"))
LINK_FIELDS: Final = tuple(field.name for field in FIELDS if field.is_link)
# Fields whose presence says something of the sender, in the order in which the marts count them.
COUNTED_FIELDS: Final = tuple(field.name for field in FIELDS if not field.is_filled_in)
TIMESTAMP_FIELDS: Final = tuple(field.name for field in FIELDS if field.kind == "timestamp")
ALIASES: Final = {field.alias: field.name for field in FIELDS if field.alias is not None}
RESERVED_NAMES: Final = frozenset((*FIELD_NAMES, *ALIASES))


def mandatory_pairs() -> list[tuple[str, str]]:
    """Every (event type, field) pair in which the type demands the field, in table order.

    Example:
        >>> ("click", "item_id") in mandatory_pairs()
        True
    """
    return [(event_type, field.name) for field in FIELDS for event_type in field.mandatory_for]
