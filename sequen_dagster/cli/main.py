"""The command line, `sequen-dagster`.

Exit codes mean the same in every command, see `EXIT_CODES`. Quarantined records and unmet tiers
change none, unless `--strict` is given.
"""

from typing import Any

import click

from sequen_dagster.cli.demo import demo
from sequen_dagster.cli.doctor import doctor
from sequen_dagster.cli.erase import erase
from sequen_dagster.cli.options import (
    EXIT_FAILED,
    HOME_KEY,
    exit_code_of,
    exit_with_error,
    list_exit_codes,
)
from sequen_dagster.cli.replay import replay
from sequen_dagster.cli.report import report
from sequen_dagster.cli.run import run
from sequen_dagster.cli.simulate import simulate
from sequen_dagster.cli.validate import validate
from sequen_dagster.cli.verify import verify
from sequen_dagster.errors import SequenError


class _Commands(click.Group):
    """Commands that end with a sentence, whatever happens in them."""

    def invoke(self, ctx: click.Context) -> Any:  # Any: what click gives
        """Run the command."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except SequenError as error:
            exit_with_error(str(error), exit_code_of(error))
        except BrokenPipeError:
            # The reader of the output is gone, which click knows how to end on.
            raise
        except Exception as error:
            from sequen_dagster.cli.unexpected import report_unexpected

            exit_with_error(report_unexpected(error, ctx.meta.get(HOME_KEY)), EXIT_FAILED)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="sequen-dagster")
def main() -> None:
    """Raw event exports to sessionized, attributed tables and a completeness report."""


for command in (run, verify, demo, validate, simulate, replay, doctor, erase, report):
    main.add_command(list_exit_codes(command))
list_exit_codes(main)


if __name__ == "__main__":
    main()
