"""What was seen of the test call, and what it means."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from attrs import define, field, frozen

from tomrt.doctor.finding import Finding, failed, passed, skipped, warned

__all__ = ["CALL_CHECKS", "CallFacts", "Packet", "judge_call"]

PLACED = ("call.placed", "test call")
HANDED_OVER = ("call.handed_over", "handed over to us")
PACKETS = ("call.packets", "audio by UDP")
CADENCE = ("call.cadence", "a packet every 20 ms")
ECHO = ("call.echo", "speaks and is heard")
ENDED = ("call.ended", "hang-up is told")
CALL_CHECKS = (PLACED, HANDED_OVER, PACKETS, CADENCE, ECHO, ENDED)

FRAME_MS = 20.0
MEDIAN_OFF_MS = 2.0
LATE_MS = 40.0
SLOW_MS = 150.0
"""Through the loopback channel's own queue of three frames a healthy switch needs 20 to 100 ms."""

_NO_LOOPBACK = frozenset({"CHAN_NOT_IMPLEMENTED", "DESTINATION_OUT_OF_ORDER"})
_FULL = frozenset({"NORMAL_TEMPORARY_FAILURE", "SWITCH_CONGESTION", "NORMAL_CIRCUIT_CONGESTION"})
_NOT_SO_FAR = "the test call did not get that far"


@frozen
class Packet:
    """When a packet came, on Trio's clock, and how many bytes it had."""

    at: float
    size: int


@define(kw_only=True)
class CallFacts:
    """What was seen, as far as the call got.

    Args:
        refused: What FreeSWITCH said when it would not place the call.
        dialled: The address that it was to dial, ``host:port``.
        handed_over: Whether it did.
        control: What went wrong on that connection.
        audio_from: FreeSWITCH's address for audio.
        audio_to: Ours.
        codec: Of the call, as ``L16 8000 Hz``.
        frame_bytes: Size that a packet should have.
        packets: All that came.
        senders: The addresses that they came from.
        tone_sent: Whether the tone went out.
        round_trip_ms: From the tone's first sample out to the same sample in; ``None`` when it never came.
        likeness: How like it what came is, up to 1.
        hung_up: Whether the end of the call was told.
    """

    refused: str = ""
    dialled: str = ""
    handed_over: bool = False
    control: str = ""
    audio_from: str = ""
    audio_to: str = ""
    codec: str = ""
    frame_bytes: int = 0
    packets: list[Packet] = field(factory=list)
    senders: set[str] = field(factory=set)
    tone_sent: bool = False
    round_trip_ms: float | None = None
    likeness: float = 0.0
    hung_up: bool = False


def judge_call(facts: CallFacts) -> Iterator[Finding]:
    """Yield a finding for each of the ``CALL_CHECKS``; what the call did not reach is skipped."""
    stages = (_placed, _handed_over, _packets, _cadence, _echo)
    for number, stage in enumerate(stages):
        finding = stage(facts)
        yield finding
        if finding.verdict.value == "fail" and stage is not _cadence:
            rest = CALL_CHECKS[number + 1 :] if not facts.handed_over else CALL_CHECKS[number + 1 : -1]
            yield from (skipped(check, _NOT_SO_FAR) for check in rest)
            break
    if facts.handed_over:
        yield _ended(facts)


def _placed(facts: CallFacts) -> Finding:
    if not facts.refused:
        return passed(PLACED, "a loopback call that echoes")
    words = facts.refused
    if any(cause in words for cause in _NO_LOOPBACK):
        why, do = "mod_loopback, which makes the test call, is missing", "fs_cli -x 'load mod_loopback'"
    elif any(cause in words for cause in _FULL):
        why, do = "FreeSWITCH is full, or paused", "fs_cli -x status; fs_cli -x 'fsctl resume'"
    elif "command not found" in words:
        why, do = "mod_commands is missing, and with it every command", "fs_cli -x 'load mod_commands'"
    else:
        why, do = "FreeSWITCH's log says more", "fs_cli -x 'console loglevel 7', then once more"
    return failed(PLACED, f"FreeSWITCH would not place it: {words}", why=why, do=do)


def _handed_over(facts: CallFacts) -> Finding:
    if facts.control:
        return failed(
            HANDED_OVER,
            facts.control,
            why="tomrt could not take calls from this FreeSWITCH either",
            do="see freeswitch.unicast_host and freeswitch.unicast_switch_host, and FreeSWITCH's log",
        )
    if facts.handed_over:
        return passed(HANDED_OVER, f"FreeSWITCH dialled {facts.dialled}")
    return failed(
        HANDED_OVER,
        f"the call was placed, but FreeSWITCH did not dial {facts.dialled} within 5 s",
        why="a firewall between it and this machine, or mod_event_socket's socket application is missing",
        do="let TCP from FreeSWITCH to this machine through; without a firewall, see its log for 'Socket Error'",
    )


