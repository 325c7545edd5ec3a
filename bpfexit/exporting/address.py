"""The address at which the exporter listens."""

from typing import NamedTuple


class Address(NamedTuple):
    """A TCP address; an IPv6 host is without brackets."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


DEFAULT_ADDRESS = Address("127.0.0.1", 25863)
"""Loopback; ports 9100 to 9999, which exporters register, are all taken."""
