"""Which back end is loaded."""

from pathlib import Path

import pytest

from bpfexit.host import kvm
from bpfexit.names.reasons import Isa


def load(root: Path, *modules: str) -> None:
    for module in modules:
        (root / "sys/module" / module).mkdir(parents=True)


@pytest.mark.parametrize(
    ("module", "isa", "emits_exits"),
    [("kvm_intel", Isa.VMX, True), ("kvm_amd", Isa.SVM, True), ("kvm_pvm", Isa.NONE, False)],
)
def test_a_back_end_is_known_by_its_module(
    tmp_path: Path, module: str, isa: Isa, emits_exits: bool
) -> None:
    load(tmp_path, "kvm", module)
    backend = kvm.backend(tmp_path)
    assert backend
    assert (backend.module, backend.isa, backend.emits_exits) == (module, isa, emits_exits)


def test_kvm_alone_is_no_back_end(tmp_path: Path) -> None:
    load(tmp_path, "kvm", "kvm_xen")
    assert kvm.backend(tmp_path) is None


def test_no_modules_at_all(tmp_path: Path) -> None:
    assert kvm.backend(tmp_path) is None
