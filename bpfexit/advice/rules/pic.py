"""The 8259 interrupt controllers of the PC."""

from bpfexit.advice import remedies, vmm
from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Confidence
from bpfexit.advice.rule import Rule
from bpfexit.events.pio import PIO

MIN_RATE = 1000.0


def select(evidence: Evidence) -> Mask:
    """Return accesses to both."""
    return evidence.device(PIO, "pic", "elcr")


def advise(evidence: Evidence, exits: Exits) -> Advice:
    """Advise the APIC and MSI."""
    del exits
    return Advice(
        title="The guest uses the legacy interrupt controller (8259)",
        changes=(
            *vmm.setting(
                evidence.guest,
                libvirt="<features><acpi/><apic/></features>",
                proxmox="qm set VMID --acpi 1",
            ),
            remedies.guest_boot("remove noapic, nolapic and pci=nomsi from the boot options"),
        ),
        expect="With the APIC and MSI, an interrupt needs no port access.",
        confidence=Confidence.MEDIUM,
        rationale="the ports are fixed; the reason is visible only inside the guest",
    )


RULE = Rule(
    name="pic",
    looks_for="accesses to the 8259 interrupt controllers",
    select=select,
    min_rate=MIN_RATE,
    rationale="a guest that uses the APIC masks it once, at boot",
    why="A guest that takes its interrupts from the 8259 masks, acknowledges and unmasks each "
    "by ports, and every access is an exit.",
    advise=advise,
    remedy="Enable ACPI and the APIC for the guest; remove boot options that turn them off.",
    limits="Firmware and boot loaders use it by design.",
    references=(
        "https://libvirt.org/formatdomain.html#hypervisor-features",
        "https://docs.kernel.org/admin-guide/kernel-parameters.html",
    ),
)
