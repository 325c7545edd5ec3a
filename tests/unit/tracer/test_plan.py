"""A plan holds every program it attaches once, and macros that mean what was asked for."""

import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpfexit.events.registry import VIEWS as ALL_VIEWS
from bpfexit.events.view import View
from bpfexit.host.btf import Types
from bpfexit.model.slow import Threshold
from bpfexit.names.reasons import Isa
from bpfexit.tracer import choices
from bpfexit.tracer import plan as programs
from bpfexit.tracer.event_counters import SOURCE
from bpfexit.tracer.exit_fields import ExitFields, exit_fields, from_record, with_events
from bpfexit.tracer.host_plan import process_macros, with_blocked
from tests.unit.tracer.types_of_kvm import svm_types

VIEWS = programs.DEFAULT_VIEWS
WITHOUT_EXITS = tuple(view for view in ALL_VIEWS if not view.needs_exits)
RAW_VIEWS = tuple(view for view in ALL_VIEWS if not view.from_exit)
"""All that need no record of an exit."""

BY_RECORD = from_record("of this test")
BY_VMX = ExitFields("backends/exit_vmx.h", "", {"VCPU_ID": 48, "VMX_EXIT_REASON": 96})
BY_VMCB = exit_fields(Isa.SVM, (6, 1), svm_types())
EXACT = with_events(BY_VMCB, {"kvm_pio"})
NAMES = programs.exit_record_fields(ALL_VIEWS, BY_RECORD) | programs.access_record_fields(VIEWS)
RECORDS = {
    event: {field: 8 + 8 * place for place, field in enumerate(fields)}
    | {f"{field}_size": 8 for field in fields}
    for event, fields in (NAMES | dict(BY_VMCB.events)).items()
}


def with_exits(
    fields: ExitFields = BY_RECORD, preempted: bool = False, views: Sequence[View] = VIEWS
) -> programs.Plan:
    return programs.plan_with_exits(RECORDS, fields, preempted, 1024, 16, views)


PLANS = {
    "with exits": with_exits(),
    "with exits, preempted": with_exits(preempted=True),
    "with exits of the VMCB": with_exits(BY_VMCB),
    "with exits of the VMCB, preempted": with_exits(BY_VMCB, preempted=True),
    "with exits of the VMCB, exact I/O": with_exits(EXACT),
    "with exits of VMX": with_exits(BY_VMX),
    "with exits of VMX, real mode": programs.with_real_mode(with_exits(BY_VMX), RECORDS, 48),
    "with exits, blocked": with_blocked(with_exits(), 24),
    "with exits, real mode": programs.with_real_mode(with_exits(), RECORDS, 48),
    "with exits, real mode, no types": programs.with_real_mode(with_exits(), RECORDS, None),
    "with exits, all views": with_exits(views=ALL_VIEWS),
    "with exits, preempted, all views": with_exits(preempted=True, views=ALL_VIEWS),
    "with exits of the VMCB, all views": with_exits(BY_VMCB, views=RAW_VIEWS),
    "with exits of VMX, all views": with_exits(BY_VMX, views=RAW_VIEWS),
    "without exits, all views": programs.plan_without_exits(
        RECORDS, 48, False, 1024, 16, WITHOUT_EXITS
    ),
    "without exits": programs.plan_without_exits(RECORDS, 48, False, 1024, 16),
    "without exits, preempted": programs.plan_without_exits(RECORDS, 48, True, 1024, 16),
}


def events(plan: programs.Plan, classic: bool) -> tuple[str, ...]:
    return tuple(each.event for each in plan.attachments if each.classic is classic)


NUMBERS = st.lists(st.integers(0, 2**32 - 1), max_size=4).map(tuple)


@pytest.mark.parametrize("name", PLANS)
def test_the_text_has_each_program_once_and_no_other(name: str) -> None:
    plan = PLANS[name]
    found = re.findall(r"^int on_(\w+)\(", programs.text(plan.files), re.MULTILINE)
    assert sorted(found) == sorted(each.event for each in plan.attachments)


@pytest.mark.parametrize("name", PLANS)
def test_the_text_has_each_file_once_and_whole(name: str) -> None:
    plan = PLANS[name]
    text = programs.text(plan.files)
    assert re.findall(r'^#line 1 "(.*)"$', text, re.MULTILINE) == list(plan.files)
    for file in plan.files:
        assert (programs.folder() / file).read_text() in text


