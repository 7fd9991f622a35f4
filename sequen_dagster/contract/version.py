"""Contract: what names the contract that a batch was validated by."""

from collections.abc import Iterable
from typing import Final

from sequen_dagster.contract.codes import field_rules
from sequen_dagster.settings import fingerprint

# Raised whenever the same record may be validated differently, so that older batches become stale.
CONTRACT_VERSION: Final = 2


def contract_fingerprint(
    *, max_depth: int, placeholder_ids: Iterable[str], placeholder_identities: Iterable[str]
) -> str:
    """Identify a contract: its version, rules and limits (16 hex digits).

    Args:
        max_depth: deepest nesting of a record.
        placeholder_ids: words that mean none, as `lower_placeholders` gives them.
        placeholder_identities: the same of `uid`, `sid` and `cid`.
    """
    return fingerprint(
        {
            "contract_version": CONTRACT_VERSION,
            "max_depth": max_depth,
            "placeholder_ids": sorted(placeholder_ids),
            "placeholder_identities": sorted(placeholder_identities),
            "rules": field_rules(),
        }
    )
