"""Which events one event socket gets: what it asked for, narrowed by its filters, and by ``myevents`` to one call."""

from __future__ import annotations

import re

from attrs import define, field
from fakes.freeswitch_text import Event

__all__ = ["MY_EVENTS", "Subscription"]

MY_EVENTS = frozenset(
    {
        "CHANNEL_CREATE",
        "CHANNEL_DESTROY",
        "CHANNEL_STATE",
        "CHANNEL_CALLSTATE",
        "CHANNEL_ANSWER",
        "CHANNEL_HANGUP",
        "CHANNEL_HANGUP_COMPLETE",
        "CHANNEL_EXECUTE",
        "CHANNEL_EXECUTE_COMPLETE",
        "CHANNEL_HOLD",
        "CHANNEL_UNHOLD",
        "CHANNEL_BRIDGE",
        "CHANNEL_UNBRIDGE",
        "CHANNEL_PROGRESS",
        "CHANNEL_PROGRESS_MEDIA",
        "CHANNEL_ORIGINATE",
        "CHANNEL_OUTGOING",
        "CHANNEL_PARK",
        "CHANNEL_UNPARK",
        "CHANNEL_APPLICATION",
        "CHANNEL_DATA",
        "DTMF",
        "TALK",
        "NOTALK",
        "DETECTED_SPEECH",
    }
)
"""What ``myevents`` covers: not PLAYBACK_START and PLAYBACK_STOP, not CUSTOM."""


@define
class Subscription:
    """What was asked for so far."""

    names: set[str] = field(factory=set)
    customs: set[str] = field(factory=set)
    filters: list[tuple[str, str]] = field(factory=list)
    only: str = ""
    """The call that ``myevents`` narrows it to."""

    def add(self, arguments: str) -> bool:
        """Take the arguments of ``event``; return whether there were any. What follows CUSTOM are subclasses."""
        words = arguments.split()
        if words and words[0].lower() in {"plain", "json", "xml"}:
            del words[0]
        for index, word in enumerate(words):
            if "CUSTOM" in words[:index]:
                self.customs.add(word)
            else:
                self.names.add(word.upper())
        return bool(words)

    def remove(self, arguments: str) -> None:
        """Take the arguments of ``nixevent``."""
        for word in arguments.split():
            self.names.discard(word.upper())
            self.customs.discard(word)

    def clear(self) -> None:
        """Ask for nothing any more; filters stay."""
        self.names.clear()
        self.customs.clear()

    def filter(self, arguments: str) -> str:
        """Take the arguments of ``filter``, and return what is replied."""
        name, _, value = arguments.partition(" ")
        if name == "delete":
            name, _, value = value.partition(" ")
            self.filters = [each for each in self.filters if name != "all" and not _named(each, name, value)]
            return f"+OK filter deleted. [{name}]=[{value}]"
        if not value:
            return "-ERR invalid syntax"
        self.filters.append((name, value))
        return f"+OK filter added. [{name}]=[{value}]"

    def wants(self, event: Event) -> bool:
        """Whether *event* is delivered: one filter that fits is enough; without the header, none fits."""
        if event.name not in self.names and "ALL" not in self.names:
            return False
        if event.name == "CUSTOM" and "ALL" not in self.names and event.get("Event-Subclass") not in self.customs:
            return False
        if self.filters and not self._passes(event):
            return False
        return not self.only or self.only in {event.get("Unique-ID"), event.get("Job-Owner-UUID")}

    def _passes(self, event: Event) -> bool:
        headers = {"event-name": event.name} | {name.lower(): value for name, value in event.headers.items()}
        passes = False
        for name, value in self.filters:
            if name.lower() in headers:
                fits = _fits(headers[name.lower()], value.lstrip("+- "))
                if fits and value.startswith("-"):
                    return False
                passes |= fits
        return passes


def _named(each: tuple[str, str], name: str, value: str) -> bool:
    return each[0].lower() == name.lower() and value in {"", each[1]}


def _fits(value: str, pattern: str) -> bool:
    if pattern.startswith("/"):
        return re.search(pattern.strip("/"), value) is not None
    return value.lower() == pattern.lower()
