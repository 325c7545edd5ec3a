"""All histogram formats: every module of `bpfexit.formats.hist` that defines a `FORMAT`."""

import textwrap

from bpfexit.discover import defined
from bpfexit.formats import hist
from bpfexit.formats.hist.format import Format

FORMATS: dict[str, Format] = {form.name: form for form in defined(hist, "FORMAT", Format)}

_HELP_WIDTH = 62


def help_lines() -> str:
    """Return the lines on the formats in the command's help."""
    lines = []
    for form in FORMATS.values():
        first, *rest = textwrap.wrap(form.help, _HELP_WIDTH)
        lines += [f"  {form.name:<12} {first}", *(f"{'':15}{line}" for line in rest)]
    return "\n".join(lines)
