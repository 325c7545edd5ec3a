"""The sets and macros by which the programs choose what they count and report."""

from bpfexit.model.slow import Threshold
from bpfexit.names.reasons import VMX_CODE_MASK, Isa

SLOW_PAGES = 256
"""Size of the ring buffer for slow exits: 1 MiB, for some 8,700 between two readings."""


def traced_sets(
    pids: tuple[int, ...], vcpus: tuple[int, ...], tids: tuple[int, ...] = ()
) -> dict[str, frozenset[int]]:
    """Return the sets of maps.h by which the programs choose vCPUs, without those that are empty.

    They are maps and no macros, so that the cache of compiled programs serves every choice.
    """
    sets = {
        "traced_pids": frozenset(pids),
        "traced_vcpus": frozenset(vcpus),
        "traced_tids": frozenset(tids),
    }
    return {name: numbers for name, numbers in sets.items() if numbers}


def reason_macro(isa: Isa, codes: list[int]) -> dict[str, str]:
    """Return the macro that selects exits."""
    return {"REASON_TRACED(r)": _any_of(_code_of(isa), tuple(codes))} if codes else {}


def idle_macro(isa: Isa, codes: list[int]) -> dict[str, str]:
    """Return the macro by which the programs know the exits in which a guest is idle."""
    return {"IDLE_REASON(r)": _any_of(_code_of(isa), tuple(codes))} if codes else {}


def slow_macros(threshold: Threshold) -> dict[str, str]:
    """Return the macros that report single slow exits; idle time is never reported."""
    return {
        "SLOW_NS": f"{threshold.than_ns}ULL",
        "SLOW_RATE": str(threshold.rate),
        "SLOW_PAGES": str(SLOW_PAGES),
    }


def guest_macro(guests: tuple[str, ...]) -> dict[str, str]:
    """Return the macro by which user space can stop the count of a guest: it knows the names."""
    return {"TRACED_GUESTS": "1"} if guests else {}


def _code_of(isa: Isa) -> str:
    """Return C for the code in a reason `r`: VMX has flags above the 16 bits of the code."""
    return f"((r)&{VMX_CODE_MASK})" if isa is Isa.VMX else "(r)"


def _any_of(value: str, numbers: tuple[int, ...]) -> str:
    return "(" + "||".join(f"{value}=={number}u" for number in numbers) + ")"
