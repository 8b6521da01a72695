"""Keys as RTP carries them: telephone-events (RFC 4733), many packets for one press."""

from __future__ import annotations

import struct
from collections import deque

from attrs import define, field, frozen

from tomrt.errors import MisuseError, ProtocolError

__all__ = ["KeyPresses", "TelephoneEvent", "parse_telephone_event", "write_telephone_event"]

KEYS = "0123456789*#ABCD"
_PAYLOAD = struct.Struct("!BBH")
_END, _RESERVED, _VOLUME = 0x80, 0x40, 0x3F
LONGEST = 0xFFFF
REMEMBERED = 32
"""Presses of which late packets are recognised; two seconds of the fastest dialler, more than reordering can mix."""


@frozen(kw_only=True)
class TelephoneEvent:
    """One packet's word about an event.

    Args:
        event: Its code: 0 to 9, 10 ``*``, 11 ``#``, 12 to 15 ``A`` to ``D``; others are no keys.
        ended: The key was let go.
        volume: Level of the tone in -dBm0, 0 to 63.
        duration: How long it has been pressed, in ticks of the payload's clock.
    """

    event: int
    ended: bool = False
    volume: int = 10
    duration: int

    @property
    def key(self) -> str:
        """The key, one of ``0123456789*#ABCD``; ``""`` for what is none, as a hook flash."""
        return KEYS[self.event] if self.event < len(KEYS) else ""


def parse_telephone_event(payload: bytes) -> TelephoneEvent:
    """Read a packet's payload (RFC 4733, 2.3).

    Raises:
        ProtocolError: it is not of 4 bytes.
    """
    if len(payload) != _PAYLOAD.size:
        raise ProtocolError(f"a telephone-event has {_PAYLOAD.size} bytes, not {len(payload)}")
    event, flags, duration = _PAYLOAD.unpack(payload)
    return TelephoneEvent(event=event, ended=bool(flags & _END), volume=flags & _VOLUME, duration=duration)


def write_telephone_event(event: TelephoneEvent) -> bytes:
    """Return the payload of a packet that tells of *event*.

    Raises:
        MisuseError: a value does not fit into its field.
    """
    if not (0 <= event.event <= 0xFF and 0 <= event.volume <= _VOLUME and 0 <= event.duration <= LONGEST):
        raise MisuseError(f"not a telephone-event: {event}")
    return _PAYLOAD.pack(event.event, event.volume | (_END if event.ended else 0), event.duration)


@define
class _Press:
    """One press, or one stretch of a long one."""

    timestamp: int
    event: int
    ended: bool
    duration: int


@define
class KeyPresses:
    """Counts each press of a key once, whatever of its packets is lost, repeated or comes late.

    All packets of a press have the timestamp of its beginning. It counts with the first of them that comes, be that
    the last one sent: nothing is waited for, and a press whose ends are all lost counts like any other. Only a press of
    which no packet at all came is missed. What is held longer than a packet can tell (8 s) is told in stretches, each
    with a timestamp of its own (RFC 4733, 2.5.1.3); they are one press.
    """

    _seen: deque[_Press] = field(factory=lambda: deque(maxlen=REMEMBERED), init=False)

    def take(self, timestamp: int, event: TelephoneEvent) -> str:
        """Take a packet and return the key it is the first to tell of; ``""`` when there is none.

        Args:
            timestamp: Of the packet, 32 bits.
            event: Its payload.
        """
        for press in self._seen:
            if press.timestamp == timestamp:
                press.ended = press.ended or event.ended
                press.duration = max(press.duration, event.duration)
                return ""
        goes_on = any(_continues(press, timestamp, event) for press in self._seen)
        self._seen.append(_Press(timestamp, event.event, event.ended, event.duration))
        return "" if goes_on else event.key

    def reset(self) -> None:
        """Forget all presses: another stream begins."""
        self._seen.clear()


def _continues(press: _Press, timestamp: int, event: TelephoneEvent) -> bool:
    """Whether a packet tells of the next stretch of *press*: it begins where that one had to end."""
    later = (timestamp - press.timestamp) & 0xFFFFFFFF
    return event.event == press.event and not press.ended and later == LONGEST
