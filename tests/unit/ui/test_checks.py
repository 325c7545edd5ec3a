"""What `bpfexit doctor` shows."""

import pytest

from bpfexit.host.check import Check, Status
from bpfexit.ui.checks import lines

GOOD = Check("kernel", Status.OK, "6.1.0")
BAD = Check("KVM", Status.FAIL, "KVM is not loaded", "load its back end with `modprobe kvm_intel`")


def shown(checks: list[Check], width: int | None) -> list[str]:
    return [line.plain for line in lines(checks, width)]


def test_a_line_a_check_where_lines_are_not_broken() -> None:
    assert shown([GOOD, BAD], None) == [
        "ok    kernel  6.1.0",
        "FAIL  KVM     KVM is not loaded: load its back end with `modprobe kvm_intel`",
    ]


def test_facts_are_broken_beside_their_names() -> None:
    assert shown([GOOD, BAD], 50) == [
        "ok    kernel  6.1.0",
        "FAIL  KVM     KVM is not loaded: load its back end",
        "              with `modprobe kvm_intel`",
    ]


@pytest.mark.parametrize("width", [1, 20])
def test_a_terminal_too_narrow_breaks_lines_itself(width: int) -> None:
    assert shown([GOOD, BAD], width) == shown([GOOD, BAD], None)


def test_what_the_kernel_says_is_neither_markup_nor_control() -> None:
    hostile = Check("kernel", Status.OK, "[red]6.1\x1b[2J\u202e\n")
    (line,) = lines([hostile], 80)
    assert line.plain == "ok    kernel  [red]6.1\\x1b[2J\\u202e\\n"
    assert [span.style for span in line.spans] == ["green"]


def test_an_empty_fact_is_a_line_too() -> None:
    assert shown([Check("kernel", Status.WARN, "")], 80) == ["warn  kernel  "]


def test_no_checks_no_lines() -> None:
    assert shown([], 80) == []
