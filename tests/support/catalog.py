"""What docs/reliability.md is made of: faults, bad inputs and threats, and what we make of each.

Which test proves what is not said here: tests say so themselves, by their marks.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Entry:
    """One fault or bad input.

    Attributes:
        what: what happens, or what comes in.
        result: what we make of it.
        reason: why no test proves it, or not all of it: it cannot arise, or is out of scope.
    """

    what: str
    result: str
    reason: str = ""


@dataclass(frozen=True)
class Threat:
    """One way to do harm.

    Attributes:
        what: how it is tried.
        defense: what we do about it.
        tests: the tests that show it; none where there is nothing to attack.
    """

    what: str
    defense: str
    tests: tuple[str, ...] = ()


# A poll in which none is new; measured by `make bench BENCH_ARGS="--only listing"`.
LISTED_FILES: Final = 100_000
LISTING_SECONDS: Final[float | None] = 3.1

# Faults whose tests are yet to come. Empty before a release.
PENDING: Final[frozenset[int]] = frozenset()

PROMISES: Final = (
    (
        "**Conservation.** Of every file `records read = accepted + quarantined + skipped`, blank "
        "lines apart. A batch whose record counts do not reconcile is not committed; the report "
        "shows the sum."
    ),
    (
        "**No loss.** Nothing in a location is ever moved, changed or deleted, and a commit "
        "names the hash of the very bytes that it was made from."
    ),
    (
        "**No duplicates.** A version of a file is one batch, however often it is met; an `id` is "
        "one event, however often it is sent."
    ),
    (
        "**Same files, same tables.** Whatever the order of arrival, the retries and the crashes: "
        "every table equals a full refresh, row for row ([why](exactness.md))."
    ),
    "**Never half.** Who reads the published snapshot sees the tables of before or of after.",
    "**One bad file blocks no other.** It is retried some times, then dead-lettered with a reason.",
)

DELIVERY: Final = "Out of scope: nothing is sent anywhere yet."

FAULTS: Final = {
    1: Entry(
        "A file is listed while its exporter still writes it.",
        "It is left until it is stable, or its marker or manifest says that it is whole.",
    ),
    2: Entry(
        "A file that was taken in grows.",
        "It is a new version: its rows take the place of the old version's.",
    ),
    3: Entry(
        "A file is overwritten with other content.",
        "The ledger keeps both versions; the tables are those of the last.",
    ),
    4: Entry(
        "The same content comes again under another name.",
        "No event is added; all its records count as duplicates, and `rpt_batches.is_copy_of` "
        "names the first.",
    ),
    5: Entry(
        "Other content, but the same name, size and modified time.",
        "Recognized by the time of the record's last change, or the store's tag, which no program "
        "sets back.",
    ),
    6: Entry(
        "A file becomes visible late, with an old modified time.",
        "Taken in: what is new is found by set difference, never by a watermark.",
    ),
    7: Entry(
        "A modified time in the future, or a clock that goes back.",
        "Nothing waits for the time to come; a quiet period is seen by polling twice.",
    ),
    8: Entry("A name that sorts before those taken in arrives later.", "Taken in."),
    9: Entry(
        "A file vanishes between listing and opening.",
        "It fails alone, with the reason, and is taken in when it is back.",
    ),
    10: Entry(
        "A file is replaced while it is read.",
        "The commit names the bytes that were read; the new file is a version of its own.",
    ),
    11: Entry(
        "Links, pipes and folders named like exports; a file that becomes one after it was listed.",
        "Only regular files are read; the others are counted by reason, with the setting "
        "`follow_links` that has links followed. Opening follows no link.",
    ),
    12: Entry(
        "A file may not be read, and later may.",
        "It fails alone, is tried again after a while, and is then taken in.",
    ),
    13: Entry(
        "An empty file, a header alone, nothing but newlines.",
        "A batch with no records, which `rpt_batches` shows.",
    ),
    14: Entry(
        "The last line has no newline.",
        "It counts if it can be read, else it is `truncated_tail`.",
    ),
    15: Entry(
        "Compressed files that are cut, damaged, followed by garbage, made of several members, or "
        "named as what they are not.",
        "Damage makes the file one quarantined record, `corrupt_compression`; members are all "
        "read; names decide nothing.",
    ),
    16: Entry(
        "A file kills the process that reads it.",
        "The others are taken in; this one is dead-lettered as `parser_crash`.",
    ),
    17: Entry(
        "A file that fails every time stands first in line.",
        "It waits longer after each failure and holds nothing up.",
    ),
    18: Entry("One bad line among a million.", "999,999 accepted, one quarantined with its line."),
    19: Entry(
        "Every line is bad.",
        "The batch is committed with nothing accepted; the check of the accepted share is red.",
    ),
    20: Entry(
        "A field that was never there before.",
        "It is kept in `properties`, and `rpt_field_catalog` names its first day.",
    ),
    21: Entry(
        "A field changes its type, gets another name, or is missing though mandatory.",
        "Quarantined by rule; `rpt_violations` names the batch and `rpt_field_catalog` the drift.",
    ),
    22: Entry(
        "The process is killed, at any point.",
        "The next run gives the tables that an unbroken one gives.",
    ),
    23: Entry(
        "A commit was written, but its writer got another answer.",
        "The next try finds it and counts it as done.",
    ),
    24: Entry(
        "The disk is full.",
        "Nothing half done is committed, the message says what is wrong, the next run goes on.",
    ),
    25: Entry(
        "The power goes.",
        "Files and folders are synced before a commit names them.",
        "Tested is the order of the calls; that the disk obeys is the disk's to keep.",
    ),
    26: Entry(
        "Two sensors, daemons or runs work on one home.",
        "One writes; the others wait, and learn who holds the lock.",
    ),
    27: Entry(
        "A run is paused, others go on, it wakes up and commits.",
        "It is the same commit; of two that hold one batch, the smaller name counts.",
    ),
    28: Entry(
        "A tick dies after it requested a run, before its cursor is saved.",
        "The same run is requested once more, and does nothing twice.",
    ),
    29: Entry(
        "A run failed, and its key bars the next.",
        "The key carries the attempt: what failed comes back by itself.",
    ),
    30: Entry(
        "The sensor's cursor is lost, stale or garbage.",
        "It is a hint only; nothing is lost or done twice.",
    ),
    31: Entry(
        "The ledger is lost or damaged.",
        "It is made again from the commits; it is never silently empty.",
    ),
    32: Entry(
        "Two sources hold files of one name.", "They are two batches: the source names them too."
    ),
    33: Entry(
        "Events arrive long after they happened.",
        "What they affect is recomputed; the tables equal a full refresh.",
    ),
    34: Entry(
        "Times in the year 9999 or 1970, or milliseconds that say they are seconds.",
        "`invalid_original_timestamp`; no later file is affected.",
    ),
    35: Entry(
        "An analyst's tool holds the warehouse open.",
        "The writer waits, then fails and says who holds it; nothing is half done.",
    ),
    36: Entry(
        "dbt fails in the middle of a build.",
        "The published snapshot stays as it was; the next run goes on without reading files again.",
    ),
    37: Entry(
        "A run of dbt is canceled.",
        "dbt ends before its process does, and the database is free again.",
    ),
    38: Entry("A receiver stores what it got, and then times out.", "", DELIVERY),
    39: Entry("A receiver refuses, throttles or redirects.", "", DELIVERY),
    40: Entry(
        "100,000 files at once, or one of many gigabytes.",
        "Memory is bounded, a run takes a bounded share, ticks stay short.",
    ),
    41: Entry(
        "A file repeats old events and adds new ones.",
        "The old ones lose as duplicates, the new ones are kept.",
    ),
    42: Entry(
        "The package is upgraded or downgraded on an old home.",
        "Old homes are read and brought up to date; newer ones are refused in words.",
    ),
    43: Entry(
        "Dagster loads the definitions again and again, from a copy.",
        "Paths are absolute and outside the dbt project, so every load has the same data.",
    ),
    44: Entry(
        "Several batches are committed between two ticks.",
        "The tables are built once, from the commits and not from the last event.",
    ),
}

BAD_INPUTS: Final = {
    1: Entry("empty `.jsonl`", "no records"),
    2: Entry("empty `.gz`", "no records"),
    3: Entry("gzip cut in half", "`corrupt_compression`"),
    4: Entry("gzip without its last 8 bytes", "`corrupt_compression`"),
    5: Entry("gzip with damaged bytes", "`corrupt_compression`"),
    6: Entry("gzip with garbage behind it", "`corrupt_compression`"),
    7: Entry("gzip of two members", "both are read"),
    8: Entry("plain text named `.gz`", "read as what it is"),
    9: Entry("gzip named `.jsonl`", "read as what it is"),
    10: Entry("gzip bomb of many lines", "`too_compressed`"),
    11: Entry("gzip bomb of one line", "`too_compressed`"),
    12: Entry("gzip within gzip, zip within gzip", "`unsupported_format`"),
    13: Entry("zip with a member `../x`", "`unsupported_format`; nothing is unpacked"),
    14: Entry("zip with a link", "`unsupported_format`; nothing is unpacked"),
    15: Entry("cut Parquet", "`corrupt_parquet`"),
    16: Entry(
        "Parquet of other types, of many row groups", "validated row by row, all groups are read"
    ),
    17: Entry("UTF-8 with a byte order mark", "the mark is passed over"),
    18: Entry("UTF-16", "`unsupported_format`, with or without its mark"),
    19: Entry("Latin-1", "`bad_encoding`, line by line"),
    20: Entry("lines that end in CR LF", "read"),
    21: Entry("lines that end in CR", "read"),
    22: Entry("no newline at the end", "the last line counts if it can be read"),
    23: Entry("a line of 20 MB", "`too_large`; passed over in bounded memory"),
    24: Entry(
        "lines of one byte; a small Parquet file of endless rows",
        "`not_an_object`, line by line; `too_compressed`",
    ),
    25: Entry("a JSON array in place of lines", "read as a document"),
    26: Entry("an array that is cut off", "`truncated_tail`; what came before counts"),
    27: Entry("a file named `a[1].jsonl`", "that file and no other; the name is text"),
    28: Entry("a file named `*.jsonl`", "that file and no other; the name is text"),
    29: Entry("SQL in a file's name", "text in tables; never a part of SQL"),
    30: Entry("Jinja in a file's name", "text in tables; never a dbt var"),
    31: Entry("a shell command in a file's name", "text in tables; no shell is started"),
    32: Entry("a name that begins like an option", "text in tables; never an argument"),
    33: Entry(
        "names with newlines, terminal commands, turned writing, 255 bytes, composed and "
        "decomposed letters",
        "text in tables, byte for byte; spelled out in logs and escaped in reports",
    ),
    34: Entry(
        "a link to `/etc/passwd`", "counted, not opened unless `follow_links` is set; no loops then"
    ),
    35: Entry("a pipe, a folder", "counted (the pipe), not opened"),
    36: Entry("a file that may not be read", "fails alone, with the reason; tried again"),
    37: Entry("bytes that are not UTF-8", "`bad_encoding`"),
    38: Entry("a raw NUL", "`malformed_json`"),
    39: Entry("an escaped NUL", "`invalid_<field>` in a reserved field; kept in a custom one"),
    40: Entry(
        "a lone surrogate",
        "`invalid_<field>` in a reserved field; U+FFFD and a warning in a custom one",
    ),
    41: Entry("a key twice", "the last counts, with a warning"),
    42: Entry("keys that differ by case", "different fields"),
    43: Entry("keys `__proto__`, `constructor`, empty, of 10 kB", "custom fields like any other"),
    44: Entry("nesting of 65, of 20,000 objects, of 100,000 arrays", "`too_deep`"),
    45: Entry(
        "NaN, Infinity, 1e999, -0",
        "`malformed_json`; `invalid_<field>`; digits of custom fields are kept",
    ),
    46: Entry("ids 9007199254740993 and 10^22 as numbers", "exact text, with a warning"),
    47: Entry(
        "ids such as `00123`, `1e5`, `true`, `null`, `NaN`, blank, `undefined`",
        "text as sent; words that mean nothing identify no person",
    ),
    48: Entry("an id whose type changes within a file", "each by its own type"),
    49: Entry("an id of 1 MB", "kept"),
    50: Entry(
        "times in every unit and form, impossible ones included",
        "one exact time, or `invalid_original_timestamp`",
    ),
    51: Entry(
        "prices `1,99`, `$5`, negative, 1e308",
        "kept as sent; a value that is not a number is none, with a warning",
    ),
    52: Entry("quantities 0, -1, 1.5", "kept as sent"),
    53: Entry("10,000 more fields", "kept"),
    54: Entry("100,000 items in a basket", "kept"),
    55: Entry("custom fields named like our columns or like SQL", "kept in `properties`"),
    56: Entry(
        "texts that a spreadsheet takes for a formula",
        "kept as sent",
        "No CSV and no spreadsheet is written, so no formula can run. A program that exports the "
        "tables to one has to quote them.",
    ),
    57: Entry(
        "texts that a browser takes for markup",
        "kept as sent; reports hold no values, and escape names",
        "No HTML is written yet.",
    ),
    58: Entry(
        "CSV: ragged, a quote never closed, a header twice, `;`, header alone, quoted newlines",
        "cells that are missing are absent; `malformed_csv`, row by row; the rest is read",
    ),
    59: Entry(
        "YAML that makes objects, a thousand laughs, keys twice, tabs",
        "no YAML of others is read; what we write is dumped safely",
    ),
    60: Entry(
        "addresses within the private network, of other schemes, with credentials",
        "a location is a folder or a store's address, without credentials",
        "No more of it can arise before something is sent.",
    ),
    61: Entry(
        "e-mail addresses, telephone and card numbers in ids and values",
        "in the data files alone: in no log, report, event log or message",
    ),
    62: Entry("keys and tokens in the environment", "nowhere at all"),
}

THREATS: Final = (
    Threat(
        "SQL or Jinja in names of files, fields, types",
        "They are data in tables. dbt's vars are numbers, closed words and lists; names in SQL are "
        "our own.",
        (
            "test_hostile_names.py::test_names_are_text_from_file_to_report",
            "test_settings.py::test_no_text_of_a_user_becomes_a_string_var",
        ),
    ),
    Threat(
        "Names that an engine expands to other files",
        "Exports are opened by us; the engine reads Parquet files that we named. A home whose own "
        "path holds such characters is refused.",
        (
            "test_hostile_names.py::test_names_are_text_from_file_to_report",
            "test_places.py::test_home_that_the_engine_would_not_find_is_refused_by_every_command",
        ),
    ),
    Threat(
        "Names of custom fields that become columns",
        "They stay keys of a JSON text.",
        ("test_corpus.py::test_bad_input_has_exact_counts_and_reasons",),
    ),
    Threat(
        "Links and paths that lead out of the location",
        "Links are counted, and followed only by `follow_links`; archives are not unpacked.",
        ("test_files.py::test_what_became_a_link_or_a_pipe_is_not_opened",),
    ),
    Threat(
        "Decompression bombs, endless lines and rows",
        "Everything streams; ratio, line and depth have limits.",
        ("test_corpus.py::test_heavy_input_has_exact_counts_and_reasons",),
    ),
    Threat(
        "Deep JSON that crashes a native parser",
        "Depth is counted before anything that recurses.",
        ("test_contract.py::test_unreadable_record_has_its_rule",),
    ),
    Threat("Formulas in CSV or spreadsheets", "We write neither."),
    Threat(
        "Markup in reports and in Dagster's pages",
        "Reports hold counts; names in them are escaped, also against links and turned writing.",
        ("test_markdown.py::test_names_from_events_cannot_become_markup",),
    ),
    Threat(
        "Secrets in logs, event logs, artifacts",
        "A secret setting prints as stars, and is handed to its user alone.",
        ("test_canary.py::test_no_secret_and_no_value_reaches_any_output",),
    ),
    Threat(
        "Personal data in logs, reports, exceptions",
        "Messages carry counts, rules and lines. Pandera's and DuckDB's own texts are kept in.",
        (
            "test_canary.py::test_no_secret_and_no_value_reaches_any_output",
            "test_bad_inputs.py::test_own_fault_shows_no_value",
        ),
    ),
    Threat("Requests to the private network", "Nothing is sent to an address from a file."),
    Threat(
        "Unsafe YAML, pickles",
        "Neither is read; assets hand no objects on.",
        ("test_lockdown.py::test_nothing_is_loaded_that_could_run",),
    ),
    Threat(
        "The engine's own doors: files, network, extensions",
        "Closed when the database is opened, for us and for dbt, and the lock is locked.",
        (
            "test_lockdown.py::test_connection_reads_and_writes_its_folders_alone",
            "test_lockdown.py::test_dbt_model_reaches_nothing_outside",
        ),
    ),
    Threat(
        "Other users of the machine",
        "Whatever the umask, files of a home are their owner's alone.",
        (
            "test_owner_only.py::test_files_and_folders_are_their_owners_alone",
            "test_canary.py::test_every_file_of_a_home_is_private",
        ),
    ),
    Threat(
        "Names that forge log lines or command terminals",
        "Spelled out and cut to 200 characters wherever they are shown.",
        (
            "test_text.py::test_name_cannot_control_a_terminal",
            "test_cli.py::test_names_and_types_cannot_control_a_terminal",
        ),
    ),
    Threat(
        "A million distinct types or fields",
        "Caches are bounded; a batch distinguishes 1,000 types, the report 50. Fields are rows of "
        "the catalog, never columns.",
        (
            "test_ingest.py::test_types_of_a_batch_are_counted_apart_up_to_a_limit",
            "test_warnings.py::test_many_types_cost_no_more_than_the_frequent_ones",
        ),
    ),
)

OUT_OF_SCOPE: Final = (
    (
        "Sending events to an address, and with it retries, redirects and requests to private "
        "networks."
    ),
    "Who may write into the location: a program that may, writes events. Batches are not signed.",
    (
        "Names: types of events, names of fields and paths of files are shown in reports and logs. "
        "Put no personal data there."
    ),
    "The exports themselves: they are read, never changed or deleted.",
    "Disks that lie about what they have stored, and damage to files of the home by others.",
)
