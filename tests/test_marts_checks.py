"""What the check that compares all tables with a full refresh says."""

import pytest

from sequen_dagster.marts.checks import describe_verification
from sequen_dagster.marts.compare import Difference
from sequen_dagster.marts.verify import Verification

LOST = (
    "1 commit that the warehouse holds is gone from the lake: restore `lake/` of the home from a "
    "backup, or read the export files again with `sequen-dagster doctor --rebuild` and "
    "`sequen-dagster run`."
)
DIFFERENT = (
    "- fct_events: 1 missing\n- fct_clicks: 2 changed in rank, rec_id\n\n"
    "`sequen-dagster run --full-refresh` rebuilds them, and `sequen-dagster verify` names some of "
    "the rows. Tables that differ are a fault of sequen-dagster: please report it."
)
DIFFERENCES = (
    Difference("fct_events", missing=1, keys=("id='e1'",)),
    Difference("fct_clicks", changed=2, columns=("rank", "rec_id")),
)


@pytest.mark.parametrize(
    ("verification", "description"),
    [
        (Verification(29, 2), "29 tables compared with a full refresh over 2 commits: all equal."),
        (
            Verification(29, 2, 0, DIFFERENCES),
            f"29 tables compared with a full refresh over 2 commits: 2 differ.\n\n{DIFFERENT}",
        ),
        (
            Verification(29, 2, 1),
            f"29 tables compared with a full refresh over 2 commits: none differs.\n\n{LOST}",
        ),
    ],
    ids=["equal", "different", "lost"],
)
def test_verification_says_tables_columns_and_what_to_do(
    verification: Verification, description: str
) -> None:
    assert describe_verification(verification) == description
