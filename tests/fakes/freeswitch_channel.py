"""The headers of a call: what stands in its events, and the 175 or so of the answer to ``connect``."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fakes.freeswitch_call import FakeCall

__all__ = ["CONNECT_HEADERS", "channel_data", "channel_headers", "variable_of"]

CONNECT_HEADERS = 175

SIP = {
    "direction": "inbound",
    "call_uuid": "{uuid}",
    "sip_from_user": "{caller}",
    "sip_from_uri": "{caller}@127.0.0.1",
    "sip_from_host": "127.0.0.1",
    "sip_to_user": "{called}",
    "sip_to_uri": "{called}@127.0.0.1:5080",
    "sip_req_user": "{called}",
    "sip_contact_user": "{caller}",
    "sip_call_id": "{uuid}@127.0.0.1",
    "sip_user_agent": 'Phone/1.0 (a "quoted" name; 50%)',
    "channel_name": "sofia/external/{caller}@127.0.0.1",
    "destination_number": "{called}",
    "read_codec": "{codec}",
    "read_rate": "{rate_hz}",
    "write_codec": "{codec}",
    "write_rate": "{rate_hz}",
    "switch_r_sdp": "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 8 101\r\n",
    "socket_host": "127.0.0.1",
    "current_application": "socket",
    "endpoint_disposition": "ANSWER",
}


def channel_headers(call: FakeCall) -> dict[str, str]:
    """Return what every event of *call* says of it."""
    return {
        "Unique-ID": call.uuid,
        "Channel-Call-UUID": call.uuid,
        "Channel-Name": f"sofia/external/{call.caller}@127.0.0.1",
        "Channel-State": "CS_HANGUP" if call.ended else "CS_EXECUTE",
        "Channel-Call-State": "HANGUP" if call.ended else ("ACTIVE" if call.answered else "RINGING"),
        "Answer-State": "hangup" if call.ended else ("answered" if call.answered else "ringing"),
        "Call-Direction": "inbound",
        "Presence-Call-Direction": "inbound",
        "Channel-HIT-Dialplan": "true",
        "Channel-Read-Codec-Name": call.codec,
        "Channel-Read-Codec-Rate": str(call.rate_hz),
        "Channel-Write-Codec-Name": call.codec,
        "Channel-Write-Codec-Rate": str(call.rate_hz),
        "Caller-Direction": "inbound",
        "Caller-Username": call.caller,
        "Caller-Dialplan": "XML",
        "Caller-Caller-ID-Name": call.caller_name,
        "Caller-Caller-ID-Number": call.caller,
        "Caller-Orig-Caller-ID-Name": call.caller_name,
        "Caller-Orig-Caller-ID-Number": call.caller,
        "Caller-Network-Addr": "127.0.0.1",
        "Caller-ANI": call.caller,
        "Caller-Destination-Number": call.called,
        "Caller-Unique-ID": call.uuid,
        "Caller-Source": "mod_sofia",
        "Caller-Context": call.context,
        "Caller-Channel-Name": f"sofia/external/{call.caller}@127.0.0.1",
    }


def variable_of(call: FakeCall, name: str) -> str:
    """Return a variable of *call*, or what its caller profile says under that name, or ``_undef_``."""
    profile = {
        "caller_id_name": call.caller_name,
        "caller_id_number": call.caller,
        "destination_number": call.called,
        "context": call.context,
        "dialplan": "XML",
        "network_addr": "127.0.0.1",
    }
    known = profile | {key.removeprefix("variable_"): value for key, value in channel_data(call).items()}
    return known.get(name) or "_undef_"


def channel_data(call: FakeCall) -> dict[str, str]:
    """Return all headers of *call*, its variables too, as many as a real switch was seen to send."""
    facts = {
        "uuid": call.uuid,
        "caller": call.caller,
        "called": call.called,
        "codec": call.codec,
        "rate_hz": call.rate_hz,
    }
    variables = {"uuid": call.uuid} | {name: value.format(**facts) for name, value in SIP.items()} | call.variables
    headers = channel_headers(call) | {f"variable_{name}": value for name, value in variables.items()}
    filling = CONNECT_HEADERS - len(headers)
    return headers | {f"variable_rtp_fact_{number}": f"{number}: a%b c" for number in range(filling)}
