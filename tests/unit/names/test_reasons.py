"""Names come from the running kernel's own text; the built-in ones are those of its headers."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpfexit.names.reasons import BUILT_IN, IDLE, NO_EXIT, VMX_FAILED_ENTRY, Isa, parse_format
from tests.unit import wire

FORMAT = Path("/sys/kernel/tracing/events/kvm/kvm_exit/format")
HEADERS = Path("/usr/include/x86_64-linux-gnu/asm")

VMX = '{ 0, "EXCEPTION_NMI" }, { 10, "CPUID" }, { 12, "HLT" }, { 48, "EPT_VIOLATION" }'
SVM = (
    '{ 0x000, "read_cr0" }, { 0x040 + 1, "DB excp" }, { 0x040 + 14, "PF excp" }, '
    '{ 0x078, "hlt" }, { 0x400, "npf" }'
)
FLAGS = (
    '(REC->isa == 1 && REC->exit_reason & ~0xffff) ? " " : "", (REC->isa == 1) ? '
    '__print_flags(REC->exit_reason & ~0xffff, " ", { 0x80000000, "FAILED_VMENTRY" }) : ""'
)
FIELDS = """name: kvm_exit
ID: 1704
format:
\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;

\tfield:unsigned int exit_reason;\toffset:8;\tsize:4;\tsigned:0;
\tfield:unsigned long guest_rip;\toffset:16;\tsize:8;\tsigned:0;
\tfield:u32 isa;\toffset:24;\tsize:4;\tsigned:0;

