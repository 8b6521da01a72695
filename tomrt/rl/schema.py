"""The JSON Schema of feedback events, made from the classes that check them, so that the two cannot differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from tomrt.rl.feedback import PROFILES, FeedbackEvent, Signals

__all__ = ["feedback_schema"]

_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string"}


def feedback_schema(profiles: Sequence[str] = PROFILES) -> dict[str, Any]:
    """Return the schema (JSON Schema 2020-12) of what :func:`~tomrt.rl.feedback.read_event` reads.

    Args:
        profiles: Those that the operator has.
    """
    fields = attrs.fields_dict(FeedbackEvent)
    properties = {
        name: _described(attribute.metadata) for name, attribute in fields.items() if "type" in attribute.metadata
    }
    properties["profile"] = {"enum": list(profiles), "description": fields["profile"].metadata["meaning"]}
    signals = {signal.name: _described(signal.metadata, optional=True) for signal in attrs.fields(Signals)}
    properties["signals"] = _object(signals, fields["signals"].metadata["meaning"])
    properties["observed"] = _object(
        {name: {"type": "number", "exclusiveMinimum": 0, "maximum": 1} for name in signals},
        fields["observed"].metadata["meaning"],
    )
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Feedback on one call",
        **_object({name: properties[name] for name in fields}, ""),
        "required": [name for name, attribute in fields.items() if attribute.default is attrs.NOTHING],
    }


def _object(properties: Mapping[str, Any], meaning: str) -> dict[str, Any]:
    """Return the schema of an object that has only *properties*."""
    described = {"description": meaning} if meaning else {}
    return {"type": "object", **described, "properties": dict(properties), "additionalProperties": False}


def _described(metadata: Mapping[str, Any], *, optional: bool = False) -> dict[str, Any]:
    """Return the schema of one field from what its class says of it."""
    kind = _TYPES[metadata["type"]]
    schema: dict[str, Any] = {"type": [kind, "null"] if optional else kind, "description": metadata["meaning"]}
    if kind == "string":
        schema |= {"minLength": metadata["least"], "maxLength": metadata["most"]}
        if metadata["pattern"]:
            schema["pattern"] = metadata["pattern"]
    elif kind != "boolean":
        schema |= {"minimum": metadata["least"], "maximum": metadata["most"]}
    return schema
