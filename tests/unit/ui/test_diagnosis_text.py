"""What a diagnosis looks like."""

import io
from pathlib import Path

import pytest

from bpfexit.advice.diagnosis import diagnose
from bpfexit.advice.registry import RULES
from bpfexit.advice.rules import pm_timer
from bpfexit.model.losses import Lost
from bpfexit.model.snapshot import Origin, Snapshot
from bpfexit.ui.console import PlainConsole
from bpfexit.ui.diagnosis import diagnosis
from bpfexit.ui.rules import explained, rules_table
from tests.unit.advice.cases import CASES, PVM, SVM, mmio, seen
from tests.unit.builders import Exits, snapshot

RULES_PAGE = (Path(__file__).parents[3] / "docs" / "rules.md").read_text()
HOSTILE = "\x1b[31m[bold]win\ndows" + "x" * 5000


def rendered(what: object, width: int = 80) -> str:
    file = io.StringIO()
    PlainConsole(file=file, width=width, force_terminal=False).print(what)
    return file.getvalue()


OPTIONS = (("cpu", "qemu64"), ("device", "virtio-blk-pci,drive=d0"))
LABELS = ("evidence", "cause", "fix", "expect", "confidence", "references")


def shown(of: Snapshot, width: int = 80) -> str:
    return rendered(diagnosis(diagnose(of)), width)


def polling(backend: str = SVM, **about: object) -> Snapshot:
    rows = [
        CASES["pm-timer"].exits(backend, 2000, 100_000),
        CASES["virtio-notify"].exits(backend, 20, 50_000),
    ]
    return seen(*rows, backend=backend, options=OPTIONS, **about)  # type: ignore[arg-type]


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_finding_has_its_parts_in_order_and_no_line_is_too_long(width: int) -> None:
    text = shown(polling(), width)
    labels = ["ACPI PM timer", *(f"\n{label}" for label in LABELS)]
    places = [text.index(label) for label in labels]
    assert places == sorted(places)
    assert max(map(len, text.splitlines())) <= width


def test_it_says_what_was_seen_what_it_costs_and_what_is_expected() -> None:
    text = shown(polling(), 120)
    assert "200ms per second, 20.0% of vCPU 0" in text
    assert "0x0608 read acpi-tmr?: 2,000/s, 100µs each, 100µs in user space" in text
    assert "<timer name='hypervclock' present='yes'/>" in text
    assert "expected: 0xc050 write: 20.0/s" in text
    assert "vCPU 0: guest 0.0%, KVM 0.0%, user space 100.0%, waiting unknown, idle 0.0%" in text
    assert "QEMU options unknown" not in text
    assert "guessed from the standard PC layout" in text


def test_without_exits_costs_are_those_in_user_space_or_not_known() -> None:
    text = shown(polling(PVM), 120)
    assert "200ms per second in user space" in text
    assert "in user space 20.1%, the rest is unknown" in text
    assert "time unknown" in shown(seen(CASES["pic"].exits(PVM, 2000, 0), backend=PVM), 120)


def test_of_many_addresses_the_dearest_are_shown_and_the_rest_counted() -> None:
    case = CASES["user-device"]
    rows = [
        type(case)(mmio(0xD0000000 + 16 * at), user=True).exits(SVM, 100, 200_000)
        for at in range(7)
    ]
    text = shown(seen(*rows, backend=SVM))
    assert text.count("0xd00000") == 4
    assert "3 more: 300/s" in text


def test_many_vcpus_are_counted() -> None:
    rows = [Exits(reason="cpuid", ns=(5,), vcpu=at, tid=101 + at) for at in range(12)]
    text = shown(snapshot(*rows))
    assert text.count("vCPU ") == 8
    assert "4 more vCPUs" in text


def test_guests_without_findings_have_a_line_each() -> None:
    quiet = [Exits(reason="cpuid", ns=(1,), vm=f"quiet{n}", pid=n, tid=n) for n in (7, 8)]
    known = Origin("h", "6", SVM, True)
    text = shown(snapshot(CASES["pm-timer"].exits(SVM, 2000, 100_000), *quiet, origin=known))
    assert "the program that runs this guest is unknown" in text
    tail = text[text.index("nothing stands out") :].splitlines()
    assert [line.split()[0] for line in tail[1:]] == ["quiet7", "quiet8"]


def test_what_no_rule_knows_is_named_for_every_guest() -> None:
    rows = [
        Exits(reason=name, ns=(100_000,) * 200, vm=f"quiet{n}", pid=n, tid=n)
        for n in (7, 8)
        for name in ("INVD", "RDRAND")
    ]
    known = Origin("h", "6", SVM, True)
    text = shown(snapshot(CASES["pm-timer"].exits(SVM, 2000, 100_000), *rows, origin=known), 120)
    tail = text[text.index("nothing stands out") :]
    assert tail.count("no rule knows more: INVD: 2.0% of a vCPU") == 2
    assert tail.count("no rule knows more: RDRAND: 2.0% of a vCPU") == 2


