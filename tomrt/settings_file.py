"""Read the settings: built-in defaults, then one TOML file, then ``TOMRT_SECTION__KEY`` from the environment.

Whatever is wrong is collected and raised once, each fault with its place and the nearest key there is.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs
from attrs import frozen
from cattrs import Converter
from cattrs.errors import AttributeValidationNote, BaseValidationError, ForbiddenExtraKeysError
from cattrs.gen import make_dict_structure_fn, override

from tomrt.errors import SettingsError
from tomrt.settings import Secret, Settings, check_together, sections
from tomrt.settings_faults import Faults, known_keys
from tomrt.settings_meaning import fault_in, meaning_of

__all__ = ["load"]

MAX_FILE_BYTES = 1 << 20
PREFIX = "TOMRT_"

Tree = dict[str, Any]


def load(path: Path | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Return the settings in force.

    Args:
        path: A TOML file; ``None`` for none.
        environ: Variables to read, ``os.environ`` as a rule; ``None`` for none.

    Raises:
        SettingsError: with every fault found, each ``file:line: section.key: what is wrong``; for a fault in the
            environment the variable stands in the place of file and line.
    """
    text = "" if path is None else _read(path)
    faults = Faults(file="" if path is None else str(path), text=text)
    secrets = _SecretSource(folder=Path() if path is None else path.parent, environ=environ or {})
    settings = _structure(_parse(text, faults.file), secrets, faults)
    settings = _overlay(settings, secrets, faults)
    for keys, sentence in check_together(settings):
        if not faults.keys.intersection((*keys, *(key.partition(".")[0] for key in keys))):
            faults.add(keys[0], sentence, *keys[1:])
    faults.raise_all()
    return settings


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise SettingsError(f"{path}: cannot be read: {reason}") from None
    if len(raw) > MAX_FILE_BYTES:
        raise SettingsError(f"{path}: is larger than {MAX_FILE_BYTES >> 20} MiB; is it a settings file?")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise SettingsError(f"{path}:{line}: is not UTF-8 text") from None


def _parse(text: str, file: str) -> Tree:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", str(error))
        line = int(found[1]) if found and found[1] else text.count("\n") + 1
        sentence = str(error)[: found.start()] if found else str(error)
        raise SettingsError(f"{file}:{line}: is not TOML: {sentence}") from None
    except (ValueError, RecursionError):  # an integer of thousands of digits, brackets thousands deep
        raise SettingsError(f"{file}:1: cannot be read as TOML: a number too long, or nested too deep") from None


# --- one value -------------------------------------------------------------------------------------------------------

_TYPES = {bool: "true or false", int: "a whole number", float: "a number", str: "a text in quotes"}


@frozen(kw_only=True)
class _SecretSource:
    """Resolves ``{file = …}`` (beside the settings file) and ``{env = …}``."""

    folder: Path
    environ: Mapping[str, str]

    def resolve(self, value: object) -> Secret:
        """Return the secret meant by *value*.

        Raises:
            ValueError: it names nothing that can be read; the message never holds the secret.
        """
        match value:
            case str():
                return Secret(value)
            case {"file": str(name), **rest} if not rest:
                return self._from_file(name)
            case {"env": str(name), **rest} if not rest:
                if found := self.environ.get(name, ""):
                    return Secret(found)
                raise ValueError(f"the environment variable {name} is not set")
        raise ValueError('must be a text in quotes, {file = "PATH"} or {env = "NAME"}')

    def _from_file(self, name: str) -> Secret:
        try:
            found = Secret(_read(self.folder / name).strip())
        except SettingsError as error:
            raise ValueError(f"the file with the secret, {error}") from None
        if not found:
            raise ValueError(f"the file with the secret, {self.folder / name}, is empty")
        return found


def _convert(value: object, attribute: attrs.Attribute[Any], secrets: _SecretSource) -> Any:
    """Return *value* as the field wants it.

    Raises:
        ValueError: with what is wrong, in words for the operator.
    """
    wanted = type(attribute.default)
    if wanted is Secret:
        value = secrets.resolve(value)
    elif wanted is float and type(value) is int and abs(value) < 1 << 53:
        value = float(value)
    elif type(value) is not wanted:
        raise ValueError(f"must be {_TYPES[wanted]}, not {_shown(value)}")
    if fault := fault_in(value, meaning_of(attribute)):
        raise ValueError(fault)
    return value


