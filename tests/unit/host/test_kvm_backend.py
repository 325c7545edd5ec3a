"""Which back end is loaded."""

from pathlib import Path

import pytest

from bpfexit.host import kvm
from bpfexit.names.reasons import Isa


def load(root: Path, *modules: str) -> None:
    for module in modules:
        (root / "sys/module" / module).mkdir(parents=True)


@pytest.mark.parametrize(
    ("module", "isa", "has_exit_events"),
    [("kvm_intel", Isa.VMX, True), ("kvm_amd", Isa.SVM, True), ("kvm_pvm", Isa.NONE, False)],
)
def test_a_back_end_is_known_by_its_module(
    tmp_path: Path, module: str, isa: Isa, has_exit_events: bool
) -> None:
    load(tmp_path, "kvm", module)
    backend = kvm.backend(tmp_path)
    assert backend
    assert (backend.module, backend.isa, backend.has_exit_events) == (module, isa, has_exit_events)


def test_kvm_alone_is_no_back_end(tmp_path: Path) -> None:
    load(tmp_path, "kvm", "kvm_xen")
    assert kvm.backend(tmp_path) is None


def test_no_modules_at_all(tmp_path: Path) -> None:
    assert kvm.backend(tmp_path) is None


@pytest.mark.parametrize(("value", "emulates"), [("N\n", True), ("0\n", True), ("Y\n", False)])
def test_real_mode_is_emulated_without_unrestricted_guests(
    tmp_path: Path, value: str, emulates: bool
) -> None:
    load(tmp_path, "kvm_intel/parameters")
    (tmp_path / "sys/module/kvm_intel/parameters/unrestricted_guest").write_text(value)
    assert kvm.emulates_real_mode(tmp_path) is emulates


def test_real_mode_is_not_emulated_where_nothing_says_so(tmp_path: Path) -> None:
    load(tmp_path, "kvm_amd")
    assert not kvm.emulates_real_mode(tmp_path)


@pytest.mark.parametrize(
    ("table", "isa"),
    [
        ("", Isa.NONE),
        (' : __print_symbolic(REC->exit_reason, { 65536, "SYSCALL" })', Isa.PVM),
    ],
)
def test_pvm_emits_exits_if_their_format_has_its_reasons(
    tmp_path: Path, table: str, isa: Isa
) -> None:
    (tmp_path / "sys/module/kvm_pvm").mkdir(parents=True)
    event = tmp_path / "events/kvm/kvm_exit"
    event.mkdir(parents=True)
    known = '__print_symbolic(REC->exit_reason & 0xffff, { 12, "HLT" })'
    others = '__print_symbolic(REC->exit_reason, { 0x078, "hlt" })'
    (event / "format").write_text(f"print fmt: {known} : {others}{table}")
    found = kvm.with_events(kvm.backend(tmp_path), tmp_path)
    assert found
    assert found.isa is isa
    assert found.has_exit_events is (isa is Isa.PVM)
