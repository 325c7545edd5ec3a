"""RDTSC and RDTSCP, which leave the guest."""

from bpfexit.advice import remedies, vmm
from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Candidate, Confidence
from bpfexit.advice.rule import Rule

REASONS = ("RDTSC", "RDTSCP", "rdtsc", "rdtscp")
PER_S = 2000.0


def select(evidence: Evidence) -> Mask:
    """Return the exits for them."""
    return evidence.reason(*REASONS)


def advise(evidence: Evidence, exits: Exits) -> Advice:
    """Name what makes KVM intercept them."""
    del exits
    return Advice(
        title="Reading the TSC leaves the guest",
        changes=(
            remedies.in_guest("let programs read the system clock, not the TSC, in loops"),
            *vmm.setting(
                evidence.guest,
                libvirt="<clock><timer name='tsc' mode='native'/></clock>; no frequency= of "
                "another host",
                qemu="-cpu …,+invtsc without tsc-frequency= of another host",
            ),
        ),
        expect="The TSC is read without an exit.",
        confidence=Confidence.LOW,
        because="KVM intercepts these instructions only for a reason",
        candidates=(
            Candidate(
                "the guest was moved from a host with another TSC frequency, and the CPU cannot "
                "scale it",
                "tsc_scaling among the `vmx flags`, tscratemsr among the flags in /proc/cpuinfo",
            ),
            Candidate(
                "a module or patch that hides the hypervisor from timing checks",
                "whether the host's kvm module is a patched one",
            ),
            Candidate("an inner hypervisor asks for it", "whether the guest runs guests itself"),
        ),
    )


RULE = Rule(
    name="rdtsc",
    looks_for="RDTSC and RDTSCP instructions that exit",
    select=select,
    per_s=PER_S,
    because="KVM lets guests read the TSC by themselves; any are unusual",
    why="KVM offsets and scales the TSC by hardware, so reading it needs no exit. Where it does, "
    "every timestamp of the guest costs a microsecond instead of nanoseconds.",
    advise=advise,
    remedy="A host whose CPU scales the TSC; no tsc-frequency of another host; an unpatched KVM.",
    limits="Why KVM intercepts them is not recorded.",
    references=(
        "https://docs.kernel.org/virt/kvm/x86/timekeeping.html",
        "https://libvirt.org/formatdomain.html#time-keeping",
    ),
)
