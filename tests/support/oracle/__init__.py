"""A second opinion: sections 2 to 8 of the design, read from the text in plain Python.

In: files of text as bytes. Out: what the contract says of every record, and the rows of the
fct_ and dim_ tables. Slow on purpose and written without a look at the package, so that a
property test which compares both finds a misreading in either.
"""

from support.oracle.contract import ExportFile, Validated, gzipped_files, validate
from support.oracle.marts import marts
from support.oracle.reading import Number
from support.oracle.rules import Rules

__all__ = [
    "ExportFile",
    "Number",
    "Rules",
    "Validated",
    "gzipped_files",
    "marts",
    "validate",
]