def _shown(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case dict():
            return "a table"
        case list():
            return "a list"
        case int() if abs(value) >= 1 << 53:
            return "a number that long"
    text = repr(value)
    return text if len(text) <= 42 else f"{text[:40]}…"


# --- the file --------------------------------------------------------------------------------------------------------


def _structure(tree: Tree, secrets: _SecretSource, faults: Faults) -> Settings:
    """Structure *tree*; tell each fault, and leave the default where one is."""
    converter = _converter(secrets)
    try:
        return converter.structure(tree, Settings)
    except BaseValidationError as group:
        wrong = _tell(group, "", faults)
    for holder, name in wrong:
        (tree[holder] if holder else tree).pop(name)
    return converter.structure(tree, Settings)


def _converter(secrets: _SecretSource) -> Converter:
    converter = Converter(forbid_extra_keys=True, detailed_validation=True)
    for _, cls in sections():
        fields = {each.name: override(struct_hook=_field_hook(each, secrets)) for each in attrs.fields(cls)}
        # the annotation of cattrs wants its "from the converter" arguments and the overrides in one keyword dict
        converter.register_structure_hook(cls, _section_hook(make_dict_structure_fn(cls, converter, **fields)))  # type: ignore[arg-type]
    return converter


def _field_hook(attribute: attrs.Attribute[Any], secrets: _SecretSource) -> Callable[[object, type], Any]:
    return lambda value, _: _convert(value, attribute, secrets)


def _section_hook(structure: Callable[..., Any]) -> Callable[[object, type], Any]:
    def hook(value: object, cls: type) -> Any:
        if isinstance(value, dict):
            return structure(value, cls)
        raise ValueError(f"must be a section, written [{cls.__name__.lower()}]")

    return hook


def _tell(group: BaseValidationError, section: str, faults: Faults) -> list[tuple[str, str]]:
    """Tell every fault in *group*; return the section (``""`` at the top) and the name of each."""
    wrong: list[tuple[str, str]] = []
    prefix = f"{section}." if section else ""
    for error in group.exceptions:
        name = next(
            (note.name for note in getattr(error, "__notes__", ()) if type(note) is AttributeValidationNote), ""
        )
        match error:
            case BaseValidationError():
                wrong += _tell(error, name, faults)
            case ForbiddenExtraKeysError():
                for unknown in sorted(error.extra_fields):
                    faults.add_unknown(prefix + unknown)
                    wrong.append((section, unknown))
            case _:
                faults.add(prefix + name, str(error))
                wrong.append((section, name))
    return wrong


# --- the environment -------------------------------------------------------------------------------------------------


def _overlay(settings: Settings, secrets: _SecretSource, faults: Faults) -> Settings:
    """Put what the environment says over *settings*; a variable without ``__`` is none of ours."""
    for variable in sorted(secrets.environ):
        section, ours, name = variable.removeprefix(PREFIX).lower().partition("__")
        if not ours or not variable.startswith(PREFIX):
            continue
        key = f"{section}.{name}"
        if key not in known_keys():
            faults.add_unknown_variable(variable, key)
            continue
        faults.variables[key] = variable
        part = getattr(settings, section)
        attribute = getattr(attrs.fields(type(part)), name)
        try:
            value = _convert(_from_text(secrets.environ[variable], type(attribute.default)), attribute, secrets)
        except ValueError as error:
            faults.add(key, str(error))
        else:
            settings = attrs.evolve(settings, **{section: attrs.evolve(part, **{name: value})})
    return settings


def _from_text(text: str, wanted: type) -> object:
    """Return what a variable means for a field of type *wanted*; the text itself where it means nothing."""
    if wanted is bool:
        return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}.get(text.lower(), text)
    if wanted is Secret and text.startswith("{"):
        try:
            return tomllib.loads(f"it = {text}")["it"]
        except (ValueError, RecursionError):
            return None  # refused by its type, and not shown
    if wanted in {int, float} and re.fullmatch(r"[+-]?\d{1,15}", text, re.ASCII):
        return int(text)
    if wanted is float and re.fullmatch(r"[+-]?\d{0,15}\.\d{1,15}", text, re.ASCII):
        return float(text)
    return text
