"""The layout of a struct, from the type that the binding makes of it."""

import ctypes

import numpy as np
import pytest

from bpfexit.compiler.bundle import Field, Layout
from bpfexit.compiler.handover import layout
from bpfexit.tracer.layouts import dtype_of


class Mixed(ctypes.Structure):
    _fields_ = (
        ("small", ctypes.c_ubyte),
        ("number", ctypes.c_ulonglong),
        ("list", ctypes.c_uint * 3),
        ("short", ctypes.c_ushort),
    )


class Signed(ctypes.Structure):
    _fields_ = (("number", ctypes.c_int),)


def test_members_lie_where_the_compiler_puts_them() -> None:
    assert layout(Mixed) == Layout(
        32,
        {
            "small": Field(0, "u1", 1),
            "number": Field(8, "u8", 1),
            "list": Field(16, "u4", 3),
            "short": Field(28, "u2", 1),
        },
    )


def test_numpy_has_the_same_layout() -> None:
    assert dtype_of(layout(Mixed)) == np.dtype(Mixed)


def test_a_member_of_another_kind_is_refused_and_not_misread() -> None:
    with pytest.raises(KeyError):
        layout(Signed)
