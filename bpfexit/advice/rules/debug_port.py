"""Ports that only take notes: POST codes and debug consoles."""

from bpfexit.advice import remedies, vmm
from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Change, Confidence
from bpfexit.advice.rule import Rule
from bpfexit.events.pio import PIO

DELAYS = ("ioport80",)
NAMES = (*DELAYS, "isa-debugcon", "isa-debug-exit")
_DELAYING = "delays by port 0x80 or 0xed, or writes POST codes there"
DELAY_PORT = (0xED, 0xED)
"""Linux delays by it with io_delay=0xed; no device is there."""

MIN_RATE = 500.0


def select(evidence: Evidence) -> Mask:
    """Return accesses to them."""
    return evidence.device(PIO, *NAMES) | evidence.at(PIO, DELAY_PORT)


def advise(evidence: Evidence, exits: Exits) -> Advice:
    """Distinguish ports for delays and POST codes from debug consoles."""
    delays = evidence.take(evidence.device(PIO, *DELAYS) | evidence.at(PIO, DELAY_PORT))
    is_delay, is_console = delays.count > 0, delays.count < exits.count
    console = "writes to a debug console"
    return Advice(
        title=f"The guest {_DELAYING if is_delay else console}"
        + (f", and {console}" if is_delay and is_console else ""),
        changes=(
            *((remedies.guest_boot("io_delay=none (or udelay)"),) if is_delay else ()),
            *(_console(evidence) if is_console else ()),
        ),
        expect="The accesses end; nothing reads these ports.",
        confidence=Confidence.HIGH,
        rationale="these ports have no other purpose",
        context=evidence.configuration.devices("isa-debug")[:2],
    )


def _console(evidence: Evidence) -> tuple[Change, ...]:
    """Return how to end the output: firmware writes to 0x402 only if a console answers there."""
    writer = remedies.in_guest("find what writes there: firmware with debug output, a debug driver")
    return (*_debugcon(evidence), writer)


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
    min_rate=MIN_RATE,
    rationale="firmware writes some hundreds at boot, an operating system none",
    why="Each write is an exit to user space that does nothing for the guest.",
    advise=advise,
    remedy="io_delay=none in Linux guests; no debug console.",
    limits="Firmware with debug output writes there while it boots.",
    references=("https://docs.kernel.org/admin-guide/kernel-parameters.html",),
)