@pytest.mark.parametrize("name", PLANS)
def test_no_program_hides_its_event_from_perf(name: str) -> None:
    text = programs.text(PLANS[name].files)
    bodies = re.findall(r"^int on_\w+\(.*?^}", text, re.MULTILINE | re.DOTALL)
    returned = [value for body in bodies for value in re.findall(r"return (\w+);", body)]
    assert len(bodies) == len(PLANS[name].attachments) <= len(returned)
    assert set(returned) == {"KEEP_EVENT"}
    assert re.findall(r"^#define KEEP_EVENT (\d+)$", text, re.MULTILINE) == ["1"]


def test_every_file_with_programs_is_loaded() -> None:
    folder = programs.folder()
    sources = (path for path in folder.rglob("*.[ch]") if folder / "headers" not in path.parents)
    files = {str(path.relative_to(folder)) for path in sources}
    assert files == {SOURCE, *(file for plan in PLANS.values() for file in plan.files)}


@pytest.mark.parametrize("name", PLANS)
def test_the_text_uses_every_macro_of_its_plan(name: str) -> None:
    plan = PLANS[name]
    text = programs.text(plan.files)
    code = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    used = set(
        re.findall(
            r"\b(MAX_\w+|KIND_\w+|\w+_KINDS|\w+_OFFSET|CLASSIC_ACCESSES|\w+_FROM_EXIT|FROM_RECORD|BLOCKED)\b",
            code,
        )
    )
    fields = re.findall(r"\bFIELD\((\w+)\)", code)
    used |= {f"{field}_{of}" for field in fields for of in ("OFFSET", "SIZE")}
    assert set(plan.macros) <= used


@pytest.mark.parametrize("name", ["with exits, preempted", "without exits, preempted"])
def test_a_plan_of_classic_programs_misses_no_offset(name: str) -> None:
    plan = PLANS[name]
    text = programs.text(plan.files)
    used = set(re.findall(r"\b[A-Z_]+_OFFSET\b", text))
    of_processes = {"GROUP_LEADER_OFFSET", "START_BOOTTIME_OFFSET"}  # where BTF has them
    optional = of_processes | set(re.findall(r"^#ifdef (\w+_OFFSET)$", text, re.MULTILINE))
    assert used - optional <= set(plan.macros)


def test_without_types_no_process_is_known_by_its_start() -> None:
    assert process_macros(Types()) == {}


@pytest.mark.parametrize("name", PLANS)
def test_what_begins_an_exit_is_attached_after_all_that_happens_in_one(name: str) -> None:
    order = [each.event for each in PLANS[name].attachments]
    assert order[0] == "sched_process_exit"
    last = ["kvm_entry", "kvm_exit"] if name.startswith("with exits") else []
    last += ["kvm_emulate_insn"] if "kvm_emulate_insn" in order else []
    assert order[-len(last) :] == last
    assert "kvm_fpu" in order[1 : -len(last)]


@pytest.mark.parametrize("name", PLANS)
def test_what_counts_is_detached_before_what_times(name: str) -> None:
    order = [each.event for each in PLANS[name].detaching]
    assert sorted(order) == sorted(each.event for each in PLANS[name].attachments)
    counts = ["kvm_exit"] if name.startswith("with exits") else ["kvm_pio", "kvm_mmio", "kvm_msr"]
    times = {"kvm_userspace_exit", "kvm_fpu", "kvm_entry", "kvm_emulate_insn"} & set(order[1:])
    assert max(map(order.index, counts)) < min(map(order.index, times))
    assert order[-1] == "sched_process_exit"


def test_programs_are_raw_unless_they_would_be_preempted() -> None:
    assert events(PLANS["with exits"], classic=True) == ("kvm_exit",)
    assert events(PLANS["with exits, real mode"], classic=True) == ("kvm_exit",)
    assert events(PLANS["without exits"], classic=True) == ()
    assert events(PLANS["with exits, preempted"], classic=False) == ("kvm_entry",)
    assert events(PLANS["without exits, preempted"], classic=False) == ("kvm_emulate_insn",)


def test_a_vcpu_in_real_mode_is_noticed_by_an_event_that_has_its_number() -> None:
    assert PLANS["with exits, real mode"].macros["VCPU_ID_OFFSET"] == "48"
    without = PLANS["with exits, real mode, no types"]
    assert events(without, classic=True) == ("kvm_entry", "kvm_exit")
    assert without.macros["ENTRY_VCPU_ID_OFFSET"] == "8"
    assert "ENTRY_VCPU_ID_OFFSET" not in PLANS["with exits"].macros


def test_offsets_and_sizes_become_macros() -> None:
    assert PLANS["with exits"].macros == {
        "EXIT_EXIT_REASON_OFFSET": "8",
        "EXIT_VCPU_ID_OFFSET": "16",
        "EXIT_ISA_OFFSET": "24",
        "EXIT_GUEST_RIP_OFFSET": "32",
        "KIND_PIO": "1",
        "KIND_MMIO": "2",
        "KIND_MSR": "3",
        "MAX_ROWS": "1024",
        "MAX_VCPUS": "16",
    }
    assert PLANS["without exits"].macros["VCPU_ID_OFFSET"] == "48"
    assert PLANS["with exits, preempted"].macros["PIO_PORT_OFFSET"] == "16"


