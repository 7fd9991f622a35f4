"""Contract: ids for events that were sent without one, the same on every delivery of a file."""

import hashlib

import numpy as np
import numpy.typing as npt
import polars as pl


class IdGenerator:
    """Names the id-less events of one file, in file order.

    An id hashes the record's text and its ordinal among identical texts of the file. What is kept
    of texts already seen is eight bytes each, since a file may hold tens of millions.
    """

    def __init__(self) -> None:
        # Sorted runs, each longer than the next: adding to one long run would copy it every time.
        self._runs: list[npt.NDArray[np.uint64]] = []
        self._repeats: dict[int, int] = {}

    def ids(self, record_md5s: pl.Series) -> list[str]:
        """Ids for the next records of the file.

        Args:
            record_md5s: md5 (hex) of each record's compact text.

        Returns:
            One id a record: `evt_` and 32 hex digits.
        """
        keys = np.array([int(digest[:16], 16) for digest in record_md5s], dtype=np.uint64)
        was_seen = self._was_seen(keys)
        ids = []
        repeats = self._repeats
        known: set[int] = set()
        for digest, key, seen in zip(record_md5s, keys.tolist(), was_seen.tolist(), strict=True):
            ordinal = 0
            if seen or key in known:
                ordinal = repeats[key] = repeats.get(key, 0) + 1
            known.add(key)
            text = f"{digest}:{ordinal}".encode()
            ids.append(f"evt_{hashlib.md5(text, usedforsecurity=False).hexdigest()}")
        self._remember_keys(np.unique(keys[~was_seen]))
        return ids

    def _was_seen(self, keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
        was_seen = np.zeros(len(keys), dtype=np.bool_)
        for run in self._runs:
            positions = np.minimum(np.searchsorted(run, keys), len(run) - 1)
            was_seen |= run[positions] == keys
        return was_seen

    def _remember_keys(self, fresh: npt.NDArray[np.uint64]) -> None:
        while self._runs and len(self._runs[-1]) <= len(fresh):
            fresh = np.union1d(self._runs.pop(), fresh)
        if len(fresh):
            self._runs.append(fresh)
