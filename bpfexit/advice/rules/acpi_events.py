"""ACPI events and hot-plug registers, polled."""

from bpfexit.advice import remedies
from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Confidence
from bpfexit.advice.rule import Rule
from bpfexit.events.pio import PIO

NAMES = (
    "acpi-gpe",
    "acpi-cpu-hotplug",
    "acpi-pci-hotplug",
    "acpi-mem-hotplug",
    "acpi-evt",
    "acpi-cnt",
    "acpi-smi",
    "memory-hotplug",
)
MIN_RATE = 200.0


def select(evidence: Evidence) -> Mask:
    """Return accesses to their registers."""
    return evidence.device(PIO, *NAMES)


def advise(evidence: Evidence, exits: Exits) -> Advice:
    """Advise to look at the guest's ACPI."""
    del evidence, exits
    return Advice(
        title="The guest polls ACPI events or hot-plug registers",
        changes=(
            remedies.in_guest("Linux: /sys/firmware/acpi/interrupts shows which event storms"),
            remedies.on_host("look for a device that is plugged and unplugged repeatedly"),
        ),
        expect="The accesses end once the event is acknowledged.",
        confidence=Confidence.LOW,
        rationale="the reason is visible only inside the guest",
    )


RULE = Rule(
    name="acpi-events",
    looks_for="accesses to ACPI event and hot-plug registers",
    select=select,
    min_rate=MIN_RATE,
    rationale="these events are rare: hot-plug, the power button",
    why="The registers are emulated in user space. A guest reads them when an event arrives, so "
    "many reads mean an event that never ends, or a driver that polls.",
    advise=advise,
    remedy="Find the event and the device behind it.",
    limits="Without the guest's memory map, the ports are those of QEMU's machines.",
    references=(
        "https://www.qemu.org/docs/master/specs/acpi_pci_hotplug.html",
        "https://www.qemu.org/docs/master/specs/acpi_cpu_hotplug.html",
    ),
)
