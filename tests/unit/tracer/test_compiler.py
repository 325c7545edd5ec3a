"""The compiler's code is found in a process's mappings, and nothing else."""

import subprocess
import sys

from bpfexit.tracer.compiler import LIBRARIES, code

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
