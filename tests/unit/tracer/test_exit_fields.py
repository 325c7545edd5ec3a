"""Which way an exit's fields are read, by the kernel's release and types."""

import pytest

from bpfexit.host.btf import Types
from bpfexit.names.reasons import Isa
from bpfexit.tracer.exit_fields import exit_fields, with_events
from tests.unit.tracer.types_of_kvm import VMX, VMX_WITH_TDX, svm_types, vmx_types

NEW = (5, 16)


def test_svm_reads_the_vmcb() -> None:
    fields = exit_fields(Isa.SVM, NEW, svm_types())
    assert not fields.classic
    assert fields.offsets == {
        "VCPU_ID": 48,
        "SVM_VMCB": 640,
        "SVM_VMCB01": 648,
        "EXIT_CODE": 112,
        "RCX": 64 + 8,
    }
    assert fields.flags == {"PIO_FROM_EXIT": "1", "MSR_FROM_EXIT": "1"}


@pytest.mark.parametrize(("structs", "offset"), [(VMX, 96), (VMX_WITH_TDX, 96)])
def test_vmx_reads_what_kvm_keeps(structs: dict[str, dict[str, int]], offset: int) -> None:
    fields = exit_fields(Isa.VMX, NEW, vmx_types(structs))
    assert fields.offsets == {"VCPU_ID": 48, "VMX_EXIT_REASON": offset}
    assert not fields.carried


@pytest.mark.parametrize("isa", [Isa.SVM, Isa.VMX])
@pytest.mark.parametrize(("release", "types"), [((5, 15), None), (NEW, Types())])
def test_else_the_record_is_read(isa: Isa, release: tuple[int, int], types: Types | None) -> None:
    known = svm_types() if isa is Isa.SVM else vmx_types(VMX)
    fields = exit_fields(isa, release, known if types is None else types)
    assert fields.classic
    assert fields.header == "backends/exit_record.h"
    assert not fields.carried
    assert not fields.events


@pytest.mark.parametrize(
    "changes",
    [
        {"vmcb_control_area": {"exit_code": 112, "exit_info_1": 124}},  # not one behind the other
        {"vcpu_svm": {"vcpu": 8, "vmcb": 640, "vmcb01": 648}},  # kvm_exit's vCPU is not its start
        {"kvm_vmcb_info": {}},
        {"kvm_vcpu_arch": {}},
        {"kvm_vcpu": {"arch": 64}},
    ],
)
def test_types_that_are_not_as_expected_are_not_trusted(changes: dict[str, dict[str, int]]) -> None:
    assert exit_fields(Isa.SVM, NEW, svm_types(**changes)).classic


def test_events_that_get_programs_are_not_read_from_the_exit() -> None:
    fields = with_events(exit_fields(Isa.SVM, NEW, svm_types()), {"kvm_pio"})
    assert fields.carried == {"kvm_msr"}
    assert fields.flags == {"MSR_FROM_EXIT": "1"}
    record = exit_fields(Isa.SVM, (5, 10), Types())
    assert with_events(record, {"kvm_pio"}) == record
