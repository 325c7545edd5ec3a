"""Documents as JSON text."""

import json
from collections.abc import Mapping
from typing import Any


def line_of(document: Mapping[str, Any]) -> str:
    """Return a document as one line of JSON, without its newline.

    Raises `ValueError` for a number that JSON does not have (nan).
    """
    return json.dumps(document, separators=(",", ":"), allow_nan=False)
