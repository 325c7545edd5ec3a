"""`python -m tests.testbed.large_guest MIB`: a guest that writes to each of its pages, in turn.

It keeps to the lines of `bpfexit testguest --json --wait`: ready, a line to start by. It runs
until SIGINT.
"""

import json
import mmap
import os
import signal
import struct
import sys
from collections.abc import Sequence

from bpfexit.testguest import machine, report
from bpfexit.testguest.machine import Machine
from bpfexit.testguest.mix import CONTROL_PORT
from bpfexit.testguest.program import END, PAGE, STOP, Program
from bpfexit.testguest.session import Pace, Session

_FIRST = 4 * PAGE
"""Where the pages begin, above the head and the code."""


def program(mib: int) -> Program:
    """Return a guest with that much memory."""
    end = mib << 20
    code = b"".join(
        (
            b"\xbf" + struct.pack("<I", _FIRST),  # round: mov edi, first
            b"\x83\x07\x01",  # next: add dword [edi], 1
            b"\x81\xc7" + struct.pack("<I", PAGE),  # add edi, PAGE
            b"\x83\x3d" + struct.pack("<IB", STOP, 0),  # cmp dword [stop], 0
            b"\x75\x0a",  # jne end
            b"\x81\xff" + struct.pack("<I", end),  # cmp edi, end
            b"\x72\xe6",  # jb next
            b"\xeb\xdf",  # jmp round
            b"\xb0" + bytes([END]) + b"\xe6" + bytes([CONTROL_PORT]),  # end: out
        )
    )
    image = (bytes(2 * PAGE) + code).ljust(_FIRST, b"\0")
    return Program(0, 2 * PAGE, image, ())


def _private(mib: int) -> None:
    """Let the machine's memory be the process's own, and not shared as a file's."""

    def load(programs: Sequence[Program]) -> mmap.mmap:
        memory = mmap.mmap(-1, mib << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        memory.madvise(mmap.MADV_NOHUGEPAGE)
        for each in programs:
            memory[each.base : each.base + len(each.image)] = each.image
        return memory

    machine._load = load


def main(mib: int) -> None:
    """Run it."""
    _private(mib)
    with Machine([program(mib)]) as own, Session(own.vcpus, Pace()) as session:
        signal.signal(signal.SIGINT, lambda *_: session.stop())
        print(json.dumps(report.ready_document(os.getpid(), session.tids)), flush=True)
        sys.stdin.readline()
        session.run()


if __name__ == "__main__":
    main(int(sys.argv[1]))
