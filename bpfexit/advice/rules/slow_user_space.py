"""Exits that user space serves slowly."""

import numpy as np

from bpfexit.advice import remedies, starvation, swap, vmm
from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Candidate, Confidence
from bpfexit.advice.rule import SLOW_USER_NS, Rank, Rule
from bpfexit.model import numbers
from bpfexit.model.grouping import ADDRESS_FIELDS

MIN_RATE = 10.0


def select(evidence: Evidence) -> Mask:
    """Return the exits at addresses where user space takes so long on average."""
    rows = evidence.exits.rows
    if not len(rows):
        return evidence.none
    sums, sum_of = rows.summed_by(("reason", *ADDRESS_FIELDS))
    slow: Mask = sums["user_ns"] >= np.maximum(sums["user_count"], 1) * np.uint64(SLOW_USER_NS)
    return slow[sum_of] & evidence.in_user_space()


def advise(evidence: Evidence, exits: Exits) -> Advice:
    """Advise to move work out of the VMM's main loop."""
    has_cpu = evidence.has_waiting or starvation.is_excluded(evidence, exits)
    return Advice(
        title="User space serves exits slowly",
        changes=(
            remedies.on_host(f"offcputime -p {evidence.pid} shows where its threads wait"),
            *vmm.setting(
                evidence.guest,
                libvirt="<iothreads>1</iothreads>, and <driver iothread='1'/> of the disk",
                qemu="-object iothread,id=io1 -device virtio-blk-pci,iothread=io1,…",
                proxmox="qm set VMID --scsihw virtio-scsi-single --scsi0 STORAGE:DISK,iothread=1",
                kubevirt="spec.template.spec.domain.ioThreadsPolicy: auto",
            ),
        ),
        expect="Device accesses no longer wait for the VMM's main loop or for a CPU.",
        confidence=Confidence.LOW,
        rationale="a held lock and synchronous I/O look the same here"
        if has_cpu
        else "a held lock, synchronous I/O and a busy host look the same here",
        context=_waited(evidence, exits),
        candidates=(
            Candidate("the VMM's lock is held by another thread", "offcputime: futex waits"),
            Candidate("the device model does synchronous I/O", "offcputime: block or file system"),
            *(() if has_cpu else (_NO_CPU,)),
            *((_SWAPPED,) if swap.swapped_in(evidence) else ()),
        ),
    )


_NO_CPU = Candidate("the thread waits for a CPU", "the second field of schedstat of its tasks")
_SWAPPED = Candidate(
    "memory that it touches is swapped out", "offcputime: folio_wait_bit, swap_readpage"
)


def _waited(evidence: Evidence, exits: Exits) -> tuple[str, ...]:
    """Return how much of the time in user space was waiting for a CPU; nothing if unknown."""
    user_ns = int(exits.rows["user_ns"].sum())
    if not evidence.has_waiting or not user_ns:
        return ()
    share = int(exits.rows["user_wait_ns"].sum()) / user_ns
    return (f"{numbers.share(share)}% of the time in user space was waiting for a CPU",)


RULE = Rule(
    name="slow-user-space",
    looks_for="exits that spend 250 µs or more in user space on average",
    select=select,
    min_rate=MIN_RATE,
    rationale="rarer exits rarely make a guest slow; the cost decides",
    why="The vCPU waits while user space serves the access. Device models take microseconds; more "
    "means that the vCPU's thread waited: for the VMM's lock, for I/O, or for a CPU.",
    advise=advise,
    remedy="IOThreads, vhost, less work in the main loop; CPUs for the VMM's threads.",
    limits="Exits that another rule knows are that rule's, however long they take.",
    references=(
        "https://www.qemu.org/docs/master/devel/multiple-iothreads.html",
        "https://libvirt.org/formatdomain.html#iothreads-allocation",
    ),
    rank=Rank.LATER,
)
