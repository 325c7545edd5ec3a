"""The text of the BPF programs, put together for one back end and one filter."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpfexit.events.kind import Kind
from bpfexit.events.registry import VIEWS
from bpfexit.events.view import View
from bpfexit.model.slow import Threshold
from bpfexit.names.reasons import VMX_CODE_MASK, Isa

_BEFORE_BACKEND = ("wire.h", "maps.h", "vcpu.h", "rows.h", "slow.h")
_WITH_EXITS = (*_BEFORE_BACKEND, "backends/exits.c", "accesses.h")
_WITHOUT_EXITS = (*_BEFORE_BACKEND, "backends/vcpu_id.h", "backends/emulation.c", "accesses.h")
_AFTER_EVENTS = ("userspace.c", "threads.c")
REAL_MODE = ("backends/vcpu_id.h", "backends/real_mode.c")

DEFAULT_VIEWS = tuple(view for view in VIEWS if view.is_default)

_EXIT_FIELDS = {
    "kvm_exit": ("exit_reason", "vcpu_id", "isa", "guest_rip"),
    "kvm_entry": ("vcpu_id",),
}
_USER_SPACE_FIELDS = {"kvm_userspace_exit": ("reason", "errno"), "kvm_fpu": ("load",)}


def chosen_views(kinds: Sequence[Kind] = ()) -> tuple[View, ...]:
    """Return the views that are attached: those by default, and those of these kinds."""
    return tuple(view for view in VIEWS if view.is_default or view.kind in kinds)


def record_fields(views: Sequence[View] = DEFAULT_VIEWS) -> dict[str, tuple[str, ...]]:
    """Return what is read of an event's record, where its program is attached the classic way."""
    points = (point for view in views for point in view.tracepoints)
    return _EXIT_FIELDS | {point.event: point.fields for point in points} | _USER_SPACE_FIELDS


def within_an_exit(views: Sequence[View] = DEFAULT_VIEWS) -> tuple[str, ...]:
    """Return the events between an exit and its entry. The kernel may be preempted there."""
    return tuple(event for event in record_fields(views) if event not in _EXIT_FIELDS)


SLOW_PAGES = 256
"""Size of the ring buffer for slow exits: 1 MiB, room for some 13,000 between two readings."""

Records = Mapping[str, Mapping[str, int]]
"""Offsets in bytes of the fields of an event's record, by event and field."""


@dataclass(frozen=True)
class Attachment:
    """A program and how it is attached: raw, or classic at four times the price."""

    event: str
    classic: bool
    group: str = "kvm"

    @property
    def full_name(self) -> str:
        """The event's name with its group, as the kernel writes it."""
        return f"{self.group}:{self.event}"


@dataclass(frozen=True)
class Plan:
    """What to load: source files, macros for the compiler, programs in the order of attaching.

    The program that notices a vCPU comes last, and only it begins an exit: what
    is seen of an exit is seen whole, and attaching leaves nothing unpaired. The
    end of threads comes first: of a vCPU that is noticed, the end is. `detaching`
    is the order at the end: what counts goes first, so that whatever is counted
    has its time, and the end of threads last.
    """

    files: tuple[str, ...]
    macros: dict[str, str]
    attachments: tuple[Attachment, ...]
    detaching: tuple[Attachment, ...]


INSTRUCTION = np.dtype([("code", "u1"), ("registers", "u1"), ("offset", "i2"), ("value", "i4")])
_LOAD_ADDRESS = 0x18
_PSEUDO_MAP_VALUE = 2

SLOT_HINTS_BYTES = 2 << 16
"""Size of `slot_hints` in struct vcpus: 2^SLOT_HINT_BITS slots of 16 bits."""


def point_at_value(instructions: NDArray[Any], fd: int) -> None:
    """Complete the instructions that load the address of a map's only value: it is this map's.

    Such an instruction names the map by its descriptor, and BCC puts that only
    where a map itself is meant.
    """
    loads = instructions["code"] == _LOAD_ADDRESS
    of_value = instructions["registers"] >> 4 == _PSEUDO_MAP_VALUE
    instructions["value"][loads & of_value] = fd


