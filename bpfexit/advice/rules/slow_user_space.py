"""Exits that user space serves slowly."""

import numpy as np

from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Change, Confidence, Where
from bpfexit.advice.rule import Rule
from bpfexit.model.grouping import ADDRESS_FIELDS

SLOW_NS = 250_000
"""An access that QEMU's device model answers takes 2 to 20 µs: ten times that is waiting."""
PER_S = 10.0


def select(evidence: Evidence) -> Mask:
    """Return the exits at addresses where user space takes so long on average."""
    rows = evidence.exits.rows
    if not len(rows):
        return evidence.none
    sums, place = rows.summed_by(("reason", *ADDRESS_FIELDS))
    slow: Mask = sums["user_ns"] >= np.maximum(sums["user_count"], 1) * np.uint64(SLOW_NS)
    return slow[place] & evidence.in_user_space()


def advise(evidence: Evidence, exits: Exits) -> Advice:
    """Advise to move work out of QEMU's global lock."""
    del evidence, exits
    return Advice(
        title="User space (QEMU) serves exits slowly",
        changes=(
            Change(
                Where.LIBVIRT, "<iothreads>1</iothreads>, and <driver iothread='1'/> of the disk"
            ),
            Change(Where.QEMU, "-object iothread,id=io1 -device virtio-blk-pci,iothread=io1,…"),
            Change(Where.HOST, "find where its threads wait: `perf sched`, `offcputime -p`"),
        ),
        expect="Device accesses no longer wait for QEMU's main loop or for a CPU.",
        confidence=Confidence.LOW,
        because="a lock held by the main loop, synchronous I/O or a busy host look the same here",
    )


RULE = Rule(
    name="slow-user-space",
    looks_for="exits that spend 250 µs or more in user space on average",
    select=select,
    per_s=PER_S,
    because="rarer exits seldom make a guest slow; the cost decides",
    why="The vCPU waits while QEMU serves the access. Device models take microseconds; more means "
    "that the vCPU's thread waited: for QEMU's global lock, for I/O, or for a CPU.",
    advise=advise,
    remedy="IOThreads, vhost, less work in the main loop; CPUs for QEMU's threads.",
    limits="These exits may be part of another finding, too; do not add the costs.",
    references=("QEMU docs/devel/multiple-iothreads", "libvirt domain XML: iothreads"),
    shares=True,
)
