"""The configuration file: options of the command line, in TOML."""

from __future__ import annotations

import tomllib
from collections.abc import Collection
from pathlib import Path
from typing import Any

from bpfexit.errors import UsageError


def read_config(path: Path, options: Collection[str]) -> dict[str, Any]:
    """Return the values by option; numbers are text, as on the command line.

    `options` are the accepted names. Raises `UsageError`.
    """
    try:
        document = tomllib.loads(path.read_text())
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    except ValueError as error:
        raise UsageError(f"{path} is not a TOML file: {error}") from None
    for name, value in document.items():
        if name not in options:
            raise UsageError(f"{path}: unknown option {name}; known are {', '.join(options)}")
        if isinstance(value, dict):
            raise UsageError(f"{path}: {name} must be a value, not a table")
    return {name: _as_given(value) for name, value in document.items()}


def _as_given(value: Any) -> Any:
    return value if isinstance(value, bool | list) else str(value)
