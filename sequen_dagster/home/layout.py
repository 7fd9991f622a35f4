"""Home: every path of a home, once."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sequen_dagster.home.durable import make_home_folder

# What a row of the lake is: accepted, or quarantined.
RowKind = Literal["events", "quarantine"]


@dataclass(frozen=True)
class Lake:
    """The lake of a home: commits, and the Parquet files that they name."""

    root: Path

    @property
    def commits(self) -> Path:
        """Manifests, the truth of what has been taken in."""
        return self.root / "commits"

    @property
    def events(self) -> Path:
        """Accepted rows, one folder a batch."""
        return self.root / "events"

    @property
    def quarantine(self) -> Path:
        """Quarantined rows, one folder a batch."""
        return self.root / "quarantine"

    @property
    def erasures(self) -> Path:
        """Salted hashes of erased people."""
        return self.root / "erasures.json"

    @property
    def incoming(self) -> Path:
        """Rows that are being written, and do not lie at their place yet."""
        return self.root / ".incoming"

    def rows(self, name: str) -> Path:
        """A Parquet file by the name that a commit gives it.

        Example:
            >>> Lake(Path("lake")).rows("events/batch_id=b/r.parquet")
            PosixPath('lake/events/batch_id=b/r.parquet')
        """
        return self.root / name

    def name_of(self, rows: Path) -> str:
        """The name that a commit gives a Parquet file."""
        return rows.relative_to(self.root).as_posix()

    def list_rows(self) -> list[Path]:
        """All files in the folders of batches, whether a commit names them or not."""
        folders = (self.events, self.quarantine)
        return [file for folder in folders for file in folder.glob("batch_id=*/*")]


def rows_name(kind: RowKind, batch_id: str, stem: str) -> str:
    """The name, relative to the lake, of a Parquet file of a batch.

    Example:
        >>> rows_name("events", "b", "r")
        'events/batch_id=b/r.parquet'
    """
    return f"{kind}/batch_id={batch_id}/{stem}.parquet"


@dataclass(frozen=True)
class Serving:
    """What people open: snapshot, report, docs, training set."""

    root: Path

    @property
    def snapshot(self) -> Path:
        """The public tables as one database file."""
        return self.root / "sequen.duckdb"

    @property
    def publication(self) -> Path:
        """Which build the snapshot is of, for the next publication."""
        return self.root / ".publication.json"

    @property
    def report_record(self) -> Path:
        """Which publication the report was made from."""
        return self.root / ".report.json"

    @property
    def report_json(self) -> Path:
        """The numbers of the report."""
        return self.root / "report.json"

    @property
    def report_html(self) -> Path:
        """The report as a page."""
        return self.root / "report.html"

    @property
    def report_markdown(self) -> Path:
        """The report as Markdown."""
        return self.root / "report.md"

    @property
    def report_picture(self) -> Path:
        """The head of the report as a picture."""
        return self.root / "report.png"

    @property
    def badge(self) -> Path:
        """The tier as a badge."""
        return self.root / "badge.svg"

    @property
    def tables(self) -> Path:
        """The sections of the report as CSV."""
        return self.root / "csv"

    @property
    def history(self) -> Path:
        """Numbers of former reports."""
        return self.root / "history"

    @property
    def docs(self) -> Path:
        """The dbt docs as one page."""
        return self.root / "docs" / "index.html"

    @property
    def training(self) -> Path:
        """The training set and its manifest."""
        return self.root / "training"

    @property
    def training_manifest(self) -> Path:
        """Which files make up the training set, and what is in them."""
        return self.training / "manifest.json"

    @property
    def training_files(self) -> Path:
        """The files of the training set."""
        return self.training / "impressions"

    @property
    def training_changes(self) -> Path:
        """Which impressions have changed since the training set was written."""
        return self.training / ".changed"

    @property
    def readme(self) -> Path:
        """What the tables mean, with example queries."""
        return self.root / "README.md"


@dataclass(frozen=True)
class DbtFolder:
    """What dbt writes for a home: its profile, artifacts and logs."""

    root: Path

    @property
    def target(self) -> Path:
        """Artifacts and logs of dbt."""
        return self.root / "target"

    @property
    def parsed(self) -> Path:
        """The parsed project, where the one that came with the package does not fit."""
        return self.root / "parsed"

    @property
    def manifest(self) -> Path:
        """The manifest of the last call of dbt, with the SQL that it has compiled."""
        return self.target / "manifest.json"

    @property
    def compiled(self) -> Path:
        """The queries that dbt has sent, in folders as the sources are."""
        return self.target / "compiled"

    @property
    def run_results(self) -> Path:
        """What dbt said of each node of its last run."""
        return self.target / "run_results.json"

    @property
    def profile(self) -> Path:
        """The profile that opens the warehouse."""
        return self.root / "profiles.yml"

    @property
    def traces(self) -> Path:
        """What ended commands unexpectedly, a file each."""
        return self.root / "log"

    @property
    def run_log(self) -> Path:
        """The console output of the last run of the command line."""
        return self.root / "run.log"


@dataclass(frozen=True)
class Home:
    """One directory that holds everything the pipeline writes.

    Build it from the setting, `Home(settings.home)`, in an operation or in the assets of a stage;
    what lies below takes the home, or the part of it that it uses.

    Example:
        >>> Home(Path("/srv/sequen")).lake.commits
        PosixPath('/srv/sequen/lake/commits')
    """

    root: Path

    @property
    def lake(self) -> Lake:
        """Commits and rows."""
        return Lake(self.root / "lake")

    @property
    def serving(self) -> Serving:
        """What people open."""
        return Serving(self.root / "serving")

    @property
    def dbt(self) -> DbtFolder:
        """What dbt writes."""
        return DbtFolder(self.root / "dbt")

    @property
    def ledger(self) -> Path:
        """The index of the commits, and the state of files that are not committed yet."""
        return self.root / "ledger.sqlite"

    @property
    def warehouse(self) -> Path:
        """The database of the one writer."""
        return self.root / "warehouse.duckdb"

    @property
    def compaction(self) -> Path:
        """Where the warehouse is copied without what was deleted; removed afterwards."""
        return self.root / "compaction"

    @property
    def scratch(self) -> "Home":
        """The home in which `verify` rebuilds the tables; removed afterwards."""
        return Home(self.root / "verify")

    @property
    def actual_tables(self) -> Path:
        """In a scratch home: a copy of the tables that the rebuilt ones are compared with."""
        return self.root / "actual.duckdb"

    def make(self) -> "Home":
        """Create the directory, for its owner only, and return the home.

        Raises:
            StorageError: it cannot be made, or not written.
        """
        make_home_folder(self.root)
        return self
