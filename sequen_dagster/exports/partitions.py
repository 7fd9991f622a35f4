"""Exports: fields that the folders of a file give to its records: `type=click/dt=2025-03-01/`.

In: the path of a file under the location of its source. Out: JSON texts by name.
"""

from typing import Final
from urllib.parse import unquote

import msgspec

from sequen_dagster.fields import RESERVED_NAMES
from sequen_dagster.settings import HivePartitions
from sequen_dagster.settings.absence import is_blank

# Fields that belong to one event only.
_NEVER: Final = frozenset(("id", "item_id", "item_ids"))
_ABSENT: Final = ("__HIVE_DEFAULT_PARTITION__", "\\N", "NULL")

_encode = msgspec.json.Encoder().encode


def folder_fields(path: str, mode: HivePartitions) -> dict[str, bytes]:
    """Read the fields that the `name=value` folders of a path give.

    Args:
        path: of a file; its own name gives nothing.
        mode: which names are read.

    Returns:
        JSON strings by name, in the order of the path; of a name twice the last.

    Example:
        >>> folder_fields("type=click/dt=2025-03-01/a.json", "reserved")
        {'type': b'"click"'}
    """
    fields: dict[str, bytes] = {}
    for folder in path.split("/")[:-1] if mode != "off" else ():
        name, equals, value = folder.partition("=")
        name, value = unquote(name), unquote(value)
        is_read = bool(equals and name) and (name in RESERVED_NAMES or mode == "all")
        # Absent by the same texts as a cell of CSV.
        is_absent = value in _ABSENT or is_blank(value)
        if is_read and name not in _NEVER and not is_absent:
            fields.pop(name, None)
            fields[name] = _encode(value)
    return fields