"""


def format_text(svm: str, first: str = '"vcpu %u reason %s%s%s rip 0x%lx", REC->vcpu_id') -> str:
    return (
        f"{FIELDS}print fmt: {first}, (REC->isa == 1) ? "
        f"__print_symbolic(REC->exit_reason & 0xffff, {VMX}) : "
        f"__print_symbolic(REC->exit_reason, {svm}), {FLAGS}, REC->guest_rip\n"
    )


STYLES = {
    "5.4, without a vCPU": format_text(SVM, '"reason %s%s%s rip 0x%lx"'),
    "5.10": format_text(f'{SVM}, {{ -1, "invalid_guest_state" }}'),
    "6.1": format_text(
        f'{SVM}, {{ 0x80000010, "vmgexit_page_state_change" }}, {{ -1, "invalid_guest_state" }}'
    ),
    "6.18": format_text(
        f'{SVM}, {{ 0x0a6, "idle-halt" }}, {{ 0x80000010, "vmgexit_page_state_change" }}, '
        '{ -1, "invalid_guest_state" }'
    ),
    "7.0": format_text(
        f'{SVM}, {{ 0x0a6, "idle-halt" }}, {{ 0x80000010ull, "vmgexit_page_state_change" }}, '
        '{ -1ull, "invalid_guest_state" }'
    ),
}


@pytest.mark.parametrize("style", STYLES)
def test_names_come_from_the_format_of_every_kernel(style: str) -> None:
    reasons = parse_format(STYLES[style])
    assert reasons.vmx == {0: "EXCEPTION_NMI", 10: "CPUID", 12: "HLT", 48: "EPT_VIOLATION"}
    common = {0: "read_cr0", 0x41: "DB excp", 0x4E: "PF excp", 0x78: "hlt", 0x400: "npf"}
    assert common.items() <= reasons.svm.items()
    assert all(reasons.svm[code] == BUILT_IN.svm[code] for code in reasons.svm)


@pytest.mark.parametrize("style", ["6.1", "6.18", "7.0"])
def test_codes_have_32_bits(style: str) -> None:
    reasons = parse_format(STYLES[style])
    assert reasons.name(Isa.SVM, 0x80000010) == "vmgexit_page_state_change"
    assert reasons.name(Isa.SVM, 0xFFFFFFFF) == "invalid_guest_state"


def test_the_flags_are_no_table_of_reasons() -> None:
    names = {*parse_format(STYLES["6.18"]).vmx.values(), *parse_format(STYLES["6.18"]).svm.values()}
    assert "FAILED_VMENTRY" not in names


def test_without_a_table_the_names_are_the_built_in_ones() -> None:
    assert parse_format("") == BUILT_IN
    only_vmx = STYLES["6.1"].split(" : ")[0]
    assert parse_format(only_vmx).vmx.keys() == {0, 10, 12, 48}
    assert parse_format(only_vmx).svm == BUILT_IN.svm


def test_a_code_written_in_an_unknown_way_is_left_out() -> None:
    reasons = parse_format(format_text(f'{SVM}, {{ SVM_EXIT_NEW, "new" }}, {{ 0x7b, "io" }}'))
    assert "new" not in reasons.svm.values()
    assert reasons.name(Isa.SVM, 0x7B) == "io"


@given(st.text() | st.from_regex(r'\{ [0-9a-fxul+ -]{0,9}, "x" \}(, \{ 0_1, "y" \})?'))
def test_no_text_is_too_strange(text: str) -> None:
    svm = parse_format(format_text(text)).svm
    assert all(0 <= code < 2**32 for code in svm)
    parse_format(text)


@pytest.mark.skipif(not FORMAT.exists(), reason=f"{FORMAT}: no KVM or no tracefs here")
def test_the_running_kernels_names_are_those_built_in() -> None:
    try:
        reasons = parse_format(FORMAT.read_text())
    except PermissionError:
        pytest.skip(f"{FORMAT} is for root")
    assert reasons.name(Isa.VMX, 12) == "HLT"
    assert reasons.name(Isa.SVM, 0x78) == "hlt"
    assert len(reasons.vmx) > 50
    assert len(reasons.svm) > 90


def test_a_failed_entry_is_told_apart() -> None:
    assert BUILT_IN.name(Isa.VMX, VMX_FAILED_ENTRY | 33) == "INVALID_STATE FAILED_VMENTRY"
    assert BUILT_IN.name(Isa.VMX, VMX_FAILED_ENTRY | 0xFFF0) == "UNKNOWN_0xfff0 FAILED_VMENTRY"


def test_a_guest_that_was_not_run_has_no_flags() -> None:
    assert BUILT_IN.name(Isa.VMX, 0xFFFFFFFF) == "UNKNOWN_0xffffffff"


@pytest.mark.parametrize("isa", Isa)
def test_an_access_without_an_exit_has_no_reason(isa: Isa) -> None:
    assert wire.defines()["NO_EXIT"] == NO_EXIT
    assert BUILT_IN.name(isa, NO_EXIT) is None
    assert NO_EXIT not in BUILT_IN.table(isa)


def test_vmx_keeps_flags_out_of_the_code() -> None:
    assert BUILT_IN.name(Isa.VMX, 0x08000000 | 12) == "HLT"


def test_unknown_codes_are_shown_by_number() -> None:
    assert BUILT_IN.name(Isa.VMX, 0x1234) == "UNKNOWN_0x1234"
    assert BUILT_IN.name(Isa.SVM, 0x90001234) == "unknown_0x90001234"


def test_without_an_isa_there_is_no_reason() -> None:
    assert BUILT_IN.name(Isa.NONE, 12) is None


@pytest.mark.parametrize("isa", [Isa.VMX, Isa.SVM])
def test_every_name_finds_its_code_in_any_case(isa: Isa) -> None:
    for code, name in BUILT_IN.table(isa).items():
        for spelling in (name, name.upper(), name.lower(), name.swapcase()):
            assert BUILT_IN.codes(isa, spelling) == [code]
    assert BUILT_IN.codes(isa, "no such reason") == []


def test_all_idle_reasons_exist() -> None:
    assert {*BUILT_IN.vmx.values(), *BUILT_IN.svm.values()} >= IDLE


def constants(text: str) -> dict[str, str]:
    return dict(re.findall(r"^#define\s+(\w+)\s+([-+\w]+)", text, re.MULTILINE))


def code_of(expression: str, known: dict[str, str]) -> int:
    terms = (known.get(term.strip(), term.strip()) for term in expression.split("+"))
    return sum(int(term.lower().rstrip("ul"), 0) for term in terms) & 0xFFFFFFFF


@pytest.mark.parametrize(
    ("header", "table", "ours"),
    [("vmx.h", "VMX_EXIT_REASONS", BUILT_IN.vmx), ("svm.h", "SVM_EXIT_REASONS", BUILT_IN.svm)],
)
def test_the_built_in_names_are_those_of_the_kernels_headers(
    header: str, table: str, ours: dict[int, str]
) -> None:
    if not (HEADERS / header).exists():
        pytest.skip(f"{HEADERS / header} is not there: install linux-libc-dev")
    text = (HEADERS / header).read_text()
    known = constants((HEADERS / "kvm.h").read_text()) | constants(text)
    body = text.split(f"#define {table} ")[1].split("\n\n")[0]
    pairs = re.findall(r'\{\s*(\w[^,]*?)\s*,\s*"([^"]+)"\s*\}', body)
    assert len(pairs) > 50
    theirs = {code_of(expression, known): name for expression, name in pairs}
    assert {code: ours.get(code) for code in theirs} == theirs


PVM = (
    '{ 14, "PF excp" }, { (1UL << 16), "SYSCALL" }, { (2UL << 16), "HYPERCALL" }, '
    '{ ((2UL << 16) + 1), "HC_IRQ_WIN" }, { 1025, "FAILED_VMENTRY" }'
)
"""As the tree of PVM has them, in a third branch of the same format."""


def test_pvm_has_a_table_of_its_own_where_the_format_has_a_third() -> None:
    found = parse_format(format_text(f"{SVM}) : __print_symbolic(REC->exit_reason, {PVM}"))
    assert found.name(Isa.PVM, 0x20000) == "HYPERCALL"
    assert found.name(Isa.PVM, 0x20001) == "HC_IRQ_WIN"
    assert found.name(Isa.PVM, 14) == "PF excp"
    assert found.name(Isa.SVM, 0x78) == "hlt"
    assert found.name(Isa.VMX, 12) == "HLT"


@pytest.mark.parametrize("isa", [Isa.PVM, 4])
def test_a_code_of_an_isa_without_a_table_is_a_number(isa: int) -> None:
    assert BUILT_IN.name(isa, 0x20000) == "unknown_0x20000"
    assert BUILT_IN.name(isa, 12) == "unknown_0xc"
