"""How Hyper-V enlightenments are turned on, with what each of them needs.

Names and needs are those of QEMU's docs/system/i386/hyperv, the XML that of libvirt's domain
format: there, `hv-time` is a timer of the clock, all others are features.
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
_SINCE = {"avic": "QEMU 6.2, libvirt 8.10, Linux 5.15"}
_IN_PROXMOX = frozenset(
    ("vpindex", "synic", "stimer", "time", "ipi", "vapic", "relaxed", "spinlocks", "tlbflush")
)
_IN_OPENSTACK = _IN_PROXMOX
_KUBEVIRT = {"stimer": "synictimer", "avic": "", "time": ""}


def lacking(configuration: Configuration, *wanted: str) -> tuple[str, ...]:
    """Return those of the wanted that are not on, each after what it needs.

    Where the command line is not known, none counts as on.
    """
    needed = [name for each in wanted for name in (*_NEEDS.get(each, ()), each)]
    return tuple(name for name in dict.fromkeys(needed) if not configuration.hyperv(name))


def timers(evidence: Evidence) -> tuple[str, ...]:
    """Return what synthetic timers still need, `avic` included where they would turn it off."""
    missing = lacking(evidence.configuration, "stimer")
    keeps = missing and apicv.is_wanted(evidence)
    return (*missing, *(lacking(evidence.configuration, "avic") if keeps else ()))


def enabling(evidence: Evidence, names: tuple[str, ...]) -> tuple[Change, ...]:
    """Return how to turn these on for the guest's own VMM; nothing where it is of no use.

    A guest that cannot see its hypervisor uses none of them.
    """
    if not names or evidence.configuration.hides_hypervisor:
        return ()
    flags = ",".join(f"hv-{name}=on" for name in names)
    return vmm.setting(
        evidence.guest,
        since=", ".join(_SINCE[name] for name in names if name in _SINCE),
        libvirt=_xml(names),
        qemu=f"-cpu …,{flags}",
        proxmox=f"qm set VMID --ostype win11 (turns on {flags})"
        if _IN_PROXMOX.issuperset(names)
        else f'qm set VMID --args "-cpu host,{flags}" (with all other flags: it replaces -cpu)',
        openstack="openstack image set --property os_type=windows IMAGE, for a new server"
        if _IN_OPENSTACK.issuperset(names)
        else "",
        kubevirt=_kubevirt(names),
        cloud_hypervisor="--cpus boot=N,kvm_hyperv=on",
    )


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
    """Say of each enlightenment whether it is on, in one line; nothing where that is not known."""
    if not configuration.is_known:
        return ()
    words = {True: "on", False: "off"}
    said = [f"hv-{name} {words[bool(configuration.hyperv(name))]}" for name in names]
    return (", ".join(said),)
