"""The switch's ear: what each module does with the messages of the service, down to what the caller hears.

One class for each way of talking back. All of it is plain code over sample positions; whatever the service says that
its dialect does not know is kept as a fault, for it is the service that is being tried here.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Mapping

from attrs import frozen

from tomrt.audio import Wav, parse_wav, resample
from tomrt.caller.player import Player, SteppedPlayer, file_player, fork_player
from tomrt.errors import MisuseError, ProtocolError
from tomrt.events import Dialect
from tomrt.wire.json import dumps, loads_object

__all__ = ["Ear", "FileEar", "ForkEar", "PeerEvent", "PlainEar", "ear_for"]

MAX_EVENTS = 10_000
MAX_FAULTS = 20
MAX_TEXT_BYTES = 2_000_000
RAW_RATES_HZ = frozenset({8000, 16000, 24000, 32000, 48000})
FORK_EVENTS = frozenset({"transcription", "transfer", "disconnect", "error", "json"})


@frozen
class PeerEvent:
    """A message of the service, and the sample at which it arrived."""

    at: int
    type: str
    said: Mapping[str, object]


class Ear:
    """What is common: events and faults are kept, audio goes to the player.

    Args:
        player: The model of the switch's play-out.
    """

    def __init__(self, player: Player) -> None:
        self.player = player
        self.events: list[PeerEvent] = []
        self.faults: list[str] = []
        self.open_replies: set[object] = set()
        """Replies that became audible and have not ended, where the dialect tells."""

    def binary(self, data: bytes, at: int) -> None:
        """Take a binary message that arrives at sample *at*."""
        self.player.play(data, at)

    def text(self, text: str, at: int) -> None:
        """Take a text message that arrives at sample *at*."""
        try:
            message = loads_object(text, max_bytes=MAX_TEXT_BYTES)
            self._message(str(message.get("type", "")), message, at)
        except ProtocolError as error:
            self.fault(str(error))

    def advance(self, to: int) -> list[str]:
        """Play until sample *to*; return the messages to send back."""
        self.player.advance(to)
        return []

    def line_closed(self, at: int) -> None:
        """The service hung up at sample *at*: what the module holds is not played any more."""
        self.player.kill(at)

    def fault(self, sentence: str) -> None:
        """Keep what the service did wrong."""
        if len(self.faults) < MAX_FAULTS:
            self.faults.append(sentence)

    def _message(self, kind: str, message: Mapping[str, object], at: int) -> None:
        if len(self.events) < MAX_EVENTS:
            self.events.append(PeerEvent(at, kind, message))


class PlainEar(Ear):
    """The plain dialect: frames play as they come, events tell what was understood and answered."""

    def _message(self, kind: str, message: Mapping[str, object], at: int) -> None:
        super()._message(kind, message, at)
        match kind:
            case "flush":
                self.player.kill(at)
            case "audible":
                self.open_replies.add(_plain(message.get("reply")))
            case "answered":
                self.open_replies.discard(_plain(message.get("reply")))


class ForkEar(Ear):
    """``mod_audio_fork`` with the bidirectional stream on.

    Args:
        player: Its buffers.
    """

    player: SteppedPlayer

    def __init__(self, player: SteppedPlayer) -> None:
        super().__init__(player)

    def advance(self, to: int) -> list[str]:
        """Play until sample *to*; return the mark reports that are due, spelt as the module spells them."""
        self.player.advance(to)
        return [
            f'{{"type": "mark", "data": {{"name":{dumps(report.name)}, "event": "{report.event}"}}}}'
            for report in self.player.reports()
        ]

    def _message(self, kind: str, message: Mapping[str, object], at: int) -> None:
        match kind:
            case "mark":
                self.player.advance(at)
                self.player.mark(_text_in(message, "name"))
            case "killAudio":
                self.player.kill(at)
            case "clearMarks":
                self.player.clear_marks()
            case _ if kind in FORK_EVENTS or "type" not in message:
                super()._message(kind, message, at)
            case _:
                raise ProtocolError(f"mod_audio_fork knows no message of type {kind[:40]!r}")


class FileEar(Ear):
    """A one-way module whose files the operator's script plays: ``playAudio`` or ``streamAudio``.

    Args:
        player: Plays the files.
        verb: The message that carries audio.
        kind_key: Its field that names the content type.
        audio_key: Its field that holds the audio.
    """

    def __init__(self, player: Player, *, verb: str, kind_key: str, audio_key: str) -> None:
        super().__init__(player)
        self._verb = verb
        self._kind_key = kind_key
        self._audio_key = audio_key

    def binary(self, data: bytes, at: int) -> None:  # noqa: ARG002 - the modules throw it away
        """Take note that the module threw a binary message away."""
        self.fault("a one-way module was sent binary audio, which it throws away")

    def line_closed(self, at: int) -> None:
        """Play on: the files are with the switch, not with the connection."""
        self.player.advance(at)

    def _message(self, kind: str, message: Mapping[str, object], at: int) -> None:
        if kind == self._verb:
            self.player.play(self._audio(message), at)
        elif kind == "killAudio":
            self.player.kill_current(at)
        else:
            super()._message(kind, message, at)

    def _audio(self, message: Mapping[str, object]) -> bytes:
        kind = _text_in(message, self._kind_key)
        try:
            content = b64decode(_text_in(message, self._audio_key), validate=True)
        except (binascii.Error, ValueError):
            raise ProtocolError(f"{self._verb}: {self._audio_key} is not base64") from None
        wav = self._sound(kind, content, _data_of(message).get("sampleRate"))
        try:
            return resample(wav.pcm, wav.rate_hz, self.player.rate_hz)
        except MisuseError as error:
            raise ProtocolError(f"{self._verb}: {error}") from None

    def _sound(self, kind: str, content: bytes, rate_hz: object) -> Wav:
        if kind in {"wav", "wave"}:
            return parse_wav(content, name=self._verb)
        if kind != "raw":
            raise ProtocolError(f"{self._verb}: content type {kind[:20]!r} is not one this caller plays")
        if not isinstance(rate_hz, int) or rate_hz not in RAW_RATES_HZ:
            raise ProtocolError(f"{self._verb}: the module writes no raw file at this sampleRate")
        return Wav(content, rate_hz)


def ear_for(dialect: Dialect, rate_hz: int) -> Ear:
    """Return the ear of a module that speaks *dialect* on a line of *rate_hz*."""
    match dialect:
        case Dialect.PLAIN:
            return PlainEar(Player(rate_hz=rate_hz))
        case Dialect.FORK:
            return ForkEar(fork_player(rate_hz))
        case Dialect.FORK_JSON:
            return FileEar(
                file_player(rate_hz), verb="playAudio", kind_key="audioContentType", audio_key="audioContent"
            )
        case Dialect.STREAM:
            return FileEar(file_player(rate_hz), verb="streamAudio", kind_key="audioDataType", audio_key="audioData")
        case Dialect.UNICAST | Dialect.RTP:
            raise MisuseError(f"{dialect.value} comes in packets, not over a WebSocket")


def _data_of(message: Mapping[str, object]) -> Mapping[str, object]:
    data = message.get("data")
    return data if isinstance(data, dict) else {}


def _text_in(message: Mapping[str, object], key: str) -> str:
    value = _data_of(message).get(key)
    if not isinstance(value, str):
        raise ProtocolError(f"a message of type {str(message.get('type'))[:40]!r} has no text {key!r} in its data")
    return value


def _plain(value: object) -> object:
    return value if isinstance(value, int | str) else None
