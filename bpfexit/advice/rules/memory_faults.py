"""Pages that are faulted in, or write-protected."""

from bpfexit.advice.apic_page import FAULTS, FAULTS_PER_S, first_exits
from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Change, Confidence, Where
from bpfexit.advice.rule import Rule
from bpfexit.events.kind import NO_KIND

DIRTY_LOG = ("PML_FULL",)


def select(evidence: Evidence) -> Mask:
    """Return nested page faults that are no MMIO access, and full logs of dirty pages."""
    faults = evidence.reason(*FAULTS) & evidence.kind(NO_KIND)
    return faults & ~first_exits(evidence) | evidence.reason(*DIRTY_LOG)


def advise(evidence: Evidence, exits: Exits) -> Advice:
    """Tell a migration from memory that is touched first."""
    del exits
    if evidence.take(evidence.reason(*DIRTY_LOG)).count:
        return Advice(
            title="The guest's writes are logged: a migration or a backup is on",
            changes=(
                Change(Where.HOST, "wait for its end; `virsh domjobinfo` shows how far it is"),
            ),
            expect="The exits end with the migration.",
            confidence=Confidence.HIGH,
            because="the CPU's log of dirty pages fills up, which is on only then",
        )
    thp = evidence.facts.hugepages
    always = Change(Where.HOST, "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled")
    return Advice(
        title="The guest's memory is being faulted in",
        changes=(
            *((always,) if thp == "never" else ()),
            Change(
                Where.LIBVIRT,
                "<memoryBacking><hugepages/><allocation mode='immediate'/></memoryBacking>",
            ),
            Change(Where.QEMU, "-mem-path /dev/hugepages -mem-prealloc"),
        ),
        expect="512 times fewer faults with huge pages; none later with memory given at start.",
        confidence=Confidence.MEDIUM,
        because="first touch, a balloon, KSM and swapped memory look the same from here",
        context=(f"transparent huge pages: {thp}",) if thp else (),
    )


RULE = Rule(
    name="memory-faults",
    looks_for="nested page faults (EPT violation, NPF) on memory",
    select=select,
    per_s=FAULTS_PER_S,
    because="a guest whose memory is there makes none, and 1000 are 4 MB a second",
    why="Memory that the host has not yet given, or has write-protected to see what changes, "
    "costs an exit for each page the guest touches.",
    advise=advise,
    remedy="Huge pages (QEMU asks for transparent ones: `madvise` is enough); memory given at "
    "start.",
    limits="A guest that has just started touches its memory for the first time: that passes. "
    "Whether its memory is of huge pages already is not known here. Linux 6.1 takes such an exit "
    "for a read of the local APIC's page, too; where their numbers agree, they are left to the "
    "rule local-apic.",
    references=(
        "Linux Documentation/admin-guide/mm/transhuge",
        "libvirt domain XML: memoryBacking",
        "QEMU invocation: -mem-path, -mem-prealloc",
    ),
)
