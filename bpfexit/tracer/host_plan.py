"""What to load on this host: its back end, its record layouts, its types and its reasons."""

from collections.abc import Sequence
from pathlib import Path

from bpfexit.errors import BpfexitError, UsageError
from bpfexit.events.kind import Kind
from bpfexit.events.view import View
from bpfexit.host import btf, kernel, kvm, tracefs
from bpfexit.host.kvm import Backend
from bpfexit.model.filter import Filter
from bpfexit.model.slow import Threshold
from bpfexit.names.reasons import IDLE, Reasons
from bpfexit.tracer import plan as programs


def host_plan(
    backend: Backend,
    tracefs_root: Path,
    max_rows: int,
    max_vcpus: int,
    kinds: Sequence[Kind] = (),
) -> programs.Plan:
    """Plan for this kernel, whose record layouts it reads. Raises `BpfexitError`."""
    views = programs.chosen_views(kinds)
    records = {event: _record(tracefs_root, event) for event in programs.record_fields(views)}
    preempted = kernel.preempts_raw_tracepoints()
    types = [blob for blob in map(btf.read, btf.paths()) if blob]
    plan = _plan(backend, types, records, preempted, max_rows, max_vcpus, views)
    plan.macros.update(process_macros(types))
    return plan


def _plan(
    backend: Backend,
    types: list[bytes],
    records: programs.Records,
    preempted: bool,
    max_rows: int,
    max_vcpus: int,
    views: Sequence[View],
) -> programs.Plan:
    if backend.has_exit_events:
        plan = programs.plan_with_exits(records, preempted, max_rows, max_vcpus, views)
        if kvm.emulates_real_mode():
            return programs.with_real_mode(plan, records, _vcpu_id_offset(types))
        return plan
    offset = _vcpu_id_offset(types)
    if offset is None:
        raise BpfexitError("the kernel's BTF has no struct kvm_vcpu, by which vCPUs are numbered")
    return programs.plan_without_exits(records, offset, preempted, max_rows, max_vcpus, views)


def _vcpu_id_offset(types: list[bytes]) -> int | None:
    return btf.member_offset(types, "kvm_vcpu", "vcpu_id")


def process_macros(types: list[bytes]) -> dict[str, str]:
    """Return the macros by which the programs read when a process began; none without BTF."""
    names = ("group_leader", "start_boottime")
    offsets = {name: btf.member_offset(types, "task_struct", name) for name in names}
    if None in offsets.values():
        return {}
    return {f"{name}_OFFSET".upper(): str(offset) for name, offset in offsets.items()}


def _record(tracefs_root: Path, event: str) -> dict[str, int]:
    text = tracefs.event_format(tracefs_root, f"kvm:{event}")
    if text is None:
        raise BpfexitError(f"this kernel has no event kvm:{event}: load the KVM module")
    return tracefs.field_offsets(text)


def reason_filter(backend: Backend, reasons: Reasons, names: tuple[str, ...]) -> dict[str, str]:
    """Return the macro by which only these reasons are counted. Raises `UsageError`."""
    if names and not backend.has_exit_events:
        raise UsageError(f"--reason: the back end {backend.module} gives no exit reasons")
    codes = []
    for name in names:
        found = reasons.codes(backend.isa, name)
        if not found:
            known = ", ".join(sorted(reasons.table(backend.isa).values()))
            raise UsageError(f"--reason {name!r} is none of this back end's: {known}")
        codes += found
    return programs.reason_macro(backend.isa, codes)


def choice_macros(
    backend: Backend, reasons: Reasons, wanted: Filter, threshold: Threshold | None
) -> dict[str, str]:
    """Return the macros for what is counted and reported at all. Raises `UsageError`."""
    macros = programs.traced_macro(wanted.pids, wanted.vcpus)
    macros |= reason_filter(backend, reasons, wanted.reasons)
    if threshold:
        idle = [code for name in IDLE for code in reasons.codes(backend.isa, name)]
        macros |= programs.slow_macros(threshold, backend.isa, idle)
    return macros