def test_nothing_stands_out_is_an_answer_and_says_which() -> None:
    row = Exits(reason="cpuid", ns=(1,))
    busy = " ".join(shown(snapshot(row, guest_ns=1000)).split())
    said = "nothing stands out; 0.0% of the busiest vCPU's time is unexplained: "
    assert f"{said}the guest is busy" in busy
    assert f"{said}no rule" in " ".join(shown(snapshot(row)).split())
    assert "no guest seen" in shown(snapshot())


def test_what_no_rule_knows_is_named_with_its_share_below_what_is_known() -> None:
    row = Exits(reason="INVD", ns=(100_000,) * 300)
    text = shown(snapshot(row), 120)
    assert "nothing stands out; 3.0% of the busiest vCPU's time is unexplained" in text
    line = "INVD: 3.0% of a vCPU, 300/s, 100µs each, p99 "
    assert f"no rule knows more, 3.0% of the busiest vCPU's time in all:\n  {line}" in text
    both = shown(snapshot(row, CASES["pm-timer"].exits(SVM, 2000, 100_000)), 120)
    assert both.index("ACPI PM timer") < both.index(line)


def test_reasons_worth_a_finding_are_all_shown() -> None:
    names = ("INVD", "RDRAND", "XSETBV", "VMFUNC", "ENCLS", "RDSEED", "UMWAIT")
    text = shown(snapshot(*(Exits(reason=name, ns=(100_000,) * 300) for name in names)), 120)
    assert all(f"{name}: 3.0% of a vCPU" in text for name in names)
    assert "more:" not in text


def test_a_change_says_what_it_takes_and_what_keeps_it() -> None:
    faults = CASES["memory-faults"].exits(SVM, 2000, 100_000)
    parameters = {"kvm.nx_huge_pages": "Y"}
    text = " ".join(shown(seen(faults, parameters=parameters), 120).split())
    assert "either nx_huge_pages: split pages are zapped" in text
    assert "effective at once; until the host reboots; to keep it: options kvm" in text
    stop = " ".join(shown(polling(), 120).split())
    assert "takes a full stop and start of the guest" in stop


@pytest.mark.parametrize(
    ("vmm", "asks"),
    [("qemu", "--qmp or --libvirt confirms"), ("firecracker", "guessed from the usual layout")],
)
def test_only_a_guest_of_qemu_may_be_asked_for_names(vmm: str, asks: str) -> None:
    text = shown(seen(CASES["pm-timer"].exits(SVM, 2000, 100_000), guest={"vmm": vmm}), 120)
    assert asks in text
    assert ("QEMU" in text or "libvirt" in text) is (vmm == "qemu")


def test_hints_come_without_findings_alone() -> None:
    machine = ("machine", "pc")
    devices = (("device", "piix3-usb-uhci"), ("device", "usb-tablet"))
    text = shown(seen(Exits(reason="cpuid", ns=(1,)), options=(machine, *devices)), 120)
    assert "nothing stands out" in text
    assert "a USB tablet on UHCI: timers of QEMU's main loop" in text


def test_what_was_lost_is_said() -> None:
    assert "map_full 7" in shown(snapshot(Exits(ns=(1,)), lost=Lost(map_full=7)))


def test_hostile_text_is_harmless() -> None:
    row = CASES["pm-timer"].exits(SVM, 2000, 100_000)
    row = type(row)(**{**vars(row), "vm": HOSTILE, "reason": HOSTILE})
    notify = CASES["virtio-user-notify"].exits(SVM, 2000, 100_000)
    device = (("device", f"virtio-blk-pci,id={HOSTILE},ioeventfd=off"),)
    text = shown(seen(row, notify, backend=SVM, options=device), 120)
    assert "\x1b" not in text
    assert "\\x1b[31m[bold]win\\ndows" in text


def test_the_rules_are_listed_and_explained() -> None:
    listed = rendered(rules_table(RULES))
    for rule in RULES:
        assert f"\n{rule.name} " in f"\n{listed}"
        shown_pages = "".join(rendered(explained(rule)).split())
        assert all(page in shown_pages for page in rule.references)
        assert f"## {rule.name}\n" in RULES_PAGE
        assert all(f"<{page}>" in RULES_PAGE for page in rule.references)
        text = " ".join(rendered(explained(rule)).split())
        assert all(
            label in text for label in ("threshold", "cause", "remedy", "limits", "references")
        )
    assert "1% of a vCPU's time; 1,000 per second if" in rendered(explained(pm_timer.RULE))
