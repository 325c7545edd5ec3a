"""Short idle times: wake-ups that cost more than the sleep saves."""

from math import isnan

from bpfexit.advice import coverage, cpu_pm, kernel, remedies, vmm
from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Change, Confidence, Takes, Where
from bpfexit.advice.rule import Rule
from bpfexit.model import numbers

MIN_RATE = 2000.0
PARAMETER = "kvm.halt_poll_ns"


def select(evidence: Evidence) -> Mask:
    """Return the exits for HLT."""
    return evidence.idle


def advise(evidence: Evidence, exits: Exits) -> Advice:
    """Distinguish a host that polls during the whole idle time from one that sleeps too soon."""
    del exits
    polls_ns = evidence.facts.number(PARAMETER)
    mean = evidence.halts.mean_ns
    part = numbers.share(coverage.busiest(evidence.halts).cost / 1e9)
    idle = f"the mean idle time is {numbers.duration(mean)}, {part}% of a vCPU's time in all"
    context = () if isnan(mean) else (idle,)
    if polls_ns is not None:
        context = (*context, f"{PARAMETER} is {polls_ns} on this host")
    if polls_ns and mean <= polls_ns:
        return _polled(evidence, context)
    takes = _takes(evidence)
    sleeps = (remedies.parameter(PARAMETER, "200000", takes=takes),) if polls_ns == 0 else ()
    return Advice(
        title="Very frequent HLT exits",
        changes=(*sleeps, *_haltpoll(evidence), *cpu_pm.turning_on(evidence)),
        expect="Wake-ups without a context switch on the host: some µs less latency each.",
        confidence=Confidence.MEDIUM,
        rationale="the cost of a wake-up is not in these numbers: the time of HLT is idle time",
        context=(*context, *_governor(evidence)),
    )


def _polled(evidence: Evidence, context: tuple[str, ...]) -> Advice:
    less = Change(
        Where.HOST,
        f"a lower {PARAMETER} (/sys/module/kvm/parameters/), if CPU time matters more than latency",
        _takes(evidence),
        "options kvm halt_poll_ns=N in /etc/modprobe.d/kvm.conf",
    )
    wakes = remedies.in_guest(
        "find what wakes the guest: timers, interrupts, threads that wake each other"
    )
    return Advice(
        title="The host polls through the guest's short idle times",
        changes=(*_haltpoll(evidence), less, wakes),
        expect="Polling in the guest saves the exits; without polling, an idle guest takes less "
        "host CPU time and wakes up more slowly.",
        confidence=Confidence.MEDIUM,
        rationale="the mean idle time is shorter than the polling limit, so the host's CPU is busy "
        "for most of the guest's idle time; `bpfexit top --by vcpu,halt` measures it",
        context=context,
    )


def _takes(evidence: Evidence) -> Takes:
    """Return what a new limit takes: from Linux 5.8 to 6.0 a guest keeps that of its start."""
    keeps = kernel.linux_since(evidence, 5, 8) and not kernel.linux_since(evidence, 6, 1)
    return Takes.GUEST_START if keeps else Takes.AT_ONCE


def _haltpoll(evidence: Evidence) -> tuple[Change, ...]:
    """Return cpuidle-haltpoll and the hint without which it loads only with `force=1`."""
    hinted = evidence.configuration.cpu_says("kvm-hint-dedicated")
    load = Change(
        Where.GUEST,
        "Linux: modprobe cpuidle_haltpoll" + ("" if hinted else " force=1"),
        Takes.AT_ONCE,
        since=f"Linux {'5.4' if hinted else '5.7'} in the guest",
    )
    hint = vmm.setting(
        evidence.guest,
        libvirt="<features><kvm><hint-dedicated state='on'/></kvm></features>, instead of force=1, "
        "if each vCPU has its own CPU",
        qemu="-cpu …,kvm-hint-dedicated=on, instead of force=1, if each vCPU has its own CPU",
        kubevirt="spec.template.spec.domain.cpu.dedicatedCpuPlacement: true",
        since="QEMU 2.12, libvirt 5.7",
    )
    return (load, *(() if hinted else hint))


def _governor(evidence: Evidence) -> tuple[str, ...]:
    governor = evidence.facts.settings.get("cpuidle.governor")
    return (f"the host's cpuidle governor is {governor}",) if governor else ()


RULE = Rule(
    name="halts",
    looks_for="very frequent HLT exits",
    select=select,
    min_rate=MIN_RATE,
    rationale="an idle guest with a 1000 Hz tick takes 1000",
    why="Each HLT gives up the CPU and each wake-up gets it back: an exit, a task switch and often "
    "an IPI. With short idle times that costs more than sleeping saves; or the host polls instead, "
    "which takes its CPU.",
    advise=advise,
    remedy="Halt polling (host or guest), or the CPU's own idle states for a dedicated guest.",
    limits="The cost of a wake-up on the host is not measured.",
    references=(
        "https://docs.kernel.org/virt/kvm/halt-polling.html",
        "https://docs.kernel.org/virt/guest-halt-polling.html",
        "https://www.qemu.org/docs/master/system/invocation.html",
    ),
)
