"""Documents of the schemas `bpfexit.*/1`, translated: recordings of bpfexit 0.1 stay readable.

The fields have other names than in `/2` and the same meanings. The fields of rows that are read
have the same names, too.
"""

from typing import Any

_NAMES = {"emits_exits": "has_exit_events", "ended": "ended_pids", "only": "only_reasons"}
_SCHEMAS = ("recording", "snapshot")
"""Those in which these names stand at the top; `ended` of a guest is its own."""


def translated(document: Any) -> Any:
    """Return a document of `/1` as one of `/2`, and any other as it is."""
    if not isinstance(document, dict):
        return document
    name, _, version = str(document.get("schema")).partition("/")
    if version != "1":
        return document
    document["schema"] = f"{name}/2"
    if name.removeprefix("bpfexit.") in _SCHEMAS:
        document = {_NAMES.get(key, key): value for key, value in document.items()}
    _rename(document.get("lost"), "folded", "extra_accesses")
    _rename(document.get("slow"), "limited", "rate_limited")
    return document


def _rename(part: Any, old: str, new: str) -> None:
    if isinstance(part, dict) and old in part:
        part[new] = part.pop(old)
