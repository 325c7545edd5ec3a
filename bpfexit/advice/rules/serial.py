"""The serial console."""

from bpfexit.advice import remedies, vmm
from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Confidence
from bpfexit.advice.rule import Rule
from bpfexit.events.pio import PIO

MIN_RATE = 1000.0


def select(evidence: Evidence) -> Mask:
    """Return accesses to the four UARTs of a PC."""
    return evidence.device(PIO, "serial", "isa-serial")


def advise(evidence: Evidence, exits: Exits) -> Advice:
    """Advise less output, or a virtio console."""
    del exits
    has_virtio = evidence.guest.vmm != "firecracker"
    linux = "console=hvc0 instead of console=ttyS0" if has_virtio else "8250.nr_uarts=0"
    return Advice(
        title="The guest uses its serial port",
        changes=(
            remedies.guest_boot(f"{linux}; `quiet` or loglevel=4 writes less"),
            *vmm.setting(
                evidence.guest,
                libvirt="<console type='pty'><target type='virtio'/></console>",
                qemu="-device virtio-serial -device virtconsole,chardev=…",
                proxmox='qm set VMID --args "-device virtio-serial -device virtconsole,chardev=…"',
                kubevirt="spec.template.spec.domain.devices.autoattachSerialConsole: false",
                cloud_hypervisor="--serial off --console tty (or pty, or file=…)",
                firecracker="no console=ttyS0 in boot_args of PUT /boot-source",
                crosvm="--serial type=stdout,hardware=virtio-console,console",
            ),
        ),
        expect="A virtio console takes one notify per buffer, not two exits per character."
        if has_virtio
        else "Without a console on it, nothing is written there.",
        confidence=Confidence.HIGH,
        rationale="the ports are those of a PC's UARTs",
    )


RULE = Rule(
    name="serial",
    looks_for="accesses to the serial ports",
    select=select,
    min_rate=MIN_RATE,
    rationale="typing and a login prompt cause tens",
    why="An emulated UART takes at least two exits to user space for each character: is it ready, "
    "and the character. A kernel that logs there waits for each.",
    advise=advise,
    remedy="Write less to the console, or use a virtio console.",
    limits="A guest with console=ttyS0 does this for some seconds at boot.",
    references=(
        "https://libvirt.org/formatdomain.html#consoles-serial-parallel-channel-devices",
        "https://www.qemu.org/docs/master/system/invocation.html",
    ),
)
