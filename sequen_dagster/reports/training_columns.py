"""Reports: the columns of the training set, what each is for, and what it says.

One table: the file's manifest, the asset's column schema and the documentation all follow it.
"""

from dataclasses import dataclass
from typing import Final, Literal

# key: tells rows apart or groups them; feature: known when the impression was shown, so a model may
# read it; label: what followed; split: which rows to train on.
Role = Literal["key", "feature", "label", "split"]


@dataclass(frozen=True)
class Column:
    """A column of the training set.

    Attributes:
        name: its name.
        type: its type in Parquet, as DuckDB spells it.
        role: what it may be used for.
        description: what it says.
    """

    name: str
    type: str
    role: Role
    description: str


COLUMNS: Final = (
    Column("impression_id", "VARCHAR", "key", "Id of the impression event."),
    Column("visitor_key", "VARCHAR", "key", "Who saw it."),
    Column("session_key", "VARCHAR", "key", "Session in which it was seen."),
    Column("rec_id", "VARCHAR", "key", "Recommendation that it was part of."),
    Column("module_view_id", "VARCHAR", "key", "Module in which it was shown, as sent."),
    Column(
        "page_view_id", "VARCHAR", "key", "Page on which it was shown; as sent, else its module's."
    ),
    Column("item_id", "VARCHAR", "feature", "Item that was shown."),
    Column("item_id_relation", "VARCHAR", "feature", "Table that item_id points into."),
    Column("source", "VARCHAR", "feature", "Name of the source that delivered the event."),
    Column("page_type", "VARCHAR", "feature", "Type of that page."),
    Column("properties", "VARCHAR", "feature", "Custom fields of the impression, as JSON text."),
    Column("visitor_split", "VARCHAR", "split", "Split of the visitor: train, validation, test."),
    Column("time_split", "VARCHAR", "split", "Split of the period: train, validation, test."),
    Column("split", "VARCHAR", "split", "The split where both agree, else unused."),
    Column("rank", "INTEGER", "feature", "Position of the item in its list."),
    Column("module_rank", "INTEGER", "feature", "Position of the module on its page."),
    Column("visitor_bucket", "INTEGER", "split", "Hash of the visitor, 0 to 99."),
    Column(
        "dwell_ms", "BIGINT", "label", "Milliseconds spent on what was shown; null if not measured."
    ),
    Column("label_hours", "BIGINT", "split", "Whole hours from the impression to labels_until."),
    Column("is_clicked", "BOOLEAN", "label", "Whether a click matched it."),
    Column("is_converted", "BOOLEAN", "label", "Whether it, or a click on it, was a last touch."),
    Column("original_timestamp", "TIMESTAMP", "feature", "When it was shown (UTC)."),
    Column("server_timestamp", "TIMESTAMP", "feature", "When the list was requested (UTC)."),
    Column("clicked_at", "TIMESTAMP", "label", "Its first click (UTC)."),
    Column("converted_at", "TIMESTAMP", "label", "The first conversion credited to it (UTC)."),
    Column(
        "labels_until", "TIMESTAMP", "split", "Labels know events before this instant only (UTC)."
    ),
)
