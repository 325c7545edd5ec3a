"""What to load on this host: its back end, its record layouts, its types and its reasons."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from bpfexit.errors import BpfexitError, UsageError
from bpfexit.events.kind import Kind
from bpfexit.events.registry import VIEWS
from bpfexit.events.view import View
from bpfexit.events.vmgexit import VIEW as VMGEXIT_VIEW
from bpfexit.events.vmgexit import VMGEXIT
from bpfexit.host import btf, kernel, kvm, tracefs
from bpfexit.host.check import Check, Status
from bpfexit.host.kvm import Backend
from bpfexit.host.origin import origin_of as host_origin
from bpfexit.host.preflight import Ready
from bpfexit.model.filter import Filter
from bpfexit.model.slow import Threshold
from bpfexit.model.snapshot import Origin
from bpfexit.names.reasons import IDLE, Reasons
from bpfexit.suggest import unknown
from bpfexit.tracer import choices
from bpfexit.tracer import plan as programs
from bpfexit.tracer.exit_fields import VCPU_ID, ExitFields, exit_fields, from_record, with_events
from bpfexit.tracer.plan import kind_macro

RIP_NEEDED = "single slow exits have their instruction pointer, which the record has"
RUN_DELAY = "RUN_DELAY_OFFSET"
"""The macro by which the programs read how long a thread has waited for a CPU."""
TASK_STATES = ("__state", "state")
"""The member of struct task_struct that says whether a thread sleeps; the latter before 5.14."""
TYPED_TASK = (5, 11)
"""The first release with bpf_get_current_task_btf(): a program then just reads its task."""


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
    views = available_views(backend, tracefs_root, wanted.kinds)
    types = btf.types_of(backend.module if backend.has_exit_events else "kvm")
    preempted = kernel.preempts_raw_tracepoints()
    if backend.has_exit_events:
        fields = (
            from_record(RIP_NEEDED)
            if with_rip or any(view.from_exit for view in views)
            else _fields_of_exits(backend, types, tracefs_root, wanted)
        )
        names = programs.exit_record_fields(views, fields)
        records = {event: _record(tracefs_root, event, names[event]) for event in names}
        plan = programs.plan_with_exits(records, fields, preempted, max_rows, max_vcpus, views)
        if kvm.emulates_real_mode():
            plan = programs.with_real_mode(plan, records, types.offset(*VCPU_ID))
    else:
        events = programs.access_record_fields(views)
        records = {event: _record(tracefs_root, event, events[event]) for event in events}
        plan = programs.plan_without_exits(
            records, _vcpu_id_offset(types), preempted, max_rows, max_vcpus, views
        )
    plan.macros.update(process_macros(types) | waiting_macros(types))
    if wanted.blocked:
        plan = _with_blocked(plan, types)
    return programs.with_sets(plan, choices.traced_sets(wanted.pids, wanted.vcpus, wanted.tids))


def with_blocked(plan: programs.Plan, task_state_offset: int) -> programs.Plan:
    """Add the program that sees threads go to sleep; the offset is that in struct task_struct.

    It fires with interrupts off, so it is raw on any kernel: it runs at every switch of the host.
    """
    switches = programs.Attachment("sched_switch", classic=False, group="sched")
    ends, *others = plan.attachments
    *counting, last = plan.detaching
    return programs.Plan(
        (*plan.files, "blocked.c"),
        plan.macros | {"BLOCKED": "1", "TASK_STATE_OFFSET": str(task_state_offset)},
        (ends, switches, *others),
        (*counting, switches, last),
    )


def _with_blocked(plan: programs.Plan, types: btf.Types) -> programs.Plan:
    """Add what measures blocked time. Raises `BpfexitError` where waiting is not known."""
    states = (types.offset(("task_struct", name)) for name in TASK_STATES)
    state = next((offset for offset in states if offset is not None), None)
    if state is None or RUN_DELAY not in plan.macros:
        raise BpfexitError(
            "--blocked: this kernel does not report how long a thread waits for a CPU, which takes "
            "Linux 5.11 with BTF; leave this option out"
        )
    return with_blocked(plan, state)


def _fields_of_exits(
    backend: Backend, types: btf.Types, tracefs_root: Path, wanted: Filter
) -> ExitFields:
    """Return how exits are read on this kernel."""
    fields = exit_fields(backend.isa, kernel.release(), types)
    for event in fields.events:
        if tracefs.event_format(tracefs_root, f"kvm:{event}") is None:
            return from_record(f"this kernel has no event kvm:{event}")
    if kvm.runs_sev_es():
        return with_events(fields, fields.carried)
    return with_events(fields, {"kvm_pio"}) if wanted.exact_io else fields


def exit_check(ready: Ready) -> Check:
    """Check how `kvm_exit` is attached, and report why."""
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
    """Return the macros that read when a process began; none without BTF."""
    names = ("group_leader", "start_boottime")
    offsets = {name: types.offset(("task_struct", name)) for name in names}
    if None in offsets.values():
        return {}
    return {f"{name}_OFFSET".upper(): str(offset) for name, offset in offsets.items()}


def waiting_macros(types: btf.Types) -> dict[str, str]:
    """Return `RUN_DELAY`; nothing where the kernel does not give it."""
    offset = types.offset(("task_struct", "sched_info"), ("sched_info", "run_delay"))
    if offset is None or kernel.release() < TYPED_TASK:
        return {}
    return {RUN_DELAY: str(offset)}


def origin_of(backend: Backend, plan: programs.Plan) -> Origin:
    """Return the origin of what a plan for this host measures."""
    opt_in = (view.kind for view in VIEWS if not view.is_default)
    return replace(
        host_origin(backend),
        has_waiting=RUN_DELAY in plan.macros,
        has_blocked="BLOCKED" in plan.macros,
        views=tuple(kind.dimension for kind in opt_in if kind_macro(kind) in plan.macros),
    )


def _record(tracefs_root: Path, event: str, fields: Sequence[str]) -> dict[str, int]:
    """Return the offsets of an event's fields, and the sizes of these ones as `NAME_size`."""
    text = tracefs.event_format(tracefs_root, f"kvm:{event}")
    if text is None:
        raise BpfexitError(f"this kernel has no event kvm:{event}: load the KVM module")
    offsets, sizes = tracefs.field_offsets(text), tracefs.field_sizes(text)
    for field in fields:
        if name := _name_here(field, offsets):
            offsets[field] = offsets[name]
            offsets[f"{field}_size"] = sizes.get(name, 0)
    return offsets


