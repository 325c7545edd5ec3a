"""How the programs read the fields of an exit.

A raw `kvm_exit` costs half of a classic one, but its only argument is the vCPU: the programs then
read the reason where the vendor module keeps it. The kernel's types tell where that is; without
them, the program is classic.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from bpfexit.host.btf import Types
from bpfexit.names.reasons import Isa

RAW_ARGUMENTS = (5, 16)
"""The release from which `kvm_exit` is given (vcpu, isa) on. The module's types are older."""

VCPU_ID = (("kvm_vcpu", "vcpu_id"),)
_VMCB_CODE = (("vmcb_control_area", "exit_code"),)
_VMCB_INFO = (("vmcb_control_area", "exit_info_1"),)
_RCX_PLACE = 1
"""RCX comes second in `kvm_vcpu_arch.regs`: enum kvm_reg, as the hardware numbers registers."""


@dataclass(frozen=True)
class ExitFields:
    """The method in use.

    `header` is the file that contains it, `programs` are files with further programs, for `events`.
    `carried` are events that need no program, because an exit itself has what they carry. `reason`
    explains the choice to a person.
    """

    header: str
    reason: str
    offsets: Mapping[str, int] = field(default_factory=dict)
    carried: frozenset[str] = frozenset()
    programs: tuple[str, ...] = ()
    events: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def flags(self) -> dict[str, str]:
        """Macros for the fields that are read from the exit: PIO_FROM_EXIT and the like."""
        return {f"{event.removeprefix('kvm_')}_from_exit".upper(): "1" for event in self.carried}

    @property
    def classic(self) -> bool:
        """Whether `kvm_exit` is attached as a classic tracepoint."""
        return not self.offsets


def from_record(reason: str) -> ExitFields:
    """Return the method that works on every kernel."""
    return ExitFields("backends/exit_record.h", reason)


def exit_fields(isa: Isa, release: tuple[int, int], types: Types) -> ExitFields:
    """Return the cheapest method on this kernel; `types` are those of the vendor module."""
    if release < RAW_ARGUMENTS:
        return from_record("before Linux 5.16 the raw event has no known arguments")
    if isa is Isa.PVM:
        return from_record("PVM keeps the reason in no place that is known")
    found = _from_vmcb(types) if isa is Isa.SVM else _from_vcpu(types)
    return found or from_record("the kernel's types (BTF) do not say where the reason is")


def with_events(fields: ExitFields, events: Collection[str]) -> ExitFields:
    """Return the same method with programs for some of the events that it avoids."""
    return replace(fields, carried=fields.carried - set(events))


def _from_vmcb(types: Types) -> ExitFields | None:
    offsets = {
        "VCPU_ID": types.offset(*VCPU_ID),
        "SVM_VMCB": types.offset(("vcpu_svm", "vmcb")),
        "SVM_VMCB01": types.offset(("vcpu_svm", "vmcb01"), ("kvm_vmcb_info", "ptr")),
        "EXIT_CODE": types.offset(*_VMCB_CODE),
        "RCX": types.offset(("kvm_vcpu", "arch"), ("kvm_vcpu_arch", "regs")),
    }
    known = _all_known(offsets)
    info = types.offset(*_VMCB_INFO)
    if not known or types.offset(("vcpu_svm", "vcpu")) != 0 or info != known["EXIT_CODE"] + 8:
        return None
    known["RCX"] += 8 * _RCX_PLACE
    return ExitFields(
        "backends/exit_vmcb.h",
        "the reason is read from the VMCB",
        known,
        carried=frozenset({"kvm_pio", "kvm_msr"}),
        programs=("backends/vmcb_changes.c",),
        events={
            "kvm_write_tsc_offset": (),
            "kvm_nested_vmexit": ("exit_reason", "info1"),
            "kvm_nested_vmexit_inject": ("exit_code", "exit_info1"),
        },
    )


def _from_vcpu(types: Types) -> ExitFields | None:
    reason = types.offset(("vcpu_vmx", "exit_reason"))
    if reason is None:  # since Linux 6.15 in the part that TDX shares
        reason = types.offset(("vcpu_vmx", "vt"), ("vcpu_vt", "exit_reason"))
    known = _all_known({"VCPU_ID": types.offset(*VCPU_ID), "VMX_EXIT_REASON": reason})
    if not known or types.offset(("vcpu_vmx", "vcpu")) != 0:
        return None
    return ExitFields("backends/exit_vmx.h", "the reason is read from struct vcpu_vmx", known)


def _all_known(offsets: Mapping[str, int | None]) -> dict[str, int]:
    """Return the offsets; none if one of them is missing."""
    known = {name: offset for name, offset in offsets.items() if offset is not None}
    return known if len(known) == len(offsets) else {}
