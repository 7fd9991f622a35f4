"""The command line, `sequen-dagster`.

Exit codes: 0 all went well (quarantined records and unmet tiers included); 1 a file, a check of
severity error, or a stage failed, or a file could not be read as a whole; 2 bad settings or
arguments; 3 another writer held the lock.
"""

import click

from sequen_dagster.cli.demo import demo
from sequen_dagster.cli.doctor import doctor
from sequen_dagster.cli.erase import erase
from sequen_dagster.cli.replay import replay
from sequen_dagster.cli.report import report
from sequen_dagster.cli.run import run
from sequen_dagster.cli.simulate import simulate
from sequen_dagster.cli.validate import validate
from sequen_dagster.cli.verify import verify


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="sequen-dagster")
def main() -> None:
    """Raw event exports to sessionized, attributed tables and a completeness report."""


for command in (run, verify, demo, validate, simulate, replay, doctor, erase, report):
    main.add_command(command)


if __name__ == "__main__":
    main()
