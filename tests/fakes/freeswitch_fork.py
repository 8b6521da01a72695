"""``mod_audio_fork`` of the fake switch: drachtio's build (A), and jambonz's (B), which plays what it is sent."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import TYPE_CHECKING

import trio
from fakes.freeswitch_media import MediaModule, Tapping, file_of, object_in, rate_in
from fakes.freeswitch_websocket import Address, ModuleSocket

from tomrt.audio import Resampler
from tomrt.caller.ear import ForkEar, ear_for
from tomrt.caller.player import SteppedPlayer
from tomrt.events import Dialect

if TYPE_CHECKING:
    from fakes.freeswitch import FakeSwitch
    from fakes.freeswitch_call import FakeCall

__all__ = ["AudioFork", "fork_command", "fork_usage"]

SUBPROTOCOL = "audio.drachtio.org"
DEFAULT_NAME = "audio_fork"
BUFFER_S = 2
CONNECT_S = 10.0
JOINED = (2, 3, 4, 5, 6)
PLAIN_BLOCKS = 7
"""Blocks that go out one by one between two joined frames."""
DATA_EVENTS = {"transcription": "transcription", "transfer": "transfer", "error": "error"}
USAGE = (
    "-USAGE: <uuid> [start | stop | send_text | pause | resume | graceful-shutdown ] [wss-url | path] "
    "[mono | mixed | stereo] [8000 | 16000 | 24000 | 32000 | 64000] [bugname] [metadata]"
)
BOTH_WAYS = " [bidirectionalAudio_enabled] [bidirectionalAudio_stream_enabled] [bidirectionalAudio_stream_samplerate]"


def fork_usage(switch: FakeSwitch) -> str:
    """Return how the command is used, by which the two builds can be told apart."""
    return USAGE + (BOTH_WAYS if switch.odd.build == "jambonz" else "") + "\n"


def fork_command(switch: FakeSwitch, call: FakeCall, words: list[str]) -> str:
    """Do ``uuid_audio_fork UUID ...``."""
    if not words:
        return fork_usage(switch)
    if words[0] == "start":
        return _start(switch, call, words[1:])
    name, rest = (words[1], words[2:]) if len(words) > 2 else (DEFAULT_NAME, words[1:])
    if len(words) == 2 and words[1] in call.modules:
        name, rest = words[1], []
    fork = call.modules.get(name)
    if not isinstance(fork, AudioFork):
        return "-ERR Operation Failed\n"
    match words[0]:
        case "stop":
            fork.end(" ".join(rest))
        case "send_text":
            fork.send_text(" ".join(rest))
        case "pause" | "resume":
            fork.paused = words[0] == "pause"
        case "graceful-shutdown":
            fork.shut_down_gracefully()
        case _:
            return fork_usage(switch)
    return "+OK Success\n"


def _start(switch: FakeSwitch, call: FakeCall, words: list[str]) -> str:
    if len(words) < 3 or words[1] not in {"mono", "mixed", "stereo"} or rate_in(words[2]) not in {8000, 16000}:
        return fork_usage(switch)
    tapping = Tapping(words[1], rate_in(words[2]))
    more = words[3:]
    if len(more) == 1 and more[0][:1] in {"{", "["}:
        more = [DEFAULT_NAME, *more]
    name, metadata, *back = [*more, "", ""][:2] if len(more) < 3 else more
    if (name or DEFAULT_NAME) in call.modules:
        return "-ERR Operation Failed\n"  # the log says: already attached
    back_hz = 0
    if switch.odd.build == "jambonz" and back[:2] == ["true", "true"]:
        back_hz = rate_in(back[2]) if len(back) > 2 else tapping.rate_hz
    fork = AudioFork(switch, call, name=name or DEFAULT_NAME, tapping=tapping, metadata=metadata, back_hz=back_hz)
    call.attach(fork)
    switch.start(fork.run, words[0])
    return "+OK Success\n"


class AudioFork(MediaModule):
    """One fork of one call.

    Args:
        metadata: Sent first, as text, where there is any.
        back_hz: Rate of the raw audio that the server sends; 0 where the fork does not play any.
    """

    def __init__(
        self, switch: FakeSwitch, call: FakeCall, *, name: str, tapping: Tapping, metadata: str, back_hz: int
    ) -> None:
        super().__init__(switch, call, name=name, tapping=tapping, event_prefix="mod_audio_fork")
        self.metadata = metadata
        self.bidirectional = back_hz > 0
        self.graceful = False
        self.discarded = 0
        """Binary messages that were thrown away: the fork does not play any."""
        ear = ear_for(Dialect.FORK, call.rate_hz)
        assert isinstance(ear, ForkEar)
        self.ear = ear
        if not switch.odd.stuck_tail:
            self.ear.player = SteppedPlayer(rate_hz=call.rate_hz, first_ms=0, step_ms=1)
        self._back = Resampler(back_hz, call.rate_hz) if back_hz not in {0, call.rate_hz} else None
        self._odd_byte = b""
        self._held: list[bytes] = []
        self._joining: list[bytes] = []
        self._joined = 0
        self._singles = 0
        self._overrun = False
        self._idle = 0
        """Samples for which nothing was written to the caller: the module's play-out stood still."""
        self._written = False

    async def run(self, url: str) -> None:
        """Connect, send the metadata, then exchange messages until the end."""
        address = Address.of(url)
        failed = await self.connect(
            ModuleSocket(address, lambda key: self._head(address, key), subprotocol=SUBPROTOCOL), CONNECT_S
        )
        if failed:
            self.over = "failed"
            self.leave()
            self.event("connect_failed", json.dumps({"reason": failed}, separators=(",", ":")))
            return
        if not self.in_use:  # stopped meanwhile
            self.abort()
            return
        self.event("connect")
        if self.metadata:
            self.send_text(self.metadata)
        for block in self._held:
            self._send(block)
        self._held.clear()
        await self.exchange()

    def tick(self, frame: bytes, at: int, *, written: bool) -> None:
        """Take the caller's *frame*, and play, unless nothing is written to the caller."""
        start = len(self.heard) // 2
        super().tick(frame, at, written=written)
        self._written = written or not self._switch.odd.silent_idle
        if not self._written:
            self._idle += at - start
            return
        for report in self.ear.advance(at - self._idle):
            self.send_text(report)
        if self.bidirectional:
            self.heard[2 * start : 2 * at] = self.ear.player.heard[2 * (start - self._idle) : 2 * (at - self._idle)]

    def block(self, pcm: bytes) -> None:
        """Send a block, or hold it until there is a connection; sometimes several go into one frame."""
        if self.graceful:
            return
        if not self.connected:
            self._hold(pcm)
            return
        if not self._switch.odd.joined_blocks:
            self._send(pcm)
            return
        if self._singles < PLAIN_BLOCKS:
            self._singles += 1
            self._send(pcm)
            return
        self._joining.append(pcm)
        if len(self._joining) == JOINED[self._joined % len(JOINED)]:
            self._send(b"".join(self._joining))
            self._joining.clear()
            self._joined += 1
            self._singles = 0

    def send_text(self, text: str) -> None:
        """Send a text frame."""
        if self.socket and self.connected:
            self.socket.send(text)

    def shut_down_gracefully(self) -> None:
        """Stop the audio and say so with an empty frame; the connection is the server's to close."""
        self.graceful = True
        if self.socket:
            self.socket.send(b"")

    def end(self, last_text: str = "") -> None:
        """Say goodbye; a fork that was shut down gracefully does not even do that."""
        self.leave()
        if self.socket and self.connected and not self.graceful:
            if last_text:
                self.send_text(last_text)
            self.socket.close()

    def ended(self, how: str) -> None:
        """Tell of the end; until ``stop``, the fork stays attached to the call."""
        if how != "module" and not self._call.ended:
            self.event("disconnect")

    def message(self, message: str | bytes) -> None:
        """Take a message of the server."""
        if isinstance(message, bytes):
            self._play(message)
            return
        said = object_in(message)
        if said is None:
            self.faults.append(f"not JSON: {message[:80]}")
        elif "type" not in said or said["type"] == "json":
            self.event("json", message)
        elif said["type"] == "playAudio" and not self.bidirectional:
            self._file(said.get("data"))
        elif said["type"] == "killAudio":
            self.ear.player.kill(self._played_at())
            self.event("kill_audio")
            if not self.bidirectional:
                self._call.applications.stop(at=trio.current_time())
        elif said["type"] in {"mark", "clearMarks"} and self.bidirectional:
            self._to_ear(message)
        elif said["type"] == "disconnect":
            self.event("disconnect")
        elif said["type"] in DATA_EVENTS:
            self.event(str(said["type"]), json.dumps(said.get("data")))
        else:
            self.faults.append(f"unsupported msg type {said['type']}")

    def _to_ear(self, text: str) -> None:
        known = len(self.ear.faults)
        self.ear.text(text, self._played_at())
        self.faults += self.ear.faults[known:]

    def _play(self, data: bytes) -> None:
        if not self.bidirectional:
            self.discarded += 1
            return
        whole = self._odd_byte + data
        cut = len(whole) & ~1
        self._odd_byte = whole[cut:]
        pcm = self._back.process(whole[:cut]) if self._back else whole[:cut]
        self.ear.binary(pcm, self._played_at())

    def _played_at(self) -> int:
        """Return where the module's own play-out is now: it stands still while nobody writes to the caller."""
        position = self.ear.player.position
        return max(position, self._call.position - self._idle) if self._written else position

    def _file(self, data: object) -> None:
        data = data if isinstance(data, dict) else {}
        if "audioContentType" not in data:
            self._switch.crash("playAudio without audioContentType: a real FreeSWITCH ends with a segmentation fault")
            return
        content, suffix = file_of(data.get("audioContent"), data["audioContentType"], data.get("sampleRate"))
        about = {name: value for name, value in data.items() if name != "audioContent"}
        self.event("play_audio", json.dumps({**about, "file": self.write_file(content, suffix)}, separators=(",", ":")))

    def _send(self, block: bytes) -> None:
        if self.socket:
            self.blocks_sent.append(len(block))
            self.socket.send(block)

    def _hold(self, pcm: bytes) -> None:
        self._held.append(pcm)
        if len(self._held) > BUFFER_S * 50:
            self._held.clear()
            if not self._overrun:
                self._overrun = True
                self.event("buffer_overrun")

    def _head(self, address: Address, key: str) -> list[str]:
        lines = [
            f"GET {address.resource} HTTP/1.1",
            "Pragma: no-cache",
            "Cache-Control: no-cache",
            f"Host: {address.host}",
            f"Origin: http://{address.host}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key}",
            f"Sec-WebSocket-Protocol: {SUBPROTOCOL}",
            "Sec-WebSocket-Version: 13",
        ]
        user = self._call.variables.get("MOD_AUDIO_BASIC_AUTH_USERNAME")
        secret = self._call.variables.get("MOD_AUDIO_BASIC_AUTH_PASSWORD")
        if user and secret:
            lines.append(f"authorization: Basic {b64encode(f'{user}:{secret}'.encode()).decode()}")
        return lines
