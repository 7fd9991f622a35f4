"""Names for the places where a crash would hurt most, so that tests can crash there.

`fail_point("lake.committed")` does nothing, unless `SEQUEN_FAIL_AT` names the very place: then
the process kills itself there without a word, as a power cut or the kernel would.
"""

import os
import signal
from typing import Final

# Every place, in the order in which a run comes by. A test goes through them one by one.
FAIL_POINTS: Final = (
    "lake.file_opened",
    "lake.rows_written",
    "lake.rows_moved",
    "lake.manifest_written",
    "lake.committed",
    "lake.indexed",
    "marts.rows_loaded",
    "marts.loaded",
    "marts.build_begun",
    "marts.built",
    "marts.build_finished",
    "reports.snapshot_written",
    "reports.snapshot_replaced",
    "reports.report_written",
    "reports.report_replaced",
    "reports.training_written",
    "reports.training_replaced",
)
# Those that only an erasure passes, or the run that follows it.
ERASE_FAIL_POINTS: Final = (
    "erase.noted",
    "erase.rows_rewritten",
    "erase.manifest_replaced",
    "erase.old_removed",
    "erase.loaded",
    "erase.copied",
    "erase.compacted",
    "erase.built",
)
_FAIL_AT: Final = "SEQUEN_FAIL_AT"
# STOP instead of KILL makes a process that comes back later.
_FAIL_SIGNAL: Final = "SEQUEN_FAIL_SIGNAL"
# Only where this file is at hand: a file that kills the process that reads it.
_FAIL_PATH: Final = "SEQUEN_FAIL_PATH"


def fail_point(name: str, path: str = "") -> None:
    """Die here if the environment says so.

    Args:
        name: one of `FAIL_POINTS`.
        path: the file that is being worked on, if it is one.
    """
    if os.environ.get(_FAIL_AT) == name and os.environ.get(_FAIL_PATH, path) == path:
        os.kill(os.getpid(), signal.Signals[os.environ.get(_FAIL_SIGNAL, "SIGKILL")])
