"""What codes of page faults, vectors and returns to user space are called."""

import pytest

from bpfexit.events.registry import VIEWS
from bpfexit.model.address_names import address_name
from bpfexit.model.sample import KIND_MASK
from bpfexit.names.faults import describe_fault
from bpfexit.names.rips import OTHER
from bpfexit.names.userspace_exits import ERROR
from tests.unit import wire


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0x100000006, "write, user, page"),
        (0x100000004, "read, user, page"),
        (0x100000015, "protected, user, fetch, page"),
        (0x200000006, "write, user, page table"),
        (0x6, "write, user"),  # Linux 5.10 keeps 32 bits
        (0x181, "read, page"),
        (0x18A, "write, protected, page"),
        (0x82, "write, page table"),
    ],
)
def test_a_code_of_svm_or_vmx_is_told_in_words(code: int, words: str) -> None:
    assert describe_fault(code) == words


@pytest.mark.parametrize(
    ("kind", "target", "name"),
    [
        ("userspace", 2, "IO"),
        ("userspace", 10, "INTR (a signal)"),
        ("userspace", ERROR + 14, "error EFAULT"),
        ("userspace", 999, None),
        ("cpuid", 0x40000000, "hypervisor vendor"),
        ("hypercall", 5, "KICK_CPU"),
        ("hv_hypercall", 0x5C, "HvPostMessage"),
        ("xen_hypercall", 29, "sched_op"),
        ("apic", 0xB0, "EOI"),
        ("exception", 14, "#PF page fault"),
        ("interrupt", 0xEC, "local timer"),
        ("delivered", 0x30E, "exception #PF page fault"),
        ("delivered", 0x0EC, "interrupt 0xec"),
        ("delivered", 0x202, "NMI"),
        ("vmgexit", 0x78, "hlt"),
        ("rip", OTHER, "all others"),
        ("rip", 0x1000, None),
    ],
)
def test_targets_have_names(kind: str, target: int, name: str | None) -> None:
    (view,) = (each for each in VIEWS if each.kind.name == kind)
    found = address_name(view.kind, target)
    assert (found.marked if found else None) == name


def test_an_injected_vector_is_a_guess_as_the_guest_may_not_be_linux() -> None:
    (view,) = (each for each in VIEWS if each.kind.name == "injected")
    found = address_name(view.kind, 0xEC)
    assert found
    assert found.marked == "local timer?"


def test_kinds_have_a_number_each_and_the_constants_of_the_programs_are_these() -> None:
    numbers = [int(view.kind) for view in VIEWS]
    assert len(set(numbers)) == len(numbers)
    assert 0 < min(numbers) <= max(numbers) <= KIND_MASK
    assert wire.defines()["USERSPACE_ERROR"] == ERROR
    assert wire.defines()["OTHER_RIPS"] == OTHER
