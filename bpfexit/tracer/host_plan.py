"""What to load on this host: its back end, its record layouts, its types and its reasons."""

from pathlib import Path

from bpfexit.errors import BpfexitError, UsageError
from bpfexit.host import btf, kernel, kvm, tracefs
from bpfexit.host.check import Check, Status
from bpfexit.host.kvm import Backend
from bpfexit.host.preflight import Ready
from bpfexit.model.filter import Filter
from bpfexit.model.slow import Threshold
from bpfexit.names.reasons import IDLE, Reasons
from bpfexit.tracer import choices
from bpfexit.tracer import plan as programs
from bpfexit.tracer.exit_fields import VCPU_ID, ExitFields, exit_fields, from_record, with_events

RIP_NEEDED = "single slow exits have their instruction pointer, which the record has"
TYPED_TASK = (5, 11)
"""The release of bpf_get_current_task_btf(), through which a program just reads its task."""


def host_plan(
    backend: Backend,
    tracefs_root: Path,
    max_rows: int,
    max_vcpus: int,
    wanted: Filter,
    *,
    with_rip: bool = False,
) -> programs.Plan:
    """Plan for this kernel, whose record layouts and types it reads. Raises `BpfexitError`.

    `with_rip` says that the programs need the guest's instruction pointer.
    """
    views = programs.chosen_views(wanted.kinds)
    types = btf.types_of(backend.module if backend.has_exit_events else "kvm")
    preempted = kernel.preempts_raw_tracepoints()
    if backend.has_exit_events:
        fields = (
            from_record(RIP_NEEDED)
            if with_rip
            else _fields_of_exits(backend, types, tracefs_root, wanted)
        )
        names = programs.exit_record_fields(views, fields)
        records = {event: _record(tracefs_root, event) for event in names}
        plan = programs.plan_with_exits(records, fields, preempted, max_rows, max_vcpus, views)
        if kvm.emulates_real_mode():
            plan = programs.with_real_mode(plan, records, types.offset(*VCPU_ID))
    else:
        events = programs.access_record_fields(views)
        records = {event: _record(tracefs_root, event) for event in events}
        plan = programs.plan_without_exits(
            records, _vcpu_id_offset(types), preempted, max_rows, max_vcpus, views
        )
    plan.macros.update(process_macros(types) | waiting_macros(types))
    return plan


def _fields_of_exits(
    backend: Backend, types: btf.Types, tracefs_root: Path, wanted: Filter
) -> ExitFields:
    """Return how this kernel's exits are read."""
    fields = exit_fields(backend.isa, kernel.release(), types)
    for event in fields.events:
        if tracefs.event_format(tracefs_root, f"kvm:{event}") is None:
            return from_record(f"this kernel has no event kvm:{event}")
    if kvm.runs_sev_es():
        return with_events(fields, fields.carried)
    return with_events(fields, {"kvm_pio"}) if wanted.exact_io else fields


def exit_check(ready: Ready) -> Check:
    """Check in which way `kvm_exit` is attached, and why."""
    types = btf.types_of(ready.backend.module)
    fields = _fields_of_exits(ready.backend, types, ready.tracefs, Filter())
    way = "classic, at twice the cost" if fields.classic else "raw"
    return Check("kvm_exit program", Status.OK, f"{way}: {fields.reason}")


def _vcpu_id_offset(types: btf.Types) -> int:
    offset = types.offset(*VCPU_ID)
    if offset is None:
        raise BpfexitError("the kernel's BTF has no struct kvm_vcpu, by which vCPUs are numbered")
    return offset


def process_macros(types: btf.Types) -> dict[str, str]:
    """Return the macros by which the programs read when a process began; none without BTF."""
    names = ("group_leader", "start_boottime")
    offsets = {name: types.offset(("task_struct", name)) for name in names}
    if None in offsets.values():
        return {}
    return {f"{name}_OFFSET".upper(): str(offset) for name, offset in offsets.items()}


def waiting_macros(types: btf.Types) -> dict[str, str]:
    """Return the macro by which the programs read how long a thread has waited for a CPU."""
    offset = types.offset(("task_struct", "sched_info"), ("sched_info", "run_delay"))
    if offset is None or kernel.release() < TYPED_TASK:
        return {}
    return {"RUN_DELAY_OFFSET": str(offset)}


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
    return choices.reason_macro(backend.isa, codes)


def choice_macros(
    backend: Backend, reasons: Reasons, wanted: Filter, threshold: Threshold | None
) -> dict[str, str]:
    """Return the macros for what is counted and reported at all. Raises `UsageError`."""
    macros = choices.traced_macro(wanted.pids, wanted.vcpus)
    macros |= reason_filter(backend, reasons, wanted.reasons)
    if threshold:
        idle = [code for name in IDLE for code in reasons.codes(backend.isa, name)]
        macros |= choices.slow_macros(threshold, backend.isa, idle)
    return macros