def test_slow_exits_have_a_threshold_a_rate_and_a_buffer() -> None:
    macros = choices.slow_macros(Threshold(10**6, 100))
    assert macros.pop("SLOW_NS") == "1000000ULL"
    assert macros.pop("SLOW_RATE") == "100"
    pages = int(macros.pop("SLOW_PAGES"))
    assert pages & (pages - 1) == 0  # as the kernel wants a ring buffer
    assert not macros


def test_idle_time_is_known_by_its_reasons() -> None:
    macros = choices.idle_macro(Isa.SVM, [0x78, 0xA6])
    assert holds(macros, r=0x78)
    assert holds(macros, r=0xA6)
    assert not holds(macros, r=0x7B)
    assert not holds(macros, r=0x78 | 1 << 26)  # SVM has no flags
    assert not choices.idle_macro(Isa.SVM, [])


@pytest.mark.parametrize("flag", [0, 26, 27, 31])
def test_idle_time_on_vmx_is_known_beside_flags(flag: int) -> None:
    idle = choices.idle_macro(Isa.VMX, [12])
    assert holds(idle, r=12 | (1 << flag if flag else 0))
    assert not holds(idle, r=30 | (1 << flag if flag else 0))
    assert not holds(idle, r=0xFFFFFFFF)


def holds(macros: dict[str, str], **values: int) -> bool:
    """Evaluate the one macro as C does; without one, everything is wanted."""
    if not macros:
        return True
    ((head, body),) = macros.items()
    (parameters,) = re.findall(r"^\w+\((.*)\)$", head)
    assert parameters.split(",") == list(values)
    python = re.sub(r"\b(\d+)u\b", r"\1", body).replace("&&", " and ").replace("||", " or ")
    assert re.fullmatch(r"(?:[\s()&=\d]|\b(?:and|or|r|pid|vcpu_id)\b)+", python)
    return bool(eval(python, {"__builtins__": {}}, values))  # noqa: S307 - checked above


@given(NUMBERS, NUMBERS)
def test_vcpus_are_chosen_by_sets_that_the_programs_have(
    pids: tuple[int, ...], vcpus: tuple[int, ...]
) -> None:
    bare = PLANS["with exits"]
    plan = programs.with_sets(bare, choices.traced_sets(pids, vcpus))
    wanted = {"traced_pids": set(pids), "traced_vcpus": set(vcpus)}
    assert plan.sets == {name: numbers for name, numbers in wanted.items() if numbers}
    added = plan.macros.keys() - bare.macros.keys()
    assert added == {name.upper() for name in plan.sets}
    text = programs.text(plan.files)
    for name in plan.sets:
        assert re.search(rf"#ifdef {name.upper()}\nBPF_HASH\({name},", text)


def test_other_numbers_need_no_other_programs() -> None:
    one, other = (
        programs.with_sets(PLANS["with exits"], choices.traced_sets((pid,), ())) for pid in (1, 2)
    )
    assert (one.files, one.macros) == (other.files, other.macros)


@given(st.lists(st.integers(0, 0xFFFF), max_size=4), st.integers(0, 2**32 - 1), st.booleans())
def test_vmx_exits_are_chosen_by_16_bits(codes: list[int], reason: int, known: bool) -> None:
    if known and codes:
        reason = reason & ~0xFFFF | codes[0]
    wanted = not codes or reason & 0xFFFF in codes
    assert holds(choices.reason_macro(Isa.VMX, codes), r=reason) == wanted


@given(st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=4), st.integers(0, 2**32 - 1))
def test_svm_exits_are_chosen_by_all_bits(codes: list[int], reason: int) -> None:
    macro = choices.reason_macro(Isa.SVM, codes)
    assert holds(macro, r=reason) == (reason in codes)
    assert holds(macro, r=codes[-1])


def test_the_macros_have_the_names_the_programs_ask_for() -> None:
    text = programs.text(PLANS["with exits"].files)
    macros = choices.reason_macro(Isa.VMX, [12])
    for head in macros:
        assert re.search(rf"(?:ifdef|ifndef) {head.split('(')[0]}\b", text)
    assert choices.reason_macro(Isa.SVM, []) == {}


def test_the_folder_has_the_programs_and_the_stand_in_headers() -> None:
    assert (programs.folder() / "wire.h").is_file()
    assert (programs.folder() / "headers" / "include" / "linux" / "kconfig.h").is_file()
