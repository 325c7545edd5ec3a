"""The text of the BPF programs, put together for one back end and one filter."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from bpfexit.events.kind import Kind
from bpfexit.events.registry import VIEWS
from bpfexit.events.view import View
from bpfexit.tracer.exit_fields import ExitFields

_BEFORE_BACKEND = ("wire.h", "maps.h", "vcpu.h", "blocked.h", "rows.h", "slow.h")
_VCPU_ID = "backends/vcpu_id.h"
_WITHOUT_EXITS = (*_BEFORE_BACKEND, _VCPU_ID, "backends/emulation.c", "accesses.h")
_AFTER_EVENTS = ("userspace.c", "threads.c")
_REAL_MODE = "backends/real_mode.c"

Fields = dict[str, tuple[str, ...]]
"""Names of fields by event."""

DEFAULT_VIEWS = tuple(view for view in VIEWS if view.is_default)

_EXIT_FIELDS = {
    "kvm_exit": ("exit_reason", "vcpu_id", "isa", "guest_rip"),
    "kvm_entry": ("vcpu_id",),
}
_FPU_FIELDS = {"kvm_fpu": ("load",)}
_USER_SPACE_FIELDS = {"kvm_userspace_exit": ("reason", "errno")}
"""Traced on back ends without exits, where it carries the reason of a trip to user space."""


def chosen_views(kinds: Sequence[Kind] = ()) -> tuple[View, ...]:
    """Return the views that are attached: those by default, and those of these kinds."""
    return tuple(view for view in VIEWS if view.is_default or view.kind in kinds)


def exit_record_fields(views: Sequence[View], fields: ExitFields) -> Fields:
    """Return what is read of an event's record on VMX and SVM, should its program be classic."""
    return _exit_events(views) | _within_an_exit(views, fields) | dict(fields.events)


def access_record_fields(views: Sequence[View]) -> Fields:
    """Return the same for a back end without exits."""
    return _within_an_exit(views) | _USER_SPACE_FIELDS


def _exit_events(views: Sequence[View]) -> Fields:
    """Return what is read of the records that begin and end an exit."""
    more = dict.fromkeys(field for view in views for field in view.from_exit)
    used = dict.fromkeys((*_EXIT_FIELDS["kvm_exit"], *more))
    return _EXIT_FIELDS | {"kvm_exit": tuple(used)}


def _within_an_exit(views: Sequence[View], fields: ExitFields | None = None) -> Fields:
    """Return the events between an exit and its entry. The kernel may be preempted there."""
    spared = {*fields.carried, *fields.events} if fields else set()
    points = (point for view in views for point in view.tracepoints)
    fields_of: Fields = {}
    for point in points:
        if point.event not in spared:
            known = fields_of.get(point.event, ())
            fields_of[point.event] = tuple(dict.fromkeys((*known, *point.fields)))
    return fields_of | _FPU_FIELDS


def _opt_in_events(views: Sequence[View]) -> frozenset[str]:
    """Return the events of views that are opt-in, but for those that a default view has, too."""
    defaults = {event for view in DEFAULT_VIEWS for event in view.events}
    found = {event for view in views if not view.is_default for event in view.events}
    return frozenset(found - defaults)


Records = Mapping[str, Mapping[str, int]]
"""Offsets in bytes of the fields of an event's record, by event and field.

The size in bytes of the field `name` is that of `name_size`.
"""


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
    has its time, and the end of threads last. `sets` are hash maps by name, and the 32-bit
    keys that each holds from the start.
    """

    files: tuple[str, ...]
    macros: dict[str, str]
    attachments: tuple[Attachment, ...]
    detaching: tuple[Attachment, ...]
    sets: Mapping[str, frozenset[int]] = field(default_factory=dict)


def folder() -> Path:
    """Return where the programs lie: in the installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "bpf_programs"
    return installed if installed.is_dir() else package.parent / "bpf_programs"


def text(files: tuple[str, ...]) -> str:
    """Return the files as one text; BCC rewrites only what it compiles as the main file."""
    source_folder = folder()
    return "".join(f'#line 1 "{name}"\n{(source_folder / name).read_text()}' for name in files)


def with_sets(plan: Plan, sets: Mapping[str, frozenset[int]]) -> Plan:
    """Add maps that hold these numbers, and the macros that make the programs look there."""
    macros = plan.macros | {name.upper(): "1" for name in sets}
    return replace(plan, macros=macros, sets=sets)


def plan_with_exits(
    records: Records,
    fields: ExitFields,
    preempted: bool,
    max_rows: int,
    max_vcpus: int,
    views: Sequence[View] = DEFAULT_VIEWS,
) -> Plan:
    """Plan for VMX and SVM.

    `preempted` says that raw programs may be. It spares `kvm_entry`, which fires with
    interrupts off, and `kvm_exit`, which does so or, before Linux 6.6 on SVM, when no raw
    program is preempted.
    """
    within = _within_an_exit(views, fields)
    attachments = (
        _end_of_threads(preempted),
        *_attached_within(within, views, preempted),
        *(Attachment(event, classic=bool(names)) for event, names in fields.events.items()),
        Attachment("kvm_entry", classic=False),
        Attachment("kvm_exit", classic=fields.classic),
    )
    read = _exit_events(views) | within | dict(fields.events)
    macros = _macros(records, read, attachments)
    macros |= {f"{name}_OFFSET": str(offset) for name, offset in fields.offsets.items()}
    macros |= _kinds(views) | _sizes(max_rows, max_vcpus) | fields.flags
    macros |= _opt_in_kinds(views) | _opt_in_sizes(views, records, within)
    vcpu_id = (_VCPU_ID,) if "VCPU_ID" in fields.offsets else ()
    files = (*_BEFORE_BACKEND, *vcpu_id, fields.header, "backends/exits.c", "accesses.h")
    sources = _sources(views, within)
    # Without kvm_exit, no access is counted.
    return Plan((*files, *fields.programs, *sources), macros, attachments, attachments[::-1])


