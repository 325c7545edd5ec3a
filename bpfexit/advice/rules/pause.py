"""Spinning vCPUs that the CPU stops."""

from bpfexit.advice import hyperv
from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Change, Confidence, Where
from bpfexit.advice.rule import Rule

REASONS = ("PAUSE_INSTRUCTION", "pause")
PER_S = 500.0


def select(evidence: Evidence) -> Mask:
    """Return PAUSE-loop exits."""
    return evidence.reason(*REASONS)


def advise(evidence: Evidence, exits: Exits) -> Advice:
    """Advise fewer vCPUs, or CPUs of their own."""
    del exits
    cpus, vcpus = evidence.facts.cpus, len(evidence.vcpus)
    said = (f"this guest runs {vcpus} vCPUs; the host has {cpus} CPUs",) if cpus else ()
    missing = hyperv.lacking(evidence.configuration, "spinlocks")
    spinlocks = (
        Change(Where.LIBVIRT, "<hyperv><spinlocks state='on' retries='8191'/></hyperv> (Windows)"),
        Change(Where.QEMU, "-cpu …,hv-spinlocks=0x1fff (Windows)"),
    )
    return Advice(
        title="vCPUs spin on a lock whose holder is not running",
        changes=(
            Change(
                Where.HOST,
                "give all guests together fewer vCPUs than the host has CPUs, or pin them "
                "(<cputune>)",
            ),
            *(spinlocks if missing else ()),
            Change(
                Where.GUEST, "Linux: kvm-pv-unhalt (paravirtual spinlocks) must not be turned off"
            ),
        ),
        expect="The exits are a symptom: they end when the lock holder gets a CPU.",
        confidence=Confidence.HIGH if cpus and vcpus > cpus else Confidence.MEDIUM,
        because="more vCPUs than CPUs"
        if cpus and vcpus > cpus
        else "other guests, or a contended lock, cause the same exits",
        context=(*said, *hyperv.state(evidence.configuration, "spinlocks")),
    )


RULE = Rule(
    name="pause",
    looks_for="PAUSE-loop exits (PLE)",
    select=select,
    per_s=PER_S,
    because="a running vCPU releases its lock before the CPU's window ends",
    why="The CPU stops a guest that spins for longer than a lock is held, so that the holder's "
    "vCPU can run. It means that the holder waits for a CPU: the host is overcommitted.",
    advise=advise,
    remedy="Fewer vCPUs, pinning, paravirtual spinlocks.",
    limits="A loop that polls on purpose (DPDK, idle=poll) exits the same way.",
    references=(
        *hyperv.REFERENCES,
        "QEMU docs/system/i386/kvm-pv",
        "Linux arch/x86/kvm: module parameters ple_gap, ple_window",
    ),
)
