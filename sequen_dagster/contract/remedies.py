"""Contract: what to do about each rule, in a sentence for those who send the events."""

from collections.abc import Sequence
from typing import Final

from sequen_dagster.contract.codes import rule_fields
from sequen_dagster.fields import FIELDS, Kind

_FORM: Final[dict[Kind, str]] = {
    "string": "as text",
    "type": "as text",
    "id": "as text or a whole number",
    "identity": "as text or a whole number",
    "timestamp": (
        "as an ISO 8601 or unix time, from the year 2000 on and at most 24 hours ahead of the "
        "file's arrival"
    ),
    "rank": "as a whole number from 0 on",
    "dwell": "as a number of milliseconds from 0 on",
    "item_ids": "as a list of texts, none of them blank",
}
_REMEDIES: Final = {
    "malformed_json": "Write each event as valid JSON, best one to a line.",
    "malformed_csv": "Close every quote, double quotes in values (RFC 4180), one value a column.",
    "truncated_tail": "Export the file again and drop it once it is whole: it ends in a record.",
    "not_an_object": "Write each event as a JSON object with its fields.",
    "too_large": "Send less in one record, or raise the setting `max_record_bytes`.",
    "too_deep": "Nest less in one record, or raise the setting `max_depth`.",
    "bad_encoding": "Write the file as UTF-8.",
    "corrupt_compression": (
        "Copy or export the file again under its name: it is cut or damaged, and cannot be "
        "unpacked to its end."
    ),
    "corrupt_parquet": "Copy or export the file again under its name: it is cut or damaged.",
    "unsupported_format": (
        "Export JSON, CSV, TSV or Parquet, plain or packed once with gzip, zstd, bzip2, xz or "
        "lz4. A file without events belongs into the source's `exclude`."
    ),
    "too_compressed": (
        "Pack the file again in parts, or raise the setting `max_compression_ratio` if you trust "
        "who made it."
    ),
    "missing_header": (
        "Begin the file with a line that names its columns, in the words of the event document."
    ),
    "missing_identity": "Send `uid`, `sid` or `cid`, at least one of them and not a placeholder.",
    "missing_type": "Send `type` on every event.",
    "missing_original_timestamp": "Send `original_timestamp` on every event.",
}


def describe_remedy(rule: str) -> str:
    """What to do so that records, or files, keep a rule.

    Args:
        rule: a rule code of severity error.

    Returns:
        A sentence or two; empty for a code that is not known.

    Example:
        >>> describe_remedy("missing_rank")
        'Send `rank` on every module_view and impression.'
    """
    if rule in _REMEDIES:
        return _REMEDIES[rule]
    verb, _, _ = rule.partition("_")
    for field in FIELDS:
        if rule_fields(rule) != [field.name]:
            continue
        if verb == "invalid":
            return f"Send `{field.name}` {_FORM[field.kind]}."
        return f"Send `{field.name}` on every {' and '.join(field.mandatory_for)}."
    return ""


def describe_remedies(rules: Sequence[str]) -> str:
    """What to do so that records keep several rules, with what is said of many fields said once.

    Example:
        >>> describe_remedies(["invalid_uid", "invalid_rank", "invalid_sid"])
        'Send `uid` and `sid` as text or a whole number. Send `rank` as a whole number from 0 on.'
    """
    sentences: dict[str, list[str]] = {}
    for rule in rules:
        names = rule_fields(rule) if rule.startswith("invalid_") else []
        remedy = describe_remedy(rule)
        said = remedy.removeprefix(f"Send `{names[0]}`") if names else remedy
        sentences.setdefault(said, []).extend(f"`{name}`" for name in names)
    return " ".join(
        f"Send {' and '.join(names)}{said}" if names else said
        for said, names in sentences.items()
        if said
    )
