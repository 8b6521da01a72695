"""What a test may ask of the fake switch: each observed oddity by name, and ways to be set up wrong."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import define, field, frozen

__all__ = ["MODULES", "Agent", "Oddities"]

MODULES = (
    "mod_event_socket",
    "mod_dptools",
    "mod_commands",
    "mod_loopback",
    "mod_sndfile",
    "mod_native_file",
    "mod_local_stream",
    "mod_tone_stream",
    "mod_audio_fork",
    "mod_audio_stream",
)


@frozen(kw_only=True)
class Agent:
    """Whoever is called by ``originate``.

    Args:
        cause: ``""`` for somebody who answers, else how the attempt ends: ``USER_BUSY``, ``NO_ANSWER``, ...
        after_s: How long it rings.
    """

    cause: str = ""
    after_s: float = 0.05


@define(kw_only=True)
class Oddities:
    """How the switch is set up and which oddities it shows; may be changed while it runs.

    Args:
        modules: What is loaded. The commands of a module that is not are ``-ERR ... command not found``.
        password: Of the event socket.
        version: What ``version`` says, and the header FreeSWITCH-Version.
        rude: Whether new control connections are refused by the access list: ``text/rude-rejection``.
        outbound_unreachable: Whether nothing that the socket application dials answers: the call ends at once.
        socket_modes: What stands behind the address in the dialplan's socket application.
        originate_fails: Cause with which every ``originate`` ends, or ``""``.
        agents: Who answers at which extension; of the others ``agent``.
        agent: Everybody else who may be called.
        globals_: Global variables.
        unicast_silent: Whether ``unicast`` is taken with ``+OK`` and no packet ever comes.
        chunks: Bytes in one write of an event socket, 0 for as they come.
        events_joined: Whether what is to be written within 20 ms goes out in one segment.
        late_replies_s: Replies to ``api`` take so long.
        build: Of mod_audio_fork: ``"jambonz"`` (B, can talk back) or ``"drachtio"`` (A).
        joined_blocks: Whether mod_audio_fork sends 2 to 6 blocks in one frame now and then.
        ff_start: Whether the first 4 blocks of a module hold samples of -1.
        no_rtp: Whether the caller sends no RTP: a module then sends blocks of -1 for ever.
        late_metadata: Whether mod_audio_stream sends its metadata after two blocks.
        no_metadata: Whether mod_audio_stream never sends its metadata.
        connect_limit_s: How long the connect of mod_audio_stream may take.
        stuck_tail: Whether build B has its pre-buffer, and keeps what does not fill a step.
        silent_idle: Whether a module's audio is inaudible, and its stereo and mixed silent, on a channel that nobody
            writes to. Both are what was observed, so both are on.
        other_channels: Calls of others that the switch has besides.
        keeps_socket: Whether the outbound socket stays up when the call is bridged or transferred.
    """

    modules: tuple[str, ...] = MODULES
    password: str = "ClueCon"
    version: str = "1.11.3-dev+git~20260815T101512Z~0f0a5d1a3c~64bit"
    rude: bool = False
    outbound_unreachable: bool = False
    socket_modes: str = "async full"
    originate_fails: str = ""
    agents: Mapping[str, Agent] = field(factory=dict)
    agent: Agent = Agent()
    globals_: Mapping[str, str] = field(factory=dict)
    unicast_silent: bool = False
    chunks: int = 0
    events_joined: bool = False
    late_replies_s: float = 0.0
    build: str = "jambonz"
    joined_blocks: bool = False
    ff_start: bool = False
    no_rtp: bool = False
    late_metadata: bool = False
    no_metadata: bool = False
    connect_limit_s: float = 1.0
    stuck_tail: bool = True
    silent_idle: bool = True
    other_channels: int = 0
    keeps_socket: bool = False
