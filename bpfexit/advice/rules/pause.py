"""Spinning vCPUs that the CPU stops."""

from bpfexit.advice import cpu_pm, cpus, hyperv, remedies, starvation, vmm
from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Candidate, Change, Confidence
from bpfexit.advice.rule import Rule
from bpfexit.advice.starvation import Cause, Starvation

REASONS = ("PAUSE_INSTRUCTION", "pause")
MIN_RATE = 500.0


def select(evidence: Evidence) -> Mask:
    """Return PAUSE-loop exits."""
    return evidence.reason(*REASONS)


def advise(evidence: Evidence, exits: Exits) -> Advice:
    """Distinguish vCPUs that lack CPUs from those that spin on CPUs of their own."""
    del exits
    starved = starvation.found(evidence)
    waits = starved.text if starved else ""
    lack = cpus.lack(evidence) or waits
    if lack:
        return _overcommitted(evidence, lack, starved.cause if starved else Cause.UNKNOWN)
    return _dedicated(evidence, starved)


def _overcommitted(evidence: Evidence, lack: str, cause: Cause) -> Advice:
    return Advice(
        title="vCPUs spin on a lock whose holder is not running",
        changes=(
            *(starvation.changes(evidence, cause) or (remedies.on_host(starvation.FEWER),)),
            *_spinlocks(evidence),
            remedies.guest_boot("paravirtual spinlocks must not be turned off (nopvspin)"),
        ),
        expect="The exits are a symptom: they end when the lock holder gets a CPU.",
        confidence=Confidence.HIGH,
        rationale=lack,
        context=(*cpus.counts(evidence), *hyperv.state(evidence.configuration, "spinlocks")),
    )


def _dedicated(evidence: Evidence, starved: Starvation | None) -> Advice:
    return Advice(
        title="vCPUs spin for longer than the CPU's PAUSE-loop window",
        changes=(
            *_window(evidence),
            *cpu_pm.turning_on(evidence),
            *(() if evidence.facts.cpus else _spinlocks(evidence)),
        ),
        expect="If each vCPU has its own CPU, spinning needs no exit: no thread waits for it.",
        confidence=Confidence.LOW,
        rationale=_enough(evidence, starved),
        context=(*cpus.counts(evidence), *_parameters(evidence)),
        candidates=(
            Candidate(
                "threads of the guest contend for a lock, or poll on purpose (DPDK, idle=poll)",
                "a CPU profile inside the guest",
            ),
            *(() if starved else (_taken(evidence.pid),)),
        ),
    )


def _enough(evidence: Evidence, starved: Starvation | None) -> str:
    """Return what shows that the vCPUs have CPUs."""
    if starved:
        return starved.text
    if not evidence.facts.cpus:
        return "how many CPUs the host has is not known"
    return "there are CPUs for all vCPUs that were seen; who waits for them is not measured"


def _taken(pid: int) -> Candidate:
    return Candidate(
        "other guests or threads take the CPU from a lock's holder",
        f"the second field of /proc/{pid}/task/*/schedstat grows",
    )


def _window(evidence: Evidence) -> tuple[Change, ...]:
    """Return how to turn these exits off by reloading the module."""
    if evidence.backend == "kvm_amd":
        return (remedies.reload("kvm_amd.pause_filter_count", "0", "for dedicated CPUs"),)
    if evidence.backend == "kvm_intel" and evidence.facts.number("kvm_intel.ple_gap") != 0:
        return (remedies.reload("kvm_intel.ple_gap", "0", "for dedicated CPUs"),)
    return ()


def _spinlocks(evidence: Evidence) -> tuple[Change, ...]:
    if not hyperv.lacking(evidence.configuration, "spinlocks"):
        return ()
    return vmm.setting(
        evidence.guest,
        libvirt="<hyperv><spinlocks state='on' retries='8191'/></hyperv> (Windows)",
        qemu="-cpu …,hv-spinlocks=0x1fff (Windows)",
        proxmox="qm set VMID --ostype win11 (turns on hv-spinlocks)",
        openstack="openstack image set --property os_type=windows IMAGE",
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
    min_rate=MIN_RATE,
    rationale="a running vCPU releases its lock before the CPU's window ends",
    why="The CPU stops a guest that spins for longer than a lock is held, so that the holder's "
    "vCPU can run. That helps if the holder waits for a CPU, and costs if it does not.",
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
