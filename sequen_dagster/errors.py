"""Every error that sequen-dagster raises on purpose.

Bad records are data and never end up here: they go to `quarantined_events` with a rule code.
An error says what, where, and what to do next, and never carries a value of an event.
"""


class SequenError(Exception):
    """Root of the tree; catch it to handle every error that is raised on purpose."""


class SettingsError(SequenError):
    """A setting has a value that cannot work. Raised while settings are loaded."""


class ExportsError(SequenError):
    """A location cannot be listed: it does not exist, or is not a folder."""


class UnreadableFileError(SequenError):
    """A whole file cannot be read; the lake quarantines it as one record at line 0.

    Attributes:
        rule: the rule code, such as `corrupt_compression`.
    """

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(message)
        self.rule = rule


class VanishedFileError(SequenError):
    """A file was listed but is gone, or is not a regular file any more, when it is opened."""


class HomeError(SequenError):
    """The home is damaged, or of a newer release; `sequen-dagster doctor` says what to do."""


class StorageError(SequenError):
    """The home cannot be written (full, read-only, broken); nothing half done was committed."""


class ParserCrashError(SequenError):
    """A file kills the process that reads it; it is dead-lettered, and the others are taken in.

    Attributes:
        signal: the signal that ended the process, or its exit code where there was none.
    """

    def __init__(self, signal: int, message: str) -> None:
        super().__init__(signal, message)
        self.signal = signal
        self.message = message

    def __str__(self) -> str:
        return self.message


class ReconciliationError(SequenError):
    """The counts of a batch do not reconcile; the file fails, and nothing of it is committed."""


class FaultError(SequenError):
    """A fault of sequen-dagster itself; the message names a place in its code, and no value."""


class LockTimeoutError(SequenError):
    """Another writer held the home's lock past `lock_timeout_seconds`."""


class BuildError(SequenError):
    """dbt could not build the marts; its log in the home says why."""


class UnfinishedTablesError(BuildError):
    """The tables are not those of a finished build, or do not fit each other; none is published."""


class ReportError(SequenError):
    """There is nothing to report on yet, or a report to compare with cannot be read."""


class AlertError(SequenError):
    """A failure could not be sent to the webhook; the sensor's tick fails and says why."""
