"""The compiler's code is found in a process's mappings, and nothing else."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bpfexit.errors import BpfexitError
from bpfexit.tracer.compiler import LIBRARIES, code, shielded

MAPS = """\
00400000-00452000 r-xp 00000000 08:02 173521 /usr/bin/dbus-daemon
7f0000000000-7f0003000000 r-xp 01000000 fd:00 99 /usr/lib/x86_64-linux-gnu/libLLVM-14.so.1
7f0003000000-7f0003500000 r--p 04000000 fd:00 99 /usr/lib/x86_64-linux-gnu/libLLVM-14.so.1
7f0004000000-7f0004100000 r-xp 00000000 fd:00 98 /opt/libclang of ours/libclang-cpp.so.14 (deleted)
7f0005000000-7f0005100000 r-xp 00000000 fd:00 97 /opt/libclang/libpython.so
7f0006000000-7f0006001000 rw-p 00000000 00:00 0
7ffc00000000-7ffc00002000 r-xp 00000000 00:00 0 [vdso]
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 [vsyscall]
"""


def test_only_code_of_the_compiler_is_given_up() -> None:
    assert list(code(MAPS, LIBRARIES)) == [
        (0x7F0000000000, 0x7F0003000000),
        (0x7F0004000000, 0x7F0004100000),
    ]


def test_code_that_was_given_up_still_runs() -> None:
    script = """
import ctypes, ctypes.util
from bpfexit.tracer import compiler
compiler.LIBRARIES = ("libc.", "libz.", "libm.")
assert list(compiler.code(open("/proc/self/maps").read(), compiler.LIBRARIES))
compiler.release_compiler()
assert ctypes.CDLL(None).abs(-7) == 7
import zlib; assert zlib.decompress(zlib.compress(b"x")) == b"x"
"""
    subprocess.run([sys.executable, "-c", script], check=True)


def test_the_compiler_has_directory_and_environment_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ARCH", "arm64")
    before = dict(os.environ)
    with shielded():
        assert os.getcwd() == "/"
        assert list(os.environ) == ["BCC_KERNEL_SOURCE"]
    assert os.getcwd() == str(tmp_path)
    assert dict(os.environ) == before


EXECUTE = """
import ctypes, sys
code = b"from bpfexit.tracer.compiler import shielded\\nwith shielded(): print(1)"
arguments = (ctypes.c_char_p * 4)(sys.executable.encode(), b"-c", code)
ctypes.CDLL(None).execve(arguments[0], arguments, (ctypes.c_char_p * 2)(b"=x"))
"""
"""Runs Python with a variable without a name; `os.execve` refuses one."""


def test_a_variable_without_a_name_is_left_alone() -> None:
    command = [sys.executable, "-c", EXECUTE]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("1\n", "")


def test_a_directory_that_cannot_be_entered_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(BpfexitError, match="working directory cannot be entered"), shielded():
        pass
