"""Permission bits that bind in every test: root passes by them, by two of its rights."""

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import pytest

_VERSION_3: Final = 0x20080522
# CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH, as bits.
_PASS_BY: Final = 1 << 1 | 1 << 2


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Rights(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


@contextmanager
def binding_permissions() -> Iterator[None]:
    """Have this thread, and those that it starts, keep to the permission bits inside the block.

    Processes that are started inside get root's rights back.
    """
    if os.geteuid() != 0:
        yield
        return
    if sys.platform != "linux":
        pytest.fail("root is held to permission bits on Linux only; run the tests as a user")
    rights = (_Rights * 2)()
    _call("capget", rights)
    before = rights[0].effective
    rights[0].effective = before & ~_PASS_BY
    _call("capset", rights)
    try:
        yield
    finally:
        rights[0].effective = before
        _call("capset", rights)


def _call(name: str, rights: ctypes.Array[_Rights]) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    header = _Header(_VERSION_3, 0)
    if getattr(libc, name)(ctypes.byref(header), rights) != 0:
        raise OSError(ctypes.get_errno(), name)
