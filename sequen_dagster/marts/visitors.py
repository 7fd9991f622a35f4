"""Marts: the events that the tables give to a visitor, as of the last build."""

from collections.abc import Iterable

from sequen_dagster.home.layout import Home
from sequen_dagster.marts.warehouse import connect
from sequen_dagster.settings import SequenSettings


def anonymous_events(settings: SequenSettings, visitor_keys: Iterable[str]) -> list[str]:
    """Ids of the events without `uid` that are stitched to visitors; hold `writer_lock`.

    Args:
        settings: the home.
        visitor_keys: such as `uid:u_4432`.

    Returns:
        The ids; none where no tables were built yet.
    """
    if not Home(settings.home).warehouse.exists():
        return []
    with connect(settings) as warehouse:
        is_built = warehouse.execute(
            "select 1 from duckdb_tables() where schema_name = 'main' and table_name = 'fct_events'"
        ).fetchone()
        if is_built is None:
            return []
        found = warehouse.execute(
            "select id from main.fct_events"
            " where uid is null and list_contains(?::varchar[], visitor_key) order by id",
            [list(visitor_keys)],
        ).fetchall()
    return [str(event) for (event,) in found]
