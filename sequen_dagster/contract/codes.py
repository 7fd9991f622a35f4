"""Contract: the codes by which rules and warnings are named, without the rules themselves."""

from typing import Final

from sequen_dagster.fields import FIELD_NAMES, FIELDS, IDENTITY_FIELDS, Field

# Rules of readers and the parser; with `field_rules` these are all error codes.
RECORD_RULES: Final = (
    "malformed_json",
    "malformed_csv",
    "truncated_tail",
    "not_an_object",
    "too_large",
    "too_deep",
    "bad_encoding",
)
FILE_RULES: Final = (
    "corrupt_compression",
    "corrupt_parquet",
    "unsupported_format",
    "too_compressed",
    "missing_header",
)
WARNINGS: Final = (
    "ahead_of_ingest",
    "alias_conflict",
    "coerced",
    "duplicate_key",
    "envelope_fields",
    "inherited_from_envelope",
    "lone_surrogate",
    "near_standard_type",
    "placeholder_id",
    "possible_personal_data",
    "unsupported_field_type",
    "zero_time",
)


def field_rules() -> list[str]:
    """Every rule code that the Pandera schema can give, in table order."""
    return [code for field in FIELDS for code in codes_of(field)]


def codes_of(field: Field) -> list[str]:
    """The rules that are checked at a field, in order."""
    codes = [f"invalid_{field.name}"]
    if field.name == IDENTITY_FIELDS[0]:
        codes.append("missing_identity")
    if field.mandatory or field.mandatory_for:
        codes.append(f"missing_{field.name}")
    return codes


def rule_fields(rule: str) -> list[str]:
    """The fields that a rule is about.

    Example:
        >>> rule_fields("missing_identity"), rule_fields("malformed_json")
        (['uid', 'sid', 'cid'], [])
    """
    if rule == "missing_identity":
        return list(IDENTITY_FIELDS)
    verb, _, field = rule.partition("_")
    return [field] if verb in ("missing", "invalid") and field in FIELD_NAMES else []
