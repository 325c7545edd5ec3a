"""Guests one after another: each is a process of its own, and lives for moments.

`python -m tests.lasting_churn SECONDS -name NAME` prints how many there were, and how many accesses
of each operation they have made together.
"""

import json
import sys
import time
from collections import Counter

from bpfexit.testguest.mix import Step, parse_mix
from tests.churn import ended_guest, fork_guest
from tests.counting import Place

MIX = parse_mix(
    "pio-read-user@0x5a00=17,pio-write-user@0x5a10=13,"
    "mmio-read-user@0xd5a00000=11,mmio-write-user@0xd5a00100=7"
)
"""At addresses that no other guest on this machine accesses."""

STAYS_S = 0.15
"""How long a process stays after its exits: its name can be read, and there are slots for all."""


def main() -> None:
    """Run guests until the time is over."""
    end = time.monotonic() + float(sys.argv[1])
    done: Counter[Place] = Counter()
    guests = 0
    while time.monotonic() < end:
        guest = fork_guest(100 + guests % 7 * 50, MIX, stays_s=STAYS_S)
        guests += 1
        for (_, place), count in ended_guest(*guest).items():
            done[place] += count
    print(json.dumps({"guests": guests, "accesses": {name(s): done[place_of(s)] for s in MIX}}))


def name(step: Step) -> str:
    """Return a step as a mix has it, without its weight."""
    return f"{step.operation.name}@{step.address:#x}"


def place_of(step: Step) -> Place:
    """Return what a step of a mix is after."""
    return Place(step.operation.kind, step.operation.access, step.address)


if __name__ == "__main__":
    main()
