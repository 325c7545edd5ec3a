"""The serial console."""

from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Change, Confidence, Where
from bpfexit.advice.rule import Rule
from bpfexit.events.pio import PIO

PER_S = 1000.0


def select(evidence: Evidence) -> Mask:
    """Return accesses to the four UARTs of a PC."""
    return evidence.device(PIO, "serial", "isa-serial")


def advise(evidence: Evidence, exits: Exits) -> Advice:
    """Advise less output, or a virtio console."""
    del evidence, exits
    return Advice(
        title="The guest writes heavily to its serial port",
        changes=(
            Change(Where.GUEST, "Linux: `quiet` or loglevel=4 at boot; console=hvc0 for virtio"),
            Change(Where.LIBVIRT, "<console type='pty'><target type='virtio'/></console>"),
            Change(Where.QEMU, "-device virtio-serial -device virtconsole,chardev=…"),
        ),
        expect="A virtio console takes one notify per buffer, not two exits per character.",
        confidence=Confidence.HIGH,
        because="the ports are those of a PC's UARTs",
    )


RULE = Rule(
    name="serial",
    looks_for="accesses to the serial ports",
    select=select,
    per_s=PER_S,
    because="typing and a login prompt cause tens",
    why="An emulated UART takes at least two exits to QEMU for each character: is it ready, and "
    "the character. A kernel that logs there waits for each.",
    advise=advise,
    remedy="Write less to the console, or use a virtio console.",
    limits="A guest with console=ttyS0 does this for some seconds at boot.",
    references=("libvirt domain XML: devices, console", "QEMU invocation: -device virtconsole"),
)
