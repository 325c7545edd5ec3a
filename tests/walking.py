"""A guest that reads very many MMIO addresses, so that there are very many rows.

`python -m tests.walking N` does what `bpfexit testguest --wait --linger` does, with a mix that
no command line has room for.
"""

import json
import os
import sys

from bpfexit.testguest import report
from bpfexit.testguest.machine import Machine
from bpfexit.testguest.mix import OPERATIONS, Mix, Step, total, work_of
from bpfexit.testguest.session import Pace, Session, assemble_all

_FIRST, _APART = 0xD0000000, 16


def walk(addresses: int) -> Mix:
    """Return reads of so many addresses, one to three of each."""
    operation = OPERATIONS["mmio-read-user"]
    return tuple(Step(operation, _FIRST + _APART * at, 1 + at % 3) for at in range(addresses))


def main(addresses: int) -> None:
    """Print a line when ready, walk once at a line on stdin, print the exits, stay until its end.

    The guest's own count of every step is compared with what the step was to do.
    """
    mix = walk(addresses)
    with (
        Machine(assemble_all(work_of(mix, total(mix)), 1, Pace())) as machine,
        Session(machine.vcpus, Pace()) as session,
    ):
        print(json.dumps(report.ready_document(os.getpid(), session.tids)), flush=True)
        sys.stdin.readline()
        result = session.run()
        assert result.vcpus[0].exits == tuple(step.weight for step in mix)
        print(json.dumps({"exits": result.exits, "duration_s": result.duration_s}), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main(int(sys.argv[1]))