def _name_here(field: str, offsets: Mapping[str, int]) -> str | None:
    """Return what this kernel calls a field, `a|b` being called either; None for neither."""
    return next((name for name in field.split("|") if name in offsets), None)


def available_views(
    backend: Backend, tracefs_root: Path, kinds: Sequence[Kind] = ()
) -> tuple[View, ...]:
    """Return the views that are attached. Raises `BpfexitError` for one that this host lacks.

    On a host that can run SEV-ES guests, what they ask for is always attached: no other guest
    raises it.
    """
    sev_es = [VMGEXIT] if kvm.runs_sev_es() and not _lacking(VMGEXIT_VIEW, tracefs_root) else []
    views = programs.chosen_views([*kinds, *sev_es])
    for view in views:
        if view.needs_exits and not backend.has_exit_events:
            raise BpfexitError(
                f"--by {view.kind.dimension}: the KVM back end {backend.module} has no kvm_exit "
                "event; leave this view out"
            )
        if not view.is_default and (missing := _lacking(view, tracefs_root)):
            raise BpfexitError(
                f"--by {view.kind.dimension}: this kernel has no {missing}; leave this view out"
            )
    return views


def _lacking(view: View, tracefs_root: Path) -> str:
    """Return the first event or field of an opt-in view that this kernel lacks."""
    needed = [(point.event, point.fields) for point in view.tracepoints]
    for event, fields in [*needed, *([("kvm_exit", view.from_exit)] if view.from_exit else [])]:
        text = tracefs.event_format(tracefs_root, f"kvm:{event}")
        if text is None:
            return f"event kvm:{event}"
        offsets = tracefs.field_offsets(text)
        for field in fields:
            if _name_here(field, offsets) is None:
                return f"field {field} in the event kvm:{event}"
    return ""


def reason_filter(backend: Backend, reasons: Reasons, names: tuple[str, ...]) -> dict[str, str]:
    """Return the macro that counts only these reasons. Raises `UsageError`."""
    if names and not backend.has_exit_events:
        raise UsageError(f"--reason: the back end {backend.module} gives no exit reasons")
    codes = []
    for name in names:
        reason_codes = reasons.codes(backend.isa, name)
        if not reason_codes:
            known = sorted(reasons.table(backend.isa).values())
            raise UsageError(unknown(f"exit reason of {backend.module}", name, known))
        codes += reason_codes
    return choices.reason_macro(backend.isa, codes)


def idle_codes(backend: Backend, reasons: Reasons) -> list[int]:
    """Return the codes of the reasons in which a guest is idle, in order."""
    return sorted({code for name in IDLE for code in reasons.codes(backend.isa, name)})


def choice_macros(
    backend: Backend, reasons: Reasons, wanted: Filter, threshold: Threshold | None
) -> dict[str, str]:
    """Return the macros that select what is counted and reported. Raises `UsageError`."""
    macros = reason_filter(backend, reasons, wanted.reasons)
    macros |= choices.idle_macro(backend.isa, idle_codes(backend, reasons))
    macros |= choices.guest_macro(wanted.guests)
    if threshold:
        macros |= choices.slow_macros(threshold)
    return macros
