"""The version of the host's Linux, for facts that depend on it.

Distributions take features into older kernels, so a rule that needs a version says so.
"""

import re

from bpfexit.advice.evidence import Evidence

_VERSION = re.compile(r"([0-9]{1,4})\.([0-9]{1,4})", re.ASCII)


def linux_since(evidence: Evidence, major: int, minor: int) -> bool | None:
    """Return whether the host's Linux has this version or a newer one; None if unknown."""
    match = _VERSION.match(evidence.kernel)
    return None if match is None else (int(match[1]), int(match[2])) >= (major, minor)
