"""Child processes that end when their parent is gone, instead of going on without it."""

import os
import signal
import threading
import time
from typing import Final

_CHECK_SECONDS: Final = 0.5


def die_with_parent(parent: int) -> None:
    """Kill this process soon after its parent has died, or at once if that has happened already.

    A parent that is killed takes no child with it: a worker would wait for work that never comes.
    Call it in the child, once; a thread checks twice a second.

    Args:
        parent: id of the process that has started this one. Not looked up here, since a parent
            that dies while its child still starts is no longer to be seen.
    """
    _die_without(parent)
    thread = threading.Thread(target=_watch, args=(parent,), name="die-with-parent", daemon=True)
    thread.start()


def _watch(parent: int) -> None:
    while True:
        time.sleep(_CHECK_SECONDS)
        _die_without(parent)


def _die_without(parent: int) -> None:
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
