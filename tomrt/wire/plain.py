"""tomrt's own dialect: paced binary frames both ways, and JSON that tells the client what happens in the call."""

from __future__ import annotations

from collections.abc import Callable

from tomrt.events import CallInfo, LineEvent
from tomrt.happenings import (
    ActionRequested,
    Announced,
    BargeInJudged,
    CallEnded,
    Happening,
    ReplyAudible,
    ReplyEnded,
    ReplyResumed,
    ReplyYielded,
    TurnEnded,
    TurnOpened,
    Understood,
)
from tomrt.ports import Egress
from tomrt.wire.ingress import Ingress
from tomrt.wire.json import dumps

__all__ = ["PLAIN_VERSION", "PlainCore"]

PLAIN_VERSION = 1


class PlainCore:
    """The plain dialect: nothing is held downstream, so the client plays each frame when it comes.

    Args:
        info: What is known of the call.
        channels: Channels of the client's audio, 1 or 2.
        count: Called with a word for each thing that was ignored or dropped.
    """

    egress = Egress()

    def __init__(self, info: CallInfo, *, channels: int, count: Callable[[str], None]) -> None:
        self._info = info
        self._ingress = Ingress(channels=channels, count=count)
        self._told_end = False

    def open(self) -> list[bytes | str]:
        """Tell the client that it may begin."""
        ready = {
            "type": "ready",
            "call_id": self._info.call_id,
            "rate": self._info.rate_hz,
            "version": PLAIN_VERSION,
        }
        return [dumps(ready)]

    def receive_binary(self, data: bytes) -> list[LineEvent]:
        """Take one frame of audio."""
        return self._ingress.receive_binary(data)

    def receive_text(self, text: str) -> list[LineEvent]:
        """Take ``hangup``, ``dtmf`` or ``metadata``; anything else is counted."""
        message = self._ingress.read_text(text)
        return [] if message is None else self._ingress.receive_object(message)

    def send_audio(self, pcm: bytes, mark: str | None = None) -> list[bytes | str]:  # noqa: ARG002 - has no marks
        """Return *pcm* as one binary frame."""
        return [pcm] if pcm else []

    def flush(self) -> list[bytes | str]:
        """Tell the client to fall silent."""
        return ['{"type":"flush"}']

    def notify(self, happening: Happening) -> list[bytes | str]:
        """Return the event that tells the client of *happening*, if there is one."""
        if isinstance(happening, CallEnded):
            return self.hang_up(happening.reason)
        event = _event(happening)
        return [] if event is None else [dumps(event)]

    def hang_up(self, reason: str) -> list[bytes | str]:
        """Tell the client why the call ends, once."""
        if self._told_end:
            return []
        self._told_end = True
        return [dumps({"type": "end", "reason": reason})]


def _event(happening: Happening) -> dict[str, object] | None:
    event: dict[str, object]
    match happening:
        case TurnOpened(turn=turn):
            event = {"type": "speech", "turn": turn}
        case TurnEnded(turn=turn):
            event = {
                "type": "turn",
                "turn": turn,
                "start_ms": happening.start_ms,
                "end_ms": happening.end_ms,
                "reason": happening.reason,
                "hangover_ms": happening.hangover_ms,
            }
        case Understood(turn=turn, text=text):
            event = {"type": "understood", "turn": turn, "text": text}
        case ReplyAudible(reply=reply, turn=turn, response_ms=response_ms):
            event = {"type": "audible", "reply": reply, "turn": turn, "response_ms": response_ms}
        case ReplyYielded(reply=reply):
            event = {"type": "hold", "reply": reply}
        case ReplyResumed(reply=reply):
            event = {"type": "resume", "reply": reply}
        case BargeInJudged(reply=reply, turn=turn):
            event = {
                "type": "judged",
                "reply": reply,
                "turn": turn,
                "interruption": happening.interruption,
                "reason": happening.reason,
                "after_ms": round(happening.after_ms, 1),
            }
        case Announced(reply=reply, turn=turn, kind=kind):
            event = {"type": "announced", "reply": reply, "turn": turn, "kind": kind}
        case ReplyEnded(draft=False):
            event = {
                "type": "answered",
                "turn": happening.turn,
                "reply": happening.reply,
                "text": happening.text,
                "heard": happening.heard,
                "outcome": happening.outcome.value,
            }
        case ActionRequested(action=action):
            event = {"type": "action", "name": action.name, "arguments": dict(action.arguments)}
        case _:
            return None
    return event
