"""Names of exit reasons: as the running kernel names them, or from the built-in tables.

The names stand in the `print fmt` of the `kvm_exit` event, once for VMX and once
for SVM. The built-in tables are the names of Linux 6.18; a test compares their
codes with the `asm/vmx.h` and `asm/svm.h` of the distribution's kernel headers.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from bpfexit.names import reason_tables

VMX_CODE_MASK = 0xFFFF
VMX_FAILED_ENTRY = 1 << 31
VMX_UNKNOWN = 0xFFFFFFFF
"""The TDX module did not run the guest (Linux 6.16, tdx_to_vmx_exit_reason()): it has no flags."""

NO_EXIT = 0xFFFE0000
"""The reason code of an access outside any exit (`wire.h`)."""

SVM_HLT = 0x78
"""The code of HLT, which an SEV-ES guest gives with its VMGEXIT."""

IDLE = frozenset({"HLT", "hlt", "idle-halt"})
"""Reasons in which the guest waits. Their time is idle time, in no latency and no share."""

_SYMBOLS = re.compile(r"__print_symbolic\(REC->exit_reason[^{]*((?:\{[^}]*\}[,\s]*)+)\)")
_PAIR = re.compile(r'\{\s*([^,}]+?)\s*,\s*"([^"]*)"\s*\}')
_NUMBER = re.compile(r"(-?(?:0x[0-9a-f]{1,16}|[0-9]{1,20}))u?l{0,2}", re.IGNORECASE | re.ASCII)
"""A C literal; those of SVM end in `ull` in newer kernels."""


class Isa(IntEnum):
    """Whose exit reasons these are: `isa` of `kvm_exit`; NONE where no `kvm_exit` is emitted.

    PVM's own tree has a table of its own; that of other trees emits no `kvm_exit`.
    """

    NONE = 0
    VMX = 1
    SVM = 2
    PVM = 3


@dataclass(frozen=True)
class Reasons:
    """Reason names by code, for each vendor; PVM's are empty where the kernel has none."""

    vmx: Mapping[int, str]
    svm: Mapping[int, str]
    pvm: Mapping[int, str] = field(default_factory=dict)

    def name(self, isa: int, code: int) -> str | None:
        """Return the name of a reason code; None where there is no exit to have one.

        A code of another ISA is a number: it has no name of another table.
        """
        if isa == Isa.NONE or code == NO_EXIT:
            return None
        if isa != Isa.VMX:
            return self.table(isa).get(code, f"unknown_{code:#x}")
        if code == VMX_UNKNOWN:
            return f"UNKNOWN_{code:#x}"
        basic = code & VMX_CODE_MASK
        name = self.vmx.get(basic, f"UNKNOWN_{basic:#x}")
        return f"{name} FAILED_VMENTRY" if code & VMX_FAILED_ENTRY else name

    def codes(self, isa: int, name: str) -> list[int]:
        """Return the codes with this name, in any case."""
        return [code for code, known in self.table(isa).items() if known.lower() == name.lower()]

    def table(self, isa: int) -> Mapping[int, str]:
        """Return the names of one vendor, by code."""
        tables: dict[int, Mapping[int, str]] = {1: self.vmx, 2: self.svm, 3: self.pvm}
        return tables.get(int(isa), {})


BUILT_IN = Reasons(reason_tables.VMX, reason_tables.SVM)


def parse_format(text: str) -> Reasons:
    """Read the names from the text of `events/kvm/kvm_exit/format`.

    The first table is that of VMX, the second that of SVM, and the third that of PVM, which most
    kernels lack. One of the first two that is not there is the built-in one.
    """
    tables = [_table(block) for block in _SYMBOLS.findall(text)]
    vmx = tables[0] if tables else reason_tables.VMX
    svm = tables[1] if len(tables) > 1 else reason_tables.SVM
    return Reasons(vmx, svm, tables[2] if len(tables) > 2 else {})


def _table(block: str) -> dict[int, str]:
    """`{ 0x040 + 1, "DB excp" }, { (1UL << 16), "..." }`: codes are 32-bit sums of literals.

    An entry written in another way is skipped, so its exits are shown by number.
    """
    codes = ((_code(expression), name) for expression, name in _PAIR.findall(block))
    return {code: name for code, name in codes if code is not None}


def _code(expression: str) -> int | None:
    terms = [_term(term) for term in expression.replace("(", "").replace(")", "").split("+")]
    known = [term for term in terms if term is not None]
    return sum(known) & 0xFFFFFFFF if len(known) == len(terms) else None


def _term(text: str) -> int | None:
    """Return a literal, or one that is shifted to the left by another; None for all else."""
    literals = [_NUMBER.fullmatch(part.strip()) for part in text.split("<<")]
    values = [int(each[1], 16 if "x" in each[1].lower() else 10) for each in literals if each]
    if len(values) < len(literals) or len(values) > 2:
        return None
    value, shift = (*values, 0)[:2]
    return value << shift if 0 <= shift < 32 else None
