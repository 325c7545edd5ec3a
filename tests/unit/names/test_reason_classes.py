"""Each reason that the kernel names is of one class; VMX and SVM agree."""

import pytest

from bpfexit.names import reason_tables
from bpfexit.names.reason_classes import _CLASS_OF, CLASSES, reason_class
from bpfexit.names.reasons import IDLE

OF_PVM = {"HYPERCALL", "INTERRUPT"}
"""As the tree of PVM names them, of which there is no table here."""

NAMES = {*reason_tables.VMX.values(), *reason_tables.SVM.values(), *OF_PVM}


@pytest.mark.parametrize(
    ("vmx", "svm", "name"),
    [
        ("IO_INSTRUCTION", "io", "io"),
        ("MSR_WRITE", "msr", "msr"),
        ("CPUID", "cpuid", "cpuid"),
        ("HLT", "hlt", "halt"),
        ("EXTERNAL_INTERRUPT", "interrupt", "interrupt"),
        ("EPT_VIOLATION", "npf", "fault"),
        ("EXCEPTION_NMI", "PF excp", "fault"),
        ("VMCALL", "hypercall", "hypercall"),
        ("PAUSE_INSTRUCTION", "pause", "pause"),
        ("VMRESUME", "vmrun", "nested"),
        ("WBINVD", "wbinvd", "other"),
    ],
)
def test_vmx_and_svm_agree(vmx: str, svm: str, name: str) -> None:
    assert (reason_class(vmx), reason_class(svm)) == (name, name)


@pytest.mark.parametrize("reason", ["EPT_VIOLATION", "EPT_MISCONFIG", "npf"])
def test_a_fault_that_accesses_mmio_is_mmio(reason: str) -> None:
    assert reason_class(reason, "mmio") == "mmio"
    assert reason_class(reason, "none") == "fault"


def test_an_unknown_reason_is_other() -> None:
    assert reason_class("unknown_0x1234") == "other"


def test_the_table_names_what_the_kernel_does() -> None:
    assert set(_CLASS_OF) <= NAMES
    assert {reason_class(name) for name in NAMES} == set(CLASSES)
    assert {reason_class(name) for name in IDLE} == {"halt"}
