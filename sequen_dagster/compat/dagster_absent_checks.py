"""Compat: a run with nothing new prints no warning of checks that had nothing to look at.

Reason: a step that builds nothing gives no result of its checks. Dagster then skips the steps after
it, and yet prints on the terminal that the first of them goes on without the check.
Upstream: dagster 1.13.27, `ActiveExecution._should_skip_step`.
Test: tests/test_compat.py::test_logger_of_absent_checks_is_the_one_that_is_silenced
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

LOGGER: Final = "dagster._core.execution.plan.active"
WARNING: Final = "emitted no result"


@contextmanager
def silent_absent_checks() -> Iterator[None]:
    """Around the execution of a job in this process."""
    logger = logging.getLogger(LOGGER)

    def keep(record: logging.LogRecord) -> bool:
        return WARNING not in record.getMessage()

    logger.addFilter(keep)
    try:
        yield
    finally:
        logger.removeFilter(keep)
