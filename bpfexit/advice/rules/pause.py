"""Spinning vCPUs that the CPU stops."""

from bpfexit.advice import cpus, hyperv, remedies, vmm
from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Candidate, Change, Confidence
from bpfexit.advice.rule import Rule

REASONS = ("PAUSE_INSTRUCTION", "pause")
PER_S = 500.0


def select(evidence: Evidence) -> Mask:
    """Return PAUSE-loop exits."""
    return evidence.reason(*REASONS)


def advise(evidence: Evidence, exits: Exits) -> Advice:
    """Tell vCPUs that lack CPUs from those that spin on CPUs of their own."""
    del exits
    lack = cpus.lack(evidence)
    return _overcommitted(evidence, lack) if lack else _dedicated(evidence)


def _overcommitted(evidence: Evidence, lack: str) -> Advice:
    return Advice(
        title="vCPUs spin on a lock whose holder is not running",
        changes=(
            remedies.on_host("give all guests together fewer vCPUs than the host has CPUs"),
            *_spinlocks(evidence),
            remedies.guest_boot("paravirtual spinlocks must not be turned off (nopvspin)"),
        ),
        expect="The exits are a symptom: they end when the lock holder gets a CPU.",
        confidence=Confidence.HIGH,
        because=lack,
        context=(*cpus.said(evidence), *hyperv.state(evidence.configuration, "spinlocks")),
    )


def _dedicated(evidence: Evidence) -> Advice:
    return Advice(
        title="vCPUs spin for longer than the CPU's PAUSE-loop window",
        changes=(
            *_window(evidence),
            *_cpu_pm(evidence),
            *(() if evidence.facts.cpus else _spinlocks(evidence)),
        ),
        expect="Where each vCPU has a CPU of its own, spinning needs no exit: nobody else waits "
        "for the CPU.",
        confidence=Confidence.LOW,
        because="there are CPUs for all vCPUs that were seen; who waits for them is not measured"
        if evidence.facts.cpus
        else "how many CPUs the host has is not known",
        context=(*cpus.said(evidence), *_parameters(evidence)),
        candidates=(
            Candidate(
                "threads of the guest contend for a lock, or poll on purpose (DPDK, idle=poll)",
                "a CPU profile inside the guest",
            ),
            Candidate(
                "other guests or threads take the CPU from a lock's holder",
                f"the second field of /proc/{evidence.pid}/task/*/schedstat grows",
            ),
        ),
    )


def _window(evidence: Evidence) -> tuple[Change, ...]:
    """Return how to turn these exits off; the module is loaded anew."""
    if evidence.backend == "kvm_amd":
        return (remedies.reload("kvm_amd.pause_filter_count", "0", "for dedicated CPUs"),)
    if evidence.backend == "kvm_intel" and evidence.facts.number("kvm_intel.ple_gap") != 0:
        return (remedies.reload("kvm_intel.ple_gap", "0", "for dedicated CPUs"),)
    return ()


def _cpu_pm(evidence: Evidence) -> tuple[Change, ...]:
    if "cpu-pm=on" in " ".join(evidence.configuration.values("overcommit")):
        return ()
    return vmm.setting(
        evidence.guest,
        libvirt="<qemu:arg value='-overcommit'/><qemu:arg value='cpu-pm=on'/> turns them off for "
        "this guest, with HLT exits, for dedicated CPUs",
        qemu="-overcommit cpu-pm=on turns them off for this guest, with HLT exits, for dedicated "
        "CPUs",
    )


def _spinlocks(evidence: Evidence) -> tuple[Change, ...]:
    if not hyperv.lacking(evidence.configuration, "spinlocks"):
        return ()
    return vmm.setting(
        evidence.guest,
        libvirt="<hyperv><spinlocks state='on' retries='8191'/></hyperv> (Windows)",
        qemu="-cpu …,hv-spinlocks=0x1fff (Windows)",
        proxmox="qm set VMID --ostype win11 (turns on hv-spinlocks)",
        openstack="openstack image set --property os_type=windows IMAGE, for a new server",
        kubevirt="spec.template.spec.domain.features.hyperv.spinlocks: {spinlocks: 8191}",
    )


def _parameters(evidence: Evidence) -> tuple[str, ...]:
    names = ("kvm_intel.ple_gap", "kvm_intel.ple_window", "kvm_amd.pause_filter_count")
    known = [(name, evidence.facts.parameters.get(name)) for name in names]
    return tuple(f"{name} is {value} on this host" for name, value in known if value)


RULE = Rule(
    name="pause",
    looks_for="PAUSE-loop exits (PLE)",
    select=select,
    per_s=PER_S,
    because="a running vCPU releases its lock before the CPU's window ends",
    why="The CPU stops a guest that spins for longer than a lock is held, so that the holder's "
    "vCPU can run. That helps where the holder waits for a CPU, and costs where it does not.",
    advise=advise,
    remedy="With too few CPUs: fewer vCPUs, pinning, paravirtual spinlocks. With a CPU for each "
    "vCPU: ple_gap=0 (Intel), pause_filter_count=0 (AMD), or cpu-pm=on.",
    limits="Guests and threads that were not seen may take CPUs, too.",
    references=(
        *hyperv.REFERENCES,
        "https://www.qemu.org/docs/master/system/i386/kvm-pv.html",
        "https://docs.kernel.org/admin-guide/kernel-parameters.html",
    ),
)
