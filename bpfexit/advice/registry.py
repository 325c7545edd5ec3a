"""All rules, in the order in which they are listed."""

from bpfexit.advice.rule import Rule
from bpfexit.advice.rules import (
    acpi_events,
    cpuid,
    debug_port,
    disk,
    display,
    halts,
    hpet,
    hyperv_msr,
    interrupt_window,
    interrupts,
    local_apic,
    memory_faults,
    msr,
    nic,
    pause,
    pci_config,
    pic,
    pit,
    pm_timer,
    rtc,
    serial,
    slow_user_space,
    tsc_deadline,
    user_device,
    virtio_notify,
    virtio_user_notify,
    x2apic_msr,
)

RULES: tuple[Rule, ...] = (
    pm_timer.RULE,
    hpet.RULE,
    rtc.RULE,
    pit.RULE,
    local_apic.RULE,
    x2apic_msr.RULE,
    hyperv_msr.RULE,
    tsc_deadline.RULE,
    msr.RULE,
    pic.RULE,
    interrupts.RULE,
    interrupt_window.RULE,
    virtio_notify.RULE,
    virtio_user_notify.RULE,
    disk.RULE,
    nic.RULE,
    display.RULE,
    serial.RULE,
    pci_config.RULE,
    acpi_events.RULE,
    debug_port.RULE,
    user_device.RULE,
    slow_user_space.RULE,
    cpuid.RULE,
    pause.RULE,
    halts.RULE,
    memory_faults.RULE,
)


def rule(name: str) -> Rule | None:
    """Return the rule of that name."""
    return next((each for each in RULES if each.name == name), None)