def folder() -> Path:
    """Return where the programs lie: in the installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "bpf_programs"
    return installed if installed.is_dir() else package.parent / "bpf_programs"


def text(files: tuple[str, ...]) -> str:
    """Return the files as one text; BCC rewrites only what it compiles as the main file."""
    return "".join(f'#line 1 "{name}"\n{(folder() / name).read_text()}' for name in files)


def plan_with_exits(
    records: Records,
    preempted: bool,
    max_rows: int,
    max_vcpus: int,
    views: Sequence[View] = DEFAULT_VIEWS,
) -> Plan:
    """Plan for VMX and SVM.

    `preempted` says that raw programs may be. It spares `kvm_entry`, which
    fires with interrupts off.
    """
    attachments = (
        *_before_an_exit(preempted, views),
        Attachment("kvm_entry", classic=False),
        Attachment("kvm_exit", classic=True),
    )
    macros = _macros(records, attachments) | _kinds(views) | _sizes(max_rows, max_vcpus)
    # Without kvm_exit, no access is counted.
    return Plan(_files(_WITH_EXITS, views), macros, attachments, attachments[::-1])


def with_real_mode(plan: Plan, records: Records, vcpu_id_offset: int | None) -> Plan:
    """Add what notices a vCPU before its first exit, as KVM emulates its real mode without one.

    The offset is that in struct kvm_vcpu. Where it is not known, `kvm_entry` gives the
    number: Linux 5.10 has no types of modules, but fires it before it emulates, too.
    """
    if vcpu_id_offset is None:
        return _noticing_entries(plan, records)
    begin = Attachment("kvm_emulate_insn", classic=False)
    return Plan(
        (*plan.files, *REAL_MODE),
        plan.macros | {"VCPU_ID_OFFSET": str(vcpu_id_offset)},
        (*plan.attachments, begin),
        (begin, *plan.detaching),
    )


def _noticing_entries(plan: Plan, records: Records) -> Plan:
    attachments = tuple(
        replace(each, classic=True) if each.event == "kvm_entry" else each
        for each in plan.attachments
    )
    macros = plan.macros | _macros(records, attachments)
    return Plan(plan.files, macros, attachments, attachments[::-1])


def plan_without_exits(
    records: Records,
    vcpu_id_offset: int,
    preempted: bool,
    max_rows: int,
    max_vcpus: int,
    views: Sequence[View] = DEFAULT_VIEWS,
) -> Plan:
    """Plan for a back end that emits no `kvm_exit`; the offset is that in struct kvm_vcpu."""
    begin = Attachment("kvm_emulate_insn", classic=False)
    attachments = (*_before_an_exit(preempted, views), begin)
    macros = _macros(records, attachments) | _kinds(views) | _sizes(max_rows, max_vcpus)
    macros["VCPU_ID_OFFSET"] = str(vcpu_id_offset)
    # An access of a vCPU that is known is counted without kvm_emulate_insn, too.
    detaching = (*attachments[1:], attachments[0])
    return Plan(_files(_WITHOUT_EXITS, views), macros, attachments, detaching)


def _before_an_exit(classic: bool, views: Sequence[View]) -> tuple[Attachment, ...]:
    end = Attachment("sched_process_exit", classic, "sched")
    return (end, *(Attachment(event, classic) for event in within_an_exit(views)))


def _files(before: tuple[str, ...], views: Sequence[View]) -> tuple[str, ...]:
    return (*before, *(view.source for view in views), *_AFTER_EVENTS)


def _kinds(views: Sequence[View]) -> dict[str, str]:
    """Return `KIND_PIO` and the like."""
    return {f"KIND_{view.kind.name.upper()}": str(int(view.kind)) for view in views}


def _macros(records: Records, attachments: tuple[Attachment, ...]) -> dict[str, str]:
    """Return `PIO_PORT_OFFSET` and the like, for the records that are read."""
    fields = record_fields(VIEWS)
    classic = [each.event for each in attachments if each.classic and each.event in fields]
    offsets = {
        f"{event.removeprefix('kvm_')}_{field}_offset".upper(): str(records[event][field])
        for event in classic
        for field in fields[event]
    }
    return offsets | ({"CLASSIC_ACCESSES": "1"} if "kvm_pio" in classic else {})


def traced_macro(pids: tuple[int, ...], vcpus: tuple[int, ...]) -> dict[str, str]:
    """Return the macro by which the programs choose vCPUs, when they are first seen."""
    tests = [_any_of("(pid)", pids)] if pids else []
    tests += [_any_of("(vcpu_id)", vcpus)] if vcpus else []
    return {"TRACED(pid,vcpu_id)": "&&".join(tests)} if tests else {}


def reason_macro(isa: Isa, codes: list[int]) -> dict[str, str]:
    """Return the macro by which the programs choose exits."""
    return {"REASON_TRACED(r)": _any_of(_code_of(isa), tuple(codes))} if codes else {}


def slow_macros(threshold: Threshold, isa: Isa, idle_codes: list[int]) -> dict[str, str]:
    """Return the macros by which single slow exits are told of; never those of idle time."""
    macros = {
        "SLOW_NS": f"{threshold.than_ns}ULL",
        "SLOW_RATE": str(threshold.rate),
        "SLOW_PAGES": str(SLOW_PAGES),
    }
    if idle_codes:
        macros["SLOW_IDLE(r)"] = _any_of(_code_of(isa), tuple(idle_codes))
    return macros


def _sizes(max_rows: int, max_vcpus: int) -> dict[str, str]:
    return {"MAX_ROWS": str(max_rows), "MAX_VCPUS": str(max_vcpus)}


def _code_of(isa: Isa) -> str:
    """Return C for the code in a reason `r`: VMX has flags above the 16 bits of the code."""
    return f"((r)&{VMX_CODE_MASK})" if isa is Isa.VMX else "(r)"


def _any_of(value: str, numbers: tuple[int, ...]) -> str:
    return "(" + "||".join(f"{value}=={number}u" for number in numbers) + ")"
