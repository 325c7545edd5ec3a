"""All histogram formats: every module of `bpfexit.formats.hist` that defines a `FORMAT`."""

import textwrap

from bpfexit.discover import defined
from bpfexit.formats import hist
from bpfexit.formats.hist.format import Format

FORMATS: dict[str, Format] = {each.name: each for each in defined(hist, "FORMAT", Format)}

_HELP_WIDTH = 62


def help_lines() -> str:
    """Return the lines on the formats in the command's help."""
    lines = []
    for each in FORMATS.values():
        first, *rest = textwrap.wrap(each.help, _HELP_WIDTH)
        lines += [f"  {each.name:<12} {first}", *(f"{'':15}{line}" for line in rest)]
    return "\n".join(lines)
