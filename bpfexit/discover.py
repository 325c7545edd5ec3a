"""Find what each module of a package defines, so that adding one takes one file."""

from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType
from typing import TypeVar

T = TypeVar("T")


def defined(package: ModuleType, name: str, kind: type[T]) -> list[T]:
    """Return the constant `name` of each module in `package` that defines one, by module name."""
    objects = []
    for module in sorted(iter_modules(package.__path__), key=lambda info: info.name):
        value = getattr(import_module(f"{package.__name__}.{module.name}"), name, None)
        if isinstance(value, kind):
            objects.append(value)
    return objects
