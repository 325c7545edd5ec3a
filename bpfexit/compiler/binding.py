"""The bcc binding, which only the distribution has; this is the only module that imports it."""

from typing import Any

from bpfexit.errors import BpfexitError

BCC_MISSING = (
    "the bcc binding is missing: install the distribution's package (Debian: "
    "`apt-get install python3-bpfcc`) and run bpfexit with /usr/bin/python3 or a venv of it "
    "made with --system-site-packages; the package `bcc` on PyPI is something else"
)


def import_bcc() -> Any:
    """Import the binding. Raises `BpfexitError`."""
    try:
        import bcc  # noqa: PLC0415 - late: a missing one is an error to report
    except ImportError:
        raise BpfexitError(BCC_MISSING) from None
    except OSError as error:  # its library, libbcc, is not there or does not fit
        raise BpfexitError(
            f"the bcc binding does not load ({error}): install python3-bpfcc again"
        ) from None
    if not hasattr(bcc, "BPF"):
        raise BpfexitError(BCC_MISSING)
    return bcc