def with_real_mode(plan: Plan, records: Records, vcpu_id_offset: int | None) -> Plan:
    """Add what notices a vCPU before its first exit, as KVM emulates its real mode without one.

    The offset is that in struct kvm_vcpu. Where it is not known, `kvm_entry` gives the
    number: Linux 5.10 has no types of modules, but fires it before it emulates, too.
    """
    if vcpu_id_offset is None:
        return _noticing_entries(plan, records)
    begin = Attachment("kvm_emulate_insn", classic=False)
    vcpu_id = () if _VCPU_ID in plan.files else (_VCPU_ID,)
    return Plan(
        (*plan.files, *vcpu_id, _REAL_MODE),
        plan.macros | {"VCPU_ID_OFFSET": str(vcpu_id_offset)},
        (*plan.attachments, begin),
        (begin, *plan.detaching),
    )


def _noticing_entries(plan: Plan, records: Records) -> Plan:
    attachments = tuple(
        replace(attachment, classic=True) if attachment.event == "kvm_entry" else attachment
        for attachment in plan.attachments
    )
    macros = plan.macros | _macros(records, _EXIT_FIELDS, attachments)
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
    fields = access_record_fields(views)
    begin = Attachment("kvm_emulate_insn", classic=False)
    events = _attached_within(fields, views, preempted)
    attachments = (_end_of_threads(preempted), *events, begin)
    macros = _macros(records, fields, attachments) | _kinds(views) | _sizes(max_rows, max_vcpus)
    macros["VCPU_ID_OFFSET"] = str(vcpu_id_offset)
    macros |= _opt_in_sizes(views, records, fields)
    # An access of a vCPU that is known is counted without kvm_emulate_insn, too.
    detaching = (*attachments[1:], attachments[0])
    sources = (*_sources(views, fields), "backends/user_exits.c")
    return Plan((*_WITHOUT_EXITS, *sources), macros, attachments, detaching)


def _end_of_threads(classic: bool) -> Attachment:
    return Attachment("sched_process_exit", classic, "sched")


def _attached_within(
    events: Iterable[str], views: Sequence[View], preempted: bool
) -> tuple[Attachment, ...]:
    opt_in = _opt_in_events(views)
    return tuple(Attachment(event, preempted or event in opt_in) for event in events)


def _sources(views: Sequence[View], attached: Collection[str]) -> tuple[str, ...]:
    """Return the files of what is attached within an exit."""
    sources = dict.fromkeys(view.source for view in views if {*view.events} & {*attached})
    return (*sources, *_AFTER_EVENTS)


def _kinds(views: Sequence[View]) -> dict[str, str]:
    """Return the macros of kinds: `KIND_PIO` and the like."""
    return {kind_macro(view.kind): str(int(view.kind)) for view in views}


def kind_macro(kind: Kind) -> str:
    """Return the macro of a kind, which is defined if its view is attached."""
    return f"KIND_{kind.name.upper()}"


def _opt_in_kinds(views: Sequence[View]) -> dict[str, str]:
    """Return the macros of views that are opt-in: none, so that others cost nothing."""
    chosen = [view for view in views if not view.is_default]
    if not chosen:
        return {}
    macros = {
        "OPT_IN_KINDS": str(sum(1 << view.kind for view in chosen)),
        "YIELDING_KINDS": str(sum(1 << view.kind for view in chosen if view.yields)),
    }
    return macros | ({"FROM_RECORD": "1"} if any(view.from_exit for view in chosen) else {})


def _opt_in_sizes(views: Sequence[View], records: Records, within: Fields) -> dict[str, str]:
    """Return `CPUID_FUNCTION_SIZE` and the like."""
    return {
        f"{_macro(event, field)}_SIZE": str(records[event][f"{field}_size"])
        for event in _opt_in_events(views) & within.keys()
        for field in within[event]
    }


def _macros(
    records: Records, fields: Fields, attachments: tuple[Attachment, ...]
) -> dict[str, str]:
    """Return the macros of offsets in the records that are read, such as `PIO_PORT_OFFSET`."""
    classic = [
        attachment.event
        for attachment in attachments
        if attachment.classic and attachment.event in fields
    ]
    offsets = {
        f"{_macro(event, field)}_OFFSET": str(records[event][field])
        for event in classic
        for field in fields[event]
    }
    return offsets | ({"CLASSIC_ACCESSES": "1"} if "kvm_fpu" in classic else {})


def _macro(event: str, field: str) -> str:
    """Return the beginning of a field's macros: `PIO_PORT`."""
    return f"{event.removeprefix('kvm_')}_{field.partition('|')[0]}".upper()


def _sizes(max_rows: int, max_vcpus: int) -> dict[str, str]:
    return {"MAX_ROWS": str(max_rows), "MAX_VCPUS": str(max_vcpus)}
