"""A call as Asterisk's ExternalMedia places it: RTP from a port of our own, and nothing else.

Reports are not sent; of those that come, on the port above ours, only the goodbye is read.
"""

from __future__ import annotations

import trio

from tomrt.caller.lanes import Lanes, Watch
from tomrt.caller.line import CONNECT_S, until_over
from tomrt.caller.packet_ear import PacketEar
from tomrt.caller.packet_form import rtp_l16, rtp_pcmu
from tomrt.caller.packet_line import MAX_PACKET_BYTES, PacketLine, open_socket
from tomrt.caller.plan import CallPlan, CallRecord

__all__ = ["says_goodbye", "talk_by_rtp"]

SILENT_S = 5.0
"""RTP itself has no hang-up: a service that sends nothing for so long, after it has sent, has ended the call."""
LOOK_S = 0.25
PAIR_ATTEMPTS = 50
GOODBYE = 203
"""RTCP's packet type BYE (RFC 3550, 6.6)."""

Sockets = tuple[trio.socket.SocketType, trio.socket.SocketType]


async def talk_by_rtp(plan: CallPlan, watch: Watch = lambda _, __: None) -> CallRecord:
    """Hold the call *plan* until the script ends it, or the service says goodbye or falls silent.

    Raises:
        TooSlowError: nothing came back within five seconds (in a group).
        OSError: there is no such host.
    """
    audio, reports = await _open_pair(plan.host, plan.port)
    with audio, reports:
        ear = PacketEar(plan.rate_hz, rtp_pcmu() if plan.rate_hz == 8000 else rtp_l16(plan.rate_hz))
        lanes = Lanes(plan, ear, watch)
        line = PacketLine(lanes, ear, audio, audio.send)

        async def read_reports() -> None:
            while not says_goodbye(await reports.recv(MAX_PACKET_BYTES)):
                pass
            _end(lanes, "the service hung up")

        async def watch_for_end() -> None:
            with trio.fail_after(CONNECT_S):
                while not ear.packets:
                    await trio.sleep(LOOK_S)
            while trio.current_time() - line.heard_at < SILENT_S:
                await trio.sleep(LOOK_S)
            _end(lanes, f"the service sent nothing for {SILENT_S:g} s")

        await until_over(lanes.over, line.speak, line.listen, read_reports, watch_for_end)
    return lanes.record()


def says_goodbye(compound: bytes) -> bool:
    """Whether a compound RTCP packet holds a goodbye; what is no RTCP does not."""
    at = 0
    while len(compound) - at >= 4 and compound[at] >> 6 == 2:
        if compound[at + 1] == GOODBYE:
            return True
        at += 4 * (int.from_bytes(compound[at + 2 : at + 4], "big") + 1)
    return False


def _end(lanes: Lanes, how: str) -> None:
    lanes.ear.line_closed(lanes.now)
    lanes.end(how)


async def _open_pair(host: str, port: int) -> Sockets:
    """Return a socket connected to the service from an even port, and one on the port above it.

    Raises:
        OSError: there is no such host, or no such pair is free.
    """
    for _ in range(PAIR_ATTEMPTS):
        audio = await open_socket((host, port), connected=True)
        here, number = audio.getsockname()[:2]
        try:
            if number % 2 == 0:
                return audio, await open_socket((here, number + 1))
        except OSError:
            pass  # somebody has the other one
        audio.close()
    raise OSError(f"no two UDP ports beside each other are free after {PAIR_ATTEMPTS} attempts")
