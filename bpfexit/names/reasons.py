"""Names of exit reasons: as the running kernel names them, or from the built-in tables.

The names stand in the `print fmt` of the `kvm_exit` event, once for VMX and once
for SVM. The built-in tables are the names of Linux 6.18; a test compares their
codes with the `asm/vmx.h` and `asm/svm.h` of the distribution's kernel headers.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from bpfexit.names import reason_tables

VMX_CODE_MASK = 0xFFFF
VMX_FAILED_ENTRY = 1 << 31
VMX_UNKNOWN = 0xFFFFFFFF
"""The TDX module did not run the guest (Linux 6.16, tdx_to_vmx_exit_reason()): it has no flags."""

NO_EXIT = 0xFFFE0000
"""What the programs give as the reason of an access outside any exit (`wire.h`)."""

IDLE = frozenset({"HLT", "hlt", "idle-halt"})
"""Reasons in which the guest waits: its idle time, in no latency and no share."""

_SYMBOLS = re.compile(r"__print_symbolic\(REC->exit_reason[^{]*((?:\{[^}]*\}[,\s]*)+)\)")
_PAIR = re.compile(r'\{\s*([^,}]+?)\s*,\s*"([^"]*)"\s*\}')
_NUMBER = re.compile(r"(-?(?:0x[0-9a-f]{1,16}|[0-9]{1,20}))u?l{0,2}", re.IGNORECASE | re.ASCII)
"""A literal of C; those of SVM end in `ull` in newer kernels."""


class Isa(IntEnum):
    """Whose exit reasons these are: `isa` of `kvm_exit`; NONE where no `kvm_exit` is emitted."""

    NONE = 0
    VMX = 1
    SVM = 2


@dataclass(frozen=True)
class Reasons:
    """Reason names by code, for both vendors."""

    vmx: Mapping[int, str]
    svm: Mapping[int, str]

    def name(self, isa: int, code: int) -> str | None:
        """Return the name of a reason code; None where there is no exit to have one."""
        if isa == Isa.NONE or code == NO_EXIT:
            return None
        if isa == Isa.SVM:
            return self.svm.get(code, f"unknown_{code:#x}")
        if code == VMX_UNKNOWN:
            return f"UNKNOWN_{code:#x}"
        basic = code & VMX_CODE_MASK
        name = self.vmx.get(basic, f"UNKNOWN_{basic:#x}")
        return f"{name} FAILED_VMENTRY" if code & VMX_FAILED_ENTRY else name

    def codes(self, isa: int, name: str) -> list[int]:
        """Return the codes that bear a name, whatever its case."""
        return [code for code, known in self.table(isa).items() if known.lower() == name.lower()]

    def table(self, isa: int) -> Mapping[int, str]:
        """Return the names of one vendor, by code."""
        return self.svm if isa == Isa.SVM else self.vmx


BUILT_IN = Reasons(reason_tables.VMX, reason_tables.SVM)


def parse_format(text: str) -> Reasons:
    """Read the names from the text of `events/kvm/kvm_exit/format`.

    The first table is that of VMX. A table that is not there is the built-in one.
    """
    tables = [_table(block) for block in _SYMBOLS.findall(text)]
    vmx = tables[0] if tables else reason_tables.VMX
    svm = tables[1] if len(tables) > 1 else reason_tables.SVM
    return Reasons(vmx, svm)


def _table(block: str) -> dict[int, str]:
    """`{ 0x040 + 1, "DB excp" }, { -1ull, "..." }`: codes are 32-bit sums of literals.

    What is written in another way is left out, so its exits are shown by number.
    """
    codes = ((_code(expression), name) for expression, name in _PAIR.findall(block))
    return {code: name for code, name in codes if code is not None}


def _code(expression: str) -> int | None:
    terms = [_NUMBER.fullmatch(term.strip()) for term in expression.split("+")]
    total = 0
    for term in terms:
        if term is None:
            return None
        number = term[1]
        total += int(number, 16 if "x" in number.lower() else 10)
    return total & 0xFFFFFFFF
