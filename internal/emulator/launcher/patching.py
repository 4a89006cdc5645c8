"""Replaces functions of an emulator, and only those it was written for.

The emulators are not made to be extended, so a new release may move or change
what we replace. Every replacement therefore names the parameters it expects;
when they differ, the launcher stops at start instead of failing later in a way
that is hard to see.
"""

import inspect
from importlib import metadata

PINNED = {"ministack": "1.5.33", "hypercorn": "0.18.0", "moto": "5.2.5"}


def replace(owner, name, replacement, parameters):
    """Put replacement in the place of owner.name and return what was there.

    owner is a module or a class; parameters are the names that the replaced
    function takes, in order.
    """
    original = expect(owner, name, parameters)
    setattr(owner, name, replacement)
    return original


def expect(owner, name, parameters):
    """Return owner.name, or stop when it does not take these parameters."""
    original = inspect.getattr_static(owner, name, None)
    if original is None:
        _stop(owner, f"{_path(owner)}.{name} does not exist")
    found = list(inspect.signature(original).parameters)
    if found != list(parameters):
        _stop(owner, f"{_path(owner)}.{name} takes ({', '.join(found)}), not ({', '.join(parameters)})")
    return original


def replace_entry(owner, table_name, key, replacement):
    """Put replacement into a dispatch table, which holds the old function by reference."""
    table = getattr(owner, table_name, None)
    if not isinstance(table, dict) or key not in table:
        _stop(owner, f"{_path(owner)}.{table_name} has no entry {key!r}")
    table[key] = replacement


def _path(owner):
    module = getattr(owner, "__module__", None)
    return f"{module}.{owner.__qualname__}" if module else owner.__name__


def _stop(owner, problem):
    package = _path(owner).partition(".")[0]
    raise SystemExit(
        f"{package} {metadata.version(package)} cannot be used: {problem}. "
        f"This launcher is written for {package}=={PINNED[package]}; "
        "install internal/emulator/requirements.txt."
    )
