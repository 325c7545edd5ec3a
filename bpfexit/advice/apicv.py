"""APIC virtualization by the CPU: whether this host has it on, and how to turn it on."""

from bpfexit.advice import hyperv
from bpfexit.advice.configuration import setting
from bpfexit.advice.evidence import Evidence
from bpfexit.advice.finding import Change, Where

_PARAMETERS = {"kvm_intel": "enable_apicv", "kvm_amd": "avic"}


def parameter(evidence: Evidence) -> str | None:
    """Return the module parameter that turns it on; None where the back end has none."""
    name = _PARAMETERS.get(evidence.backend)
    return f"{evidence.backend}.{name}" if name else None


def is_on(evidence: Evidence) -> bool | None:
    """Say whether the host has it on; None where that is not known."""
    name = parameter(evidence)
    return setting(evidence.facts.parameters.get(name)) if name else None


def state(evidence: Evidence) -> tuple[str, ...]:
    """Say what the host's parameter says."""
    name = parameter(evidence)
    said = evidence.facts.parameters.get(name) if name else None
    return (f"{name} is {said} on this host",) if said else ()


def because(evidence: Evidence) -> str:
    """Say what the advice rests on."""
    if parameter(evidence) is None:
        return f"{evidence.backend} has no APIC virtualization to turn on"
    words = {True: "it is on here, and these exits remain", False: "it is off on this host"}
    on = is_on(evidence)
    return "whether APIC virtualization is on is not known" if on is None else words[on]


def changes(evidence: Evidence) -> tuple[Change, ...]:
    """Return how to turn it on, or what may keep it from working though it is on."""
    name = parameter(evidence)
    if name is None:
        return ()
    configuration = evidence.configuration
    if is_on(evidence):
        inhibited = configuration.hyperv("synic") and not configuration.hyperv("avic")
        return hyperv.enabling(("avic",)) if inhibited else ()
    module, _, option = name.partition(".")
    needs = "while no guest runs; the CPU must support it"
    return (Change(Where.HOST, f"modprobe -r {module} && modprobe {module} {option}=1 ({needs})"),)
