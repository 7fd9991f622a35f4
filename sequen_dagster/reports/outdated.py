"""Reports: whether anything in `serving/` is not that of the last finished build.

In: the warehouse, and small files of `serving/`. Out: a reason, by which a run knows that it has
something to do. Nothing that people open is opened.
"""

import duckdb

from sequen_dagster.home.layout import Home
from sequen_dagster.reports.dbt_docs import why_undocumented
from sequen_dagster.reports.options import report_options
from sequen_dagster.reports.publication import why_unpublished
from sequen_dagster.reports.report_record import why_unreported
from sequen_dagster.reports.training import why_untrained
from sequen_dagster.settings import SequenSettings


def why_outdated(warehouse: duckdb.DuckDBPyConnection, settings: SequenSettings) -> str:
    """Why something that people open has to be made again; empty where all is current.

    Args:
        warehouse: an open connection; hold `writer_lock`.
        settings: the home, and what is published.
    """
    serving = Home(settings.home).serving
    options = report_options(settings)
    return (
        why_unpublished(warehouse, serving)
        or why_unreported(serving, options)
        or why_untrained(serving, options)
        or (why_undocumented(warehouse, settings) if settings.dbt_docs else "")
    )
