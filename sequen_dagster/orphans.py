"""Child processes that end when their parent is gone, instead of going on without it."""

import os
import signal
import threading
import time
from typing import Final

_LOOK_SECONDS: Final = 0.5


def die_with_parent() -> None:
    """Kill this process soon after its parent has died.

    A parent that is killed takes no child with it: a worker would wait for work for ever, and dbt
    would go on writing to a database that the next run believes to be its own. Call it in the
    child, once; a thread looks twice a second.
    """
    parent = os.getppid()
    threading.Thread(target=_watch, args=(parent,), name="die-with-parent", daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)