def _packets(facts: CallFacts) -> Finding:
    way = f"from {facts.audio_from} to {facts.audio_to}"
    if not facts.packets:
        return failed(
            PACKETS,
            f"none came {way}",
            why="FreeSWITCH says +OK to unicast whatever happens; the audio goes elsewhere, or is dropped on its way",
            do="freeswitch.unicast_host must be this machine as FreeSWITCH reaches it, freeswitch.unicast_switch_host "
            "an address of FreeSWITCH's own; let UDP freeswitch.unicast_first_port to unicast_last_port through",
        )
    strangers = sorted(facts.senders - {facts.audio_from})
    if strangers:
        host = strangers[0].rpartition(":")[0]
        return failed(
            PACKETS,
            f"they come from {', '.join(strangers)} instead of {facts.audio_from}",
            why="tomrt takes audio from the address in its settings only, and would hear nothing",
            do=f'freeswitch.unicast_switch_host = "{host}"',
        )
    wrong = sorted({each.size for each in facts.packets} - {facts.frame_bytes, *_comfort_noise(facts)})
    if wrong:
        return failed(
            PACKETS,
            f"packets of {', '.join(map(str, wrong))} bytes came, and {facts.codec} has {facts.frame_bytes} in 20 ms",
            why="tomrt sends and takes one 20 ms frame a packet; others are not heard",
            do="offer PCMU,PCMA with 20 ms: global_codec_prefs=PCMU@20i,PCMA@20i in vars.xml",
        )
    count = len(facts.packets)
    return passed(PACKETS, f"{count} packets of {facts.frame_bytes} bytes, {facts.codec}", packets=count)


def _comfort_noise(facts: CallFacts) -> set[int]:
    """Return the size of the packets that stand for comfort noise: of decoded samples, whatever the codec."""
    return {2 * facts.frame_bytes} if facts.codec.startswith("PCM") else set()


def _cadence(facts: CallFacts) -> Finding:
    gaps = _gaps_ms([each.at for each in facts.packets])
    if not gaps:
        return skipped(CADENCE, "too few packets")
    median, late = float(np.percentile(gaps, 50)), float(np.percentile(gaps, 95))
    seen = f"p50 {median:.1f} ms, p95 {late:.1f} ms"
    figures = {"gap_p50_ms": round(median, 2), "gap_p95_ms": round(late, 2)}
    if abs(median - FRAME_MS) > MEDIAN_OFF_MS:
        return failed(
            CADENCE,
            seen,
            why="FreeSWITCH does not keep time, or the call has another packet length",
            do="offer PCMU,PCMA with 20 ms; on a virtual machine, see that its clock source is not emulated",
            **figures,
        )
    if late > LATE_MS:
        return warned(
            CADENCE,
            seen,
            why="packets come in bursts: callers hear that, and cut-ins are noticed late",
            do="give FreeSWITCH and tomrt processor time: no other load, governor 'performance', no swapping",
            **figures,
        )
    return passed(CADENCE, seen, **figures)


def _gaps_ms(times: Sequence[float]) -> list[float]:
    return [1000 * (after - before) for before, after in pairwise(times)]


def _echo(facts: CallFacts) -> Finding:
    if not facts.tone_sent:
        return skipped(ECHO, _NOT_SO_FAR)
    if facts.round_trip_ms is None:
        return failed(
            ECHO,
            "the tone that was sent did not come back",
            why="audio comes from FreeSWITCH but does not get to it: callers would not hear a word",
            do=f"let UDP from this machine to {facts.audio_from} through, and see that "
            "freeswitch.unicast_switch_host is an address of FreeSWITCH's own",
        )
    trip = facts.round_trip_ms
    seen = f"a 440 Hz tone came back after {trip:.0f} ms, {facts.likeness:.0%} alike"
    figures = {"round_trip_ms": round(trip, 1), "likeness": round(facts.likeness, 3)}
    if trip > SLOW_MS:
        return warned(
            ECHO,
            seen,
            why="every answer comes, and every cut-in is heard, that much later",
            do="see whether the machine is busy, or the network between FreeSWITCH and tomrt is long",
            **figures,
        )
    return passed(ECHO, seen, **figures)


def _ended(facts: CallFacts) -> Finding:
    if facts.hung_up:
        return passed(ENDED, "told, and the call is gone")
    return failed(
        ENDED,
        "the call was hung up and FreeSWITCH did not tell",
        why="tomrt would go on talking to nobody",
        do="see FreeSWITCH's log; no events may be filtered out in event_socket.conf.xml",
    )
