"""The text of the BPF programs, put together for one back end and one filter."""

from dataclasses import dataclass
from pathlib import Path

from bpfexit.model.reasons import VMX_CODE_MASK, Isa

COMMON = ("wire.h", "maps.h", "vcpu.h", "rows.h")
WITH_EXITS = (*COMMON, "exits.c", "accesses.c", "userspace.c")
WITHOUT_EXITS = (*COMMON, "emulation.c", "accesses.c", "userspace.c")

RAW_WITH_EXITS = (
    "kvm_pio",
    "kvm_mmio",
    "kvm_fast_mmio",
    "kvm_msr",
    "kvm_userspace_exit",
    "kvm_fpu",
    "kvm_entry",
)
"""Raw tracepoints, in the order in which they are attached; `kvm_exit` comes last.

An exit is only noticed by the program that begins it, so whatever is seen of an
exit is seen whole: nothing is left unpaired by attaching.
"""
RAW_WITHOUT_EXITS = (*RAW_WITH_EXITS[:-1], "kvm_emulate_insn")


@dataclass(frozen=True)
class Plan:
    """What to load: source files, macros for the compiler, raw tracepoints in order."""

    files: tuple[str, ...]
    macros: dict[str, str]
    raw: tuple[str, ...]
    classic: tuple[str, ...]


def folder() -> Path:
    """Return where the programs lie: in the installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "bpf_programs"
    return installed if installed.is_dir() else package.parent / "bpf_programs"


def text(files: tuple[str, ...]) -> str:
    """Return the files as one text; BCC rewrites only what it compiles as the main file."""
    return "".join(f'#line 1 "{name}"\n{(folder() / name).read_text()}' for name in files)


def plan_with_exits(record: dict[str, int], max_rows: int, max_vcpus: int) -> Plan:
    """Plan for VMX and SVM; `record` has the offsets of the fields of `kvm_exit`."""
    macros = {
        "EXIT_REASON_OFFSET": str(record["exit_reason"]),
        "VCPU_ID_OFFSET": str(record["vcpu_id"]),
        "ISA_OFFSET": str(record["isa"]),
        **_sizes(max_rows, max_vcpus),
    }
    return Plan(WITH_EXITS, macros, RAW_WITH_EXITS, ("kvm_exit",))


def plan_without_exits(vcpu_id_offset: int, max_rows: int, max_vcpus: int) -> Plan:
    """Plan for a back end that emits no `kvm_exit`; the offset is that in struct kvm_vcpu."""
    macros = {"VCPU_ID_OFFSET": str(vcpu_id_offset), **_sizes(max_rows, max_vcpus)}
    return Plan(WITHOUT_EXITS, macros, RAW_WITHOUT_EXITS, ())


def watched_macro(pids: tuple[int, ...], vcpus: tuple[int, ...]) -> dict[str, str]:
    """Return the macro by which the programs choose vCPUs, when they are first seen."""
    tests = [_any_of("(pid)", pids)] if pids else []
    tests += [_any_of("(vcpu_id)", vcpus)] if vcpus else []
    return {"WATCHED(pid,vcpu_id)": "&&".join(tests)} if tests else {}


def reason_macro(isa: Isa, codes: list[int]) -> dict[str, str]:
    """Return the macro by which the programs choose exits; a VMX code has 16 bits."""
    if not codes:
        return {}
    value = f"((r)&{VMX_CODE_MASK})" if isa is Isa.VMX else "(r)"
    return {"REASON_WATCHED(r)": _any_of(value, tuple(codes))}


def _sizes(max_rows: int, max_vcpus: int) -> dict[str, str]:
    return {"MAX_ROWS": str(max_rows), "MAX_VCPUS": str(max_vcpus)}


def _any_of(value: str, numbers: tuple[int, ...]) -> str:
    return "(" + "||".join(f"{value}=={number}u" for number in numbers) + ")"
