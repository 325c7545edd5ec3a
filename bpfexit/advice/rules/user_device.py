"""Any other access that user space serves."""

from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Change, Confidence, Where
from bpfexit.advice.rule import Rule
from bpfexit.events.mmio import MMIO
from bpfexit.events.pio import PIO

PER_S = 100.0


def select(evidence: Evidence) -> Mask:
    """Return ports and addresses that user space serves."""
    return (evidence.kind(PIO) | evidence.kind(MMIO)) & evidence.in_user_space()


def advise(evidence: Evidence, exits: Exits) -> Advice:
    """Name the device, or tell how to find it."""
    known = evidence.is_mapped(select(evidence))
    ask = Change(Where.HOST, "bpfexit diagnose --qmp SOCKET, or --libvirt, names the device")
    virtio = Change(
        Where.GUEST, "replace it with a paravirtual device, or find the program that polls it"
    )
    del exits
    return Advice(
        title="The guest accesses another emulated device very often",
        changes=(virtio,) if known else (ask, virtio),
        expect="Each access avoided saves a round trip to QEMU.",
        confidence=Confidence.MEDIUM if known else Confidence.LOW,
        because="the guest's memory map names it"
        if known
        else "no rule knows these addresses, and the guest's memory map is unknown",
    )


RULE = Rule(
    name="user-device",
    looks_for="any other port or address that user space serves",
    select=select,
    per_s=PER_S,
    because="fewer cannot cost a hundredth of a vCPU at less than 100 µs each",
    why="Each access leaves the guest and the kernel, and waits for QEMU's device model.",
    advise=advise,
    remedy="Name the device with the guest's memory map; then replace it, or stop the program "
    "that polls it.",
    limits="It says where, not why.",
    references=("QEMU documentation: info mtree",),
    rest=True,
)
