"""``mod_audio_stream`` of the fake switch, community edition: one way, and a second to connect."""

from __future__ import annotations

import binascii
import json
from typing import TYPE_CHECKING

from fakes.freeswitch_media import RAW_RATES_HZ, MediaModule, Tapping, file_of, object_in, rate_in
from fakes.freeswitch_websocket import Address, ModuleSocket

if TYPE_CHECKING:
    from fakes.freeswitch import FakeSwitch
    from fakes.freeswitch_call import FakeCall

__all__ = ["AudioStream", "stream_command"]

NAME = "audio_stream"
LATE_BLOCKS = 2
USAGE = "-USAGE: <uuid> [start | stop | send_text | pause | resume | graceful-shutdown] [url] [mix] [rate] ...\n"
FAILED = "-ERR Operation Failed\n"
SUFFIXES = {"mp3": "mp3", "ogg": "ogg", "pcmu": "pcmu", "pcma": "pcma"}


def stream_command(switch: FakeSwitch, call: FakeCall, words: list[str]) -> str:
    """Do ``uuid_audio_stream UUID ...``."""
    match words:
        case ["start", url, mix, rate, *metadata] if mix in {"mono", "mixed", "stereo"}:
            if NAME in call.modules or rate_in(rate) not in {8000, 16000}:
                return FAILED
            stream = AudioStream(switch, call, tapping=Tapping(mix, rate_in(rate)), metadata=" ".join(metadata))
            call.attach(stream)
            switch.start(stream.run, url)
            return "+OK Success\n"
        case ["stop" | "pause" | "resume" | "send_text" as verb, *text]:
            stream_on = call.modules.get(NAME)
            if not isinstance(stream_on, AudioStream):
                return FAILED
            stream_on.do(verb, " ".join(text))
            return "+OK Success\n"
    return USAGE


class AudioStream(MediaModule):
    """One stream of one call.

    Args:
        metadata: Sent as text: first, late or never.
    """

    def __init__(self, switch: FakeSwitch, call: FakeCall, *, tapping: Tapping, metadata: str) -> None:
        super().__init__(switch, call, name=NAME, tapping=tapping, event_prefix="mod_audio_stream")
        self.metadata = metadata
        self._buffered: list[bytes] = []
        self._blocks_a_frame = max(1, int(call.variables.get("STREAM_BUFFER_SIZE", "20")) // 20)

    async def run(self, url: str) -> None:
        """Connect within a second, then exchange messages until the end."""
        address = Address.of(url)
        socket = ModuleSocket(address, lambda key: self._head(address, key), nodelay=False)
        failed = await self.connect(socket, self._switch.odd.connect_limit_s)
        if failed:
            self.over = "failed"
            code = {"Timeout": 10, "HS: ws upgrade response not 101": 6}.get(failed, 2)
            words = "WebSocket upgrade failed" if code == 6 else failed
            self._tell("error", {"code": code, "error": words})
            return
        if not self.in_use:  # stopped meanwhile
            self.abort()
            return
        self._tell("connect", {"status": "connected"})
        self._say_metadata(0)
        await self.exchange()

    def do(self, verb: str, text: str) -> None:
        """Do what is told over the event socket."""
        match verb:
            case "stop":
                self.end(text)
            case "send_text" if self.socket:
                self.socket.send(text)
            case _:
                self.paused = verb == "pause"

    def block(self, pcm: bytes) -> None:
        """Send a block, or as many in one frame as STREAM_BUFFER_SIZE says; the rest waits."""
        if not self.connected or not self.socket:
            return
        self._buffered.append(pcm)
        if len(self._buffered) < self._blocks_a_frame:
            return
        frame = b"".join(self._buffered)
        self._buffered.clear()
        self.blocks_sent.append(len(frame))
        self.socket.send(frame)
        self._say_metadata(len(self.blocks_sent))

    def message(self, message: str | bytes) -> None:
        """Take a message: all binary is ignored without a trace, all text but ``streamAudio`` becomes an event."""
        if isinstance(message, bytes):
            return
        said = object_in(message)
        data = said.get("data") if said and said.get("type") == "streamAudio" else None
        if not isinstance(data, dict) or not self._file(data):
            self.event("json", message)

    def end(self, last_text: str = "") -> None:
        """Say goodbye."""
        self.leave()
        if self.socket and self.connected:
            if last_text:
                self.socket.send(last_text)
            self.socket.close("Normal closure")

    def ended(self, how: str) -> None:
        """Tell of the end: after a CLOSE the stream stays attached, after a lost connection it does not."""
        if self._call.ended or how == "module":
            return
        if how == "server" and self.socket and self.socket.closed:
            code, reason = self.socket.closed
            self._tell("disconnect", {"status": "disconnected", "message": {"code": code, "reason": reason}})
            return
        self.leave()
        words = "Connection closed without WebSocket CLOSE (abnormal EOF)"
        self._tell("error", {"status": "error", "message": {"code": 1, "error": words}})

    def _tell(self, what: str, body: dict[str, object]) -> None:
        self.event(what, json.dumps(body, separators=(",", ":")))

    def _say_metadata(self, blocks: int) -> None:
        odd = self._switch.odd
        when = LATE_BLOCKS if odd.late_metadata else 0
        if self.metadata and self.socket and not odd.no_metadata and blocks == when:
            self.socket.send(self.metadata)

    def _file(self, data: dict[str, object]) -> bool:
        kind = data.get("audioDataType")
        if kind == "raw" and data.get("sampleRate") not in RAW_RATES_HZ:
            self.faults.append(f"unsupported sample rate {data.get('sampleRate')}")
            return False
        try:
            content, suffix = file_of(data.get("audioData"), kind, data.get("sampleRate"))
        except binascii.Error:
            self.faults.append("bad base64")
            return False
        about = {name: value for name, value in data.items() if name != "audioData"}
        self._tell("play", {**about, "file": self.write_file(content, SUFFIXES.get(str(kind), suffix))})
        return True

    def _head(self, address: Address, key: str) -> list[str]:
        lines = [
            f"GET {address.resource} HTTP/1.1",
            f"Host:{address.host}:{address.port}",
            "Upgrade:websocket",
            "Connection:upgrade",
            f"Sec-WebSocket-Key:{key}",
            "Sec-WebSocket-Version:13",
            f"Origin:http://{address.host}:{address.port}",
        ]
        extra = object_in(self._call.variables.get("STREAM_EXTRA_HEADERS", "{}")) or {}
        return [*lines, *(f"{name}:{value}" for name, value in extra.items())]
