"""Faults in the settings: collected with their file, line and the nearest key there is, told all at once."""

from __future__ import annotations

import difflib
import re

import attrs
from attrs import define

from tomrt.errors import SettingsError
from tomrt.settings import sections

__all__ = ["Faults", "known_keys", "line_of", "nearest"]

AFTER_THE_FILE = 1 << 30


@define(kw_only=True)
class Faults:
    """What is wrong so far.

    Args:
        file: Name of the settings file; ``""`` where there is none.
        text: What it says.
    """

    file: str
    text: str
    variables: dict[str, str] = attrs.Factory(dict)
    """For each key that the environment sets, the name of the variable."""
    keys: set[str] = attrs.Factory(set)
    found: list[tuple[int, str]] = attrs.Factory(list)

    def add(self, key: str, sentence: str, *others: str) -> None:
        """Note that *key* (``section.key`` or a section) is at fault, together with *others* that it does not fit."""
        self.keys.add(key)
        variable = next((self.variables[each] for each in (key, *others) if each in self.variables), None)
        key = _printable(key)
        if variable:
            self.found.append((AFTER_THE_FILE, f"{variable}: {key}: {sentence}"))
        elif self.file:
            line = line_of(key, self.text)
            self.found.append((line, f"{self.file}:{line}: {key}: {sentence}"))
        else:
            self.found.append((0, f"{key}: {sentence}"))

    def add_unknown(self, key: str) -> None:
        """Note that there is no such *key* or section, and what may have been meant."""
        self.add(key, _unknown_key(key) if "." in key else _unknown_section(key))

    def add_unknown_variable(self, variable: str, key: str) -> None:
        """Note that the environment sets a *key* that does not exist."""
        near = nearest(key, known_keys())
        hint = f"; nearest valid one: TOMRT_{near.replace('.', '__').upper()}" if near else ""
        self.found.append((AFTER_THE_FILE, f"{_printable(variable)}: {_printable(key)}: unknown key{hint}"))

    def raise_all(self) -> None:
        """Raise what was found, in the order of the file, the environment last.

        Raises:
            SettingsError: when anything was found.
        """
        if self.found:
            raise SettingsError(*(sentence for _, sentence in sorted(self.found)))


def _printable(key: str) -> str:
    return (key if key.isprintable() else repr(key))[:80]


def known_keys() -> list[str]:
    """Return every ``section.key`` there is."""
    return [f"{name}.{each.name}" for name, cls in sections() for each in attrs.fields(cls)]


def nearest(key: str, candidates: list[str]) -> str:
    """Return the closest of *candidates*: the same name elsewhere, a like key, a like name, or ``""``."""
    last = {each.rpartition(".")[2]: each for each in candidates}
    name = key.rpartition(".")[2]
    if name in last:
        return last[name]
    if near := difflib.get_close_matches(key, candidates, 1, 0.6):
        return near[0]
    near = difflib.get_close_matches(name, list(last), 1, 0.6)
    return last[near[0]] if near else ""


def _unknown_key(key: str) -> str:
    near = nearest(key, known_keys())
    return f"unknown key; nearest valid key: {near}" if near else "unknown key; --explain-settings lists the valid ones"


def _unknown_section(name: str) -> str:
    names = [each for each, _ in sections()]
    if near := difflib.get_close_matches(name, names, 1, 0.6):
        return f"unknown section; nearest valid section: [{near[0]}]"
    if key := nearest(name, known_keys()):
        return f"stands outside its section; nearest valid key: {key}"
    return f"unknown section; the valid ones are {', '.join(names)}"


def line_of(key: str, text: str) -> int:
    """Return the line, from 1, on which the TOML *text* sets *key*, or opens its section, or 1.

    A scan for headers and assignments, good enough to point a reader at the place.
    """
    section = key.partition(".")[0]
    table, section_line = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[+([^\]]*)\]", line):
            full = table = _bare(header[1])
            if full == key:
                return number
        elif assigned := re.match(r"([^=#]+)=", line):
            full = f"{table}.{_bare(assigned[1])}".lstrip(".")
            if full == key or full.startswith(f"{key}."):
                return number
        else:
            continue
        if full.partition(".")[0] == section:
            section_line = section_line or number
    return section_line or 1


def _bare(key: str) -> str:
    return ".".join(part.strip().strip("\"'") for part in key.split("."))
