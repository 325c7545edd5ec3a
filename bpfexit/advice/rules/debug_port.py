"""Ports that only take notes: POST codes and debug consoles."""

from bpfexit.advice import remedies, vmm
from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Change, Confidence
from bpfexit.advice.rule import Rule
from bpfexit.events.pio import PIO

NAMES = ("ioport80", "isa-debugcon", "isa-debug-exit")
DELAY_PORT = (0xED, 0xED)
"""Linux delays by it with io_delay=0xed; no device is there."""

PER_S = 500.0


def select(evidence: Evidence) -> Mask:
    """Return accesses to them."""
    return evidence.device(PIO, *NAMES) | evidence.at(PIO, DELAY_PORT)


def advise(evidence: Evidence, exits: Exits) -> Advice:
    """Advise to turn them off."""
    del exits
    return Advice(
        title="The guest writes to a debug port, or uses one for delays",
        changes=(
            remedies.guest_boot("io_delay=none (ports 0x80 and 0xed are used for delays)"),
            *_debugcon(evidence),
        ),
        expect="The accesses end; nothing reads these ports.",
        confidence=Confidence.HIGH,
        because="these ports have no other purpose",
        context=evidence.configuration.devices("isa-debug")[:2],
    )


def _debugcon(evidence: Evidence) -> tuple[Change, ...]:
    if evidence.configuration.is_known and not evidence.configuration.devices("isa-debug"):
        return ()
    return vmm.setting(
        evidence.guest,
        libvirt="remove isa-debugcon from <qemu:commandline> in production",
        qemu="remove -device isa-debugcon in production",
        cloud_hypervisor="--debug-console off",
    )


RULE = Rule(
    name="debug-port",
    looks_for="accesses to POST and debug ports (0x80, 0xe9, 0xed, 0x402)",
    select=select,
    per_s=PER_S,
    because="firmware writes some hundreds at boot, an operating system none",
    why="Each write is an exit to user space that does nothing for the guest.",
    advise=advise,
    remedy="io_delay=none in Linux guests; no debug console.",
    limits="Firmware with debug output writes there while it boots.",
    references=("https://docs.kernel.org/admin-guide/kernel-parameters.html",),
)
