"""The types of KVM's modules, as far as offsets are taken from them, hand-made."""

from bpfexit.host.btf import Types
from tests.unit.btf import Builder

_KVM = {
    "task_struct": {"group_leader": 80, "start_boottime": 88, "sched_info": 96},
    "sched_info": {"run_delay": 8},
    "kvm_vcpu": {"vcpu_id": 48, "arch": 64},
    "kvm_vcpu_arch": {"regs": 0},
}
_SVM = {
    "vcpu_svm": {"vcpu": 0, "vmcb": 640, "vmcb01": 648},
    "kvm_vmcb_info": {"ptr": 0},
    "vmcb_control_area": {"exit_code": 112, "exit_info_1": 120},
}
VMX = {"vcpu_vmx": {"vcpu": 0, "exit_reason": 96}}
VMX_WITH_TDX = {"vcpu_vmx": {"vcpu": 0, "vt": 64}, "vcpu_vt": {"exit_reason": 32}}


def svm_types(**changes: dict[str, int]) -> Types:
    """Return those of kvm_amd, some structs changed or, without members, left out."""
    return types(_KVM | _SVM | changes)


def vmx_types(structs: dict[str, dict[str, int]]) -> Types:
    """Return those of kvm_intel."""
    return types(_KVM | structs)


def types(structs: dict[str, dict[str, int]]) -> Types:
    """Return types of structs by name, with the offsets of their members in bytes."""
    builder = Builder()
    for name, members in structs.items():
        if members:
            builder.structure(name, [(member, 8 * at) for member, at in members.items()])
    return Types([builder.blob()])
