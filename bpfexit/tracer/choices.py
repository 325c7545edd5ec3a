"""The macros by which the programs choose what they count and report."""

from bpfexit.model.slow import Threshold
from bpfexit.names.reasons import VMX_CODE_MASK, Isa

SLOW_PAGES = 256
"""Size of the ring buffer for slow exits: 1 MiB, room for some 13,000 between two readings."""


def traced_macro(pids: tuple[int, ...], vcpus: tuple[int, ...]) -> dict[str, str]:
    """Return the macro by which the programs choose vCPUs, when they are first seen."""
    tests = [_any_of("(pid)", pids)] if pids else []
    tests += [_any_of("(vcpu_id)", vcpus)] if vcpus else []
    return {"TRACED(pid,vcpu_id)": "&&".join(tests)} if tests else {}


def reason_macro(isa: Isa, codes: list[int]) -> dict[str, str]:
    """Return the macro by which the programs choose exits."""
    return {"REASON_TRACED(r)": _any_of(_code_of(isa), tuple(codes))} if codes else {}


def slow_macros(threshold: Threshold, isa: Isa, idle_codes: list[int]) -> dict[str, str]:
    """Return the macros by which single slow exits are told of; never those of idle time."""
    macros = {
        "SLOW_NS": f"{threshold.than_ns}ULL",
        "SLOW_RATE": str(threshold.rate),
        "SLOW_PAGES": str(SLOW_PAGES),
    }
    if idle_codes:
        macros["SLOW_IDLE(r)"] = _any_of(_code_of(isa), tuple(idle_codes))
    return macros


def _code_of(isa: Isa) -> str:
    """Return C for the code in a reason `r`: VMX has flags above the 16 bits of the code."""
    return f"((r)&{VMX_CODE_MASK})" if isa is Isa.VMX else "(r)"


def _any_of(value: str, numbers: tuple[int, ...]) -> str:
    return "(" + "||".join(f"{value}=={number}u" for number in numbers) + ")"
