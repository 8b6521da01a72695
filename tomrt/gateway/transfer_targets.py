"""Whom a caller may be put through to: names from the settings, and nobody else."""

from __future__ import annotations

import re

from attrs import frozen

from tomrt.errors import SettingsError
from tomrt.settings import TRANSFER

__all__ = ["Target", "read_targets"]

_ENTRY = re.compile(TRANSFER)


@frozen
class Target:
    """Somebody who may be called for a caller.

    Args:
        name: What people and models call them.
        extension: What the dialplan calls them.
        context: In which part of the dialplan; ``""`` for the caller's own.
    """

    name: str
    extension: str
    context: str = ""


def read_targets(text: str) -> dict[str, Target]:
    """Read ``reception=1000 sales=2001@internal``, by name in lower case and in order.

    Raises:
        SettingsError: an entry is something else, or a name is there twice; all of them at once.
    """
    targets: dict[str, Target] = {}
    faults = []
    for number, entry in enumerate(text.split(), 1):
        match = _ENTRY.fullmatch(entry)
        if match is None:
            faults.append(f"freeswitch.transfers: entry {number} is not NAME=EXTENSION or NAME=EXTENSION@CONTEXT")
        elif match["name"].lower() in targets:
            faults.append(f"freeswitch.transfers: {match['name']} is there twice")
        else:
            name = match["name"].lower()
            targets[name] = Target(name, match["extension"], match["context"] or "")
    if faults:
        raise SettingsError(*faults)
    return targets
