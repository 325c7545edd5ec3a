"""Numbers formatted to be read at a glance; unknown ones are blank."""

from math import isnan

_TIME_UNITS = ((1e9, "s"), (1e6, "ms"), (1e3, "µs"))
_MEMORY_UNITS = ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))
_DAY_S = 86400


def duration(ns: float) -> str:
    """Format a time in ns with three digits and its unit: `850ns`, `1.24µs`, `12.4ms`."""
    if isnan(ns):
        return ""
    for size, unit in _TIME_UNITS:
        if ns >= size * 0.9995:
            return f"{_three_digits(ns / size)}{unit}"
    return f"{ns:.0f}ns"


def saved(ns: float) -> str:
    """Format time saved, or with a minus time lost."""
    return "" if isnan(ns) else f"{'-' if ns < 0 else ''}{duration(abs(ns))}"


def ratio(times: float) -> str:
    """Format a ratio, at most six characters long: `x0.25`, `x1.08`, `x12.3`, `x140`."""
    if isnan(times):
        return ""
    if times >= 9999.5:
        return f"x{times:.0e}"
    return f"x{_three_digits(times)}" if times >= 0.00995 or not times else f"x{times:.0e}"


def share(part: float) -> str:
    """Format a share, 1.0 being all, in percent with one decimal."""
    return "" if isnan(part) else f"{100 * part:.1f}"


def share_if_any(part: float) -> str:
    """Format a share in the same way, but one of 0 as nothing: where most lines have none."""
    return share(part) if part else ""


def small_share(part: float) -> str:
    """Format a share that is mostly small, in percent with two or three digits."""
    return "" if isnan(part) else f"{100 * part:.{2 if part < 0.00995 else 1}f}"


def rate(per_second: float) -> str:
    """Format a rate: whole numbers from 100 on, one decimal below."""
    if isnan(per_second):
        return ""
    return f"{per_second:,.0f}" if per_second >= 99.95 else f"{per_second:.1f}"


def count(number: float) -> str:
    """Format a count, whole."""
    return f"{number:,.0f}"


def memory(size: int) -> str:
    """Format bytes in powers of 1,024 with three digits and their unit: `64.0MiB`, `4.00GiB`."""
    for unit, name in _MEMORY_UNITS:
        if size >= unit:
            return f"{_three_digits(size / unit)}{name}"
    return f"{size}B"


def elapsed(seconds: float) -> str:
    """Format an age in whole seconds: `0:00:05`, `3d 04:12:09`."""
    days, rest = divmod(int(seconds), _DAY_S)
    return f"{days}d {clock(rest):0>8}" if days else clock(rest)


def clock(seconds: float) -> str:
    """Format a time in hours, minutes and whole seconds: `0:00:05`, `30:12:09`."""
    minutes, second = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{second:02}"


def _three_digits(value: float) -> str:
    if value >= 99.95:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 9.995 else f"{value:.2f}"
