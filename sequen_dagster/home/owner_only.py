"""Files that only their owner may read, whatever the umask of the process."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

_OWNER_ONLY: Final = 0o077


@dataclass
class _Mask:
    """The umask of this process, which all its threads share."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    blocks: int = 0
    before: int = 0

    def enter(self) -> None:
        with self.lock:
            if not self.blocks:
                self.before = os.umask(_OWNER_ONLY)
            self.blocks += 1

    def leave(self) -> None:
        with self.lock:
            self.blocks -= 1
            if not self.blocks:
                os.umask(self.before)


_mask: Final = _Mask()


@contextmanager
def owner_only_files() -> Iterator[None]:
    """Have every file and folder made inside the block be its owner's alone (0600, 0700).

    Child processes that are started inside keep to it. Use it around whatever writes into a home.
    The umask belongs to the process, not to a thread, so the last block to end gives it back:
    ticks of sensors run side by side in one process.

    Example:
        >>> with owner_only_files():
        ...     before = os.umask(0o077)
        >>> oct(before)
        '0o77'
    """
    _mask.enter()
    try:
        yield
    finally:
        _mask.leave()
