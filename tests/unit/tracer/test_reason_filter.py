"""--reason: names of the running kernel, in any case, with a suggestion for typos."""

import pytest

from bpfexit.errors import UsageError
from bpfexit.host.kvm import Backend
from bpfexit.names.reasons import BUILT_IN, Isa
from bpfexit.tracer.host_plan import reason_filter

SVM = Backend("kvm_amd", "AMD SVM", Isa.SVM)
PVM = Backend("kvm_pvm", "PVM", Isa.NONE)


def test_a_name_selects_its_code_in_any_case() -> None:
    (macro,) = reason_filter(SVM, BUILT_IN, ("NPF",)).values()
    assert "1024" in macro or "0x400" in macro


def test_a_typo_gets_a_suggestion_and_all_names() -> None:
    with pytest.raises(UsageError, match=r"kvm_amd 'npff'; did you mean 'npf'\? \(.*\bhlt\b"):
        reason_filter(SVM, BUILT_IN, ("npff",))


def test_a_back_end_without_exits_has_none() -> None:
    with pytest.raises(UsageError, match="kvm_pvm gives no exit reasons"):
        reason_filter(PVM, BUILT_IN, ("hlt",))
