"""How Hyper-V enlightenments are turned on, with what each of them needs.

Names and needs are from QEMU's docs/system/i386/hyperv, the XML from libvirt's domain format:
there, `hv-time` is a timer of the clock, all others are features.
"""

from bpfexit.advice import apicv, vmm
from bpfexit.advice.configuration import Configuration
from bpfexit.advice.evidence import Evidence
from bpfexit.advice.finding import Change

REFERENCES = (
    "https://www.qemu.org/docs/master/system/i386/hyperv.html",
    "https://libvirt.org/formatdomain.html#hypervisor-features",
)

_NEEDS = {
    "synic": ("vpindex",),
    "stimer": ("vpindex", "synic", "time"),
    "ipi": ("vpindex",),
    "evmcs": ("vapic",),
}
_SINCE = {
    "avic": "QEMU 6.2, libvirt 8.10, Linux 5.15",
    "evmcs": "QEMU 3.1, libvirt 4.10",
}
_IN_PROXMOX = frozenset(("vpindex", "synic", "stimer", "time", "ipi", "vapic", "spinlocks"))
"""What `get_hyperv_enlightenments` of qemu-server turns on for Windows 7 and newer."""
_IN_OPENSTACK = frozenset(
    ("vpindex", "synic", "time", "ipi", "vapic", "spinlocks", "tlbflush", "frequencies")
)
"""What Nova's `_set_features` and `_set_kvm_timers` turn on for os_type=windows: no stimer."""
_INHIBITS = "hv-synic, which it turns on without hv-avic, inhibits APIC virtualization"
_KUBEVIRT = {"stimer": "synictimer", "avic": "", "time": ""}


def lacking(configuration: Configuration, *wanted: str) -> tuple[str, ...]:
    """Return the wanted ones that are off, each after those that it needs.

    If the command line is unknown, none counts as on.
    """
    needed = [name for flag in wanted for name in (*_NEEDS.get(flag, ()), flag)]
    return tuple(name for name in dict.fromkeys(needed) if not configuration.hyperv(name))


def timers(evidence: Evidence) -> tuple[str, ...]:
    """Return what synthetic timers still need, with `avic` if they would disable it."""
    missing = lacking(evidence.configuration, "stimer")
    keeps = missing and apicv.is_wanted(evidence)
    return (*missing, *(lacking(evidence.configuration, "avic") if keeps else ()))


def enabling(evidence: Evidence, names: tuple[str, ...]) -> tuple[Change, ...]:
    """Return how to turn these on for the guest's own VMM; nothing if that has no effect.

    A guest that cannot see its hypervisor uses none of them.
    """
    if not names or evidence.configuration.hides_hypervisor:
        return ()
    flags = ",".join(f"hv-{name}=on" for name in names)
    adds_synic = _adds_synic(evidence)
    note = f" ({_INHIBITS})" if adds_synic else ""
    return vmm.setting(
        evidence.guest,
        since=", ".join(_SINCE[name] for name in names if name in _SINCE),
        libvirt=_xml(names),
        qemu=f"-cpu …,{flags}",
        proxmox=f"qm set VMID --ostype win11 (turns on {flags})"
        if _IN_PROXMOX.issuperset(names) and not adds_synic
        else "",
        openstack=f"openstack image set --property os_type=windows IMAGE{note}"
        if _IN_OPENSTACK.issuperset(names) or "time" in names
        else "",
        kubevirt=_kubevirt(names) + (note if "synic" in names else ""),
        cloud_hypervisor="--cpus boot=N,kvm_hyperv=on",
    )


def _adds_synic(evidence: Evidence) -> bool:
    """Return whether a manager's set for Windows would inhibit APIC virtualization.

    It turns on hv-synic, and not hv-avic.
    """
    configuration = evidence.configuration
    has = configuration.hyperv("synic") or configuration.hyperv("avic")
    return apicv.is_wanted(evidence) and not has


def _xml(names: tuple[str, ...]) -> str:
    features = "".join(f"<{name} state='on'/>" for name in names if name != "time")
    xml = [f"<features><hyperv>{features}</hyperv></features>"] if features else []
    if "time" in names:
        xml.append("<clock><timer name='hypervclock' present='yes'/></clock>")
    return " ".join(xml)


def _kubevirt(names: tuple[str, ...]) -> str:
    features = [_KUBEVIRT.get(name, name) for name in names]
    parts = [f"features.hyperv.{name}: {{}}" for name in features if name]
    if "time" in names:
        parts.append("clock.timer.hyperv: {present: true}")
    return "spec.template.spec.domain: " + ", ".join(parts) if parts else ""


def state(configuration: Configuration, *names: str) -> tuple[str, ...]:
    """Return in one line whether each enlightenment is on; nothing if that is unknown."""
    if not configuration.is_known:
        return ()
    words = {True: "on", False: "off"}
    states = [f"hv-{name} {words[bool(configuration.hyperv(name))]}" for name in names]
    return (", ".join(states),)
