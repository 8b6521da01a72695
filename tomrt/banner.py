"""What the service says when it is ready: what it is, what it chose and why, where it is, and what is off."""

from __future__ import annotations

import json
import textwrap

from attrs import frozen

from tomrt.engines.models import Choice

__all__ = ["Banner", "in_url"]

_ROLES = {"stt": "listens", "llm": "answers", "tts": "speaks"}
WIDTH = 118
_FORK_ARGUMENTS = "mono 8k tomrt {} true true 8000"


@frozen(kw_only=True)
class Banner:
    """Facts of a service that is ready.

    Args:
        version: Of the service.
        config_source: Where the settings come from.
        engines: Which were chosen, and why.
        http: Address and port of the HTTP port.
        media: Address and port of the media port.
        outbound: Address and port that FreeSWITCH's socket application dials; ``None`` for off.
        inbound: FreeSWITCH's event socket that is dialled; ``None`` for none.
        rtp: Address and port for RTP; ``None`` for off.
        tokens: Whether calls need a token.
        notice: Whether callers hear a notice first.
        actions_file: Where actions are kept; ``""`` for nowhere.
        learning: Where what calls teach is kept; ``""`` for nowhere.
    """

    version: str
    config_source: str
    engines: tuple[Choice, ...]
    http: tuple[str, int]
    media: tuple[str, int]
    outbound: tuple[str, int] | None
    inbound: tuple[str, int] | None
    rtp: tuple[str, int] | None
    tokens: bool
    notice: bool
    actions_file: str
    learning: str = ""

    def show(self, *, as_json: bool) -> str:
        """Return the banner for a person, or as one JSON line."""
        return json.dumps(self._facts()) if as_json else self._text()

    @property
    def _off(self) -> list[str]:
        off = [] if self.tokens else ["tokens (auth.secret is not set; only this machine can call)"]
        off += [] if self.notice else ["notice before the greeting (dialogue.consent)"]
        off += [] if self.actions_file else ["keeping of actions (dialogue.actions_file)"]
        off += [] if self.learning else ["learning (learning.folder)"]
        return [*off, "recording", "connections to other machines"]

    def _facts(self) -> dict[str, object]:
        return {
            "version": self.version,
            "settings": self.config_source,
            "engines": {choice.kind: {"engine": choice.engine, "why": choice.why} for choice in self.engines},
            "media_url": f"ws://{in_url(self.media)}/call",
            "http_url": f"http://{in_url(self.http)}",
            "outbound": in_url(self.outbound) if self.outbound else None,
            "inbound": in_url(self.inbound) if self.inbound else None,
            "rtp": in_url(self.rtp) if self.rtp else None,
            "learning": self.learning or None,
            "off": self._off,
        }

    def _text(self) -> str:
        media, http = f"ws://{in_url(self.media)}/call", f"http://{in_url(self.http)}"
        url = "" if self.media == ("127.0.0.1", 8081) else f" --url {media}"
        lines = [f"tomrt {self.version} is ready. Settings: {self.config_source}.", ""]
        for choice in self.engines:
            lines += _entry(_ROLES[choice.kind], choice.why)
        lines += [
            "",
            *_entry("media", media),
            *self._switch(),
            *_entry("http", f"{http}/healthz  /readyz  /metrics"),
            *(_entry("learns", f"ways of talking, in {self.learning}") if self.learning else []),
            *_entry("off", ", ".join(self._off)),
            "",
            "Place a call from another terminal:",
            f'  python -m tomrt call{url} --say "what are your opening hours" --say "goodbye"',
            *self._from_freeswitch(media),
        ]
        return "\n".join(lines)

    def _switch(self) -> list[str]:
        lines = []
        if self.outbound:
            lines += _entry("calls", f"FreeSWITCH's socket application at {in_url(self.outbound)}, audio by unicast")
        if self.inbound:
            lines += _entry(
                "calls", f"parked with tomrt_media set, at FreeSWITCH's event socket {in_url(self.inbound)}"
            )
        if self.rtp:
            lines += _entry("calls", f"RTP at {in_url(self.rtp)}")
        return lines

    def _from_freeswitch(self, media: str) -> list[str]:
        if self.outbound:
            return [
                "From FreeSWITCH, in the dialplan (then try: python -m tomrt doctor freeswitch):",
                f'  <action application="socket" data="{in_url(self.outbound)} async full"/>',
            ]
        return [
            "From FreeSWITCH with mod_audio_fork (bidirectional), on one line:",
            f"  uuid_audio_fork <uuid> start {media}?rate=8000&call_id=<uuid>&talk=binary {_FORK_ARGUMENTS}",
        ]


def _entry(name: str, text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=f"  {name:9}", subsequent_indent=" " * 11, break_on_hyphens=False)


def in_url(address: tuple[str, int]) -> str:
    """Return an address and a port as they stand in a URL."""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
