"""Any other access that user space serves."""

from bpfexit.advice import remedies, vmm
from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Confidence
from bpfexit.advice.rule import Rank, Rule
from bpfexit.events.mmio import MMIO
from bpfexit.events.pio import PIO

MIN_RATE = 100.0


def select(evidence: Evidence) -> Mask:
    """Return ports and addresses that user space serves."""
    return (evidence.kind(PIO) | evidence.kind(MMIO)) & evidence.in_user_space()


def advise(evidence: Evidence, exits: Exits) -> Advice:
    """Name the device, or report how to find it."""
    known = evidence.is_mapped(select(evidence))
    ask = remedies.on_host("bpfexit diagnose --qmp SOCKET, or --libvirt, names the device")
    find = remedies.in_guest("find the program or driver that accesses it")
    asks = (ask,) if not known and vmm.is_qemu(evidence.guest) else ()
    del exits
    return Advice(
        title="The guest accesses an emulated device that no rule knows",
        changes=(*asks, find),
        expect="Each access avoided saves a round trip to user space.",
        confidence=Confidence.MEDIUM if known else Confidence.LOW,
        rationale="the guest's memory map names it"
        if known
        else "no rule knows these addresses, and the guest's memory map is unknown",
    )


RULE = Rule(
    name="user-device",
    looks_for="any other port or address that user space serves",
    select=select,
    min_rate=MIN_RATE,
    rationale="fewer cannot cost a hundredth of a vCPU at less than 100 µs each",
    why="Each access leaves the guest and the kernel, and waits for a device model.",
    advise=advise,
    remedy="Name the device with the guest's memory map; then stop what polls it, or replace it "
    "where there is a paravirtual one.",
    limits="The address is known, its cause is not.",
    references=("https://www.qemu.org/docs/master/system/monitor.html",),
    rank=Rank.REST,
)
