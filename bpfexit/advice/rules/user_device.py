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
    """Say which device it is, or how to know."""
    known = evidence.is_mapped(select(evidence))
    ask = Change(Where.HOST, "bpfexit diagnose --qmp SOCKET, or --libvirt, names the device")
    virtio = Change(Where.GUEST, "use a paravirtual device in its place, or find who polls it")
    del exits
    return Advice(
        title="Another emulated device is accessed very often",
        changes=(virtio,) if known else (ask, virtio),
        expect="Each access saved is a way to QEMU and back saved.",
        confidence=Confidence.MEDIUM if known else Confidence.LOW,
        because="the guest's memory map names it"
        if known
        else "no rule knows these addresses, and the guest's memory map is not at hand",
    )


RULE = Rule(
    name="user-device",
    looks_for="any other port or address that user space serves",
    select=select,
    per_s=PER_S,
    because="fewer cannot cost a hundredth of a vCPU at less than 100 µs each",
    why="Each access leaves the guest and the kernel, and waits for QEMU's device model.",
    advise=advise,
    remedy="Name the device by its memory map; then replace it, or stop who polls it.",
    limits="It says where, not why.",
    references=("QEMU documentation: info mtree",),
    rest=True,
)
