"""Commands for FreeSWITCH's event socket, each as the bytes to send.

Every value passes :func:`value`, so none can end its line and begin another. Nothing that runs a program on the
switch's machine is ever built, whoever asks for it, and ``exit`` does not exist here: on a connection that FreeSWITCH
opened it would hang up the call.
"""

from __future__ import annotations

import ipaddress
import re

from tomrt.errors import MisuseError, ProtocolError

__all__ = [
    "CAUSES",
    "MAX_VALUE_BYTES",
    "api",
    "auth",
    "bgapi",
    "cause_word",
    "connect",
    "events",
    "execute",
    "filter_off",
    "filter_on",
    "hang_up",
    "linger",
    "unicast",
    "value",
    "word",
]

MAX_VALUE_BYTES = 4_096

CAUSES = frozenset(
    """
    NONE UNALLOCATED_NUMBER NO_ROUTE_TRANSIT_NET NO_ROUTE_DESTINATION CHANNEL_UNACCEPTABLE CALL_AWARDED_DELIVERED
    NORMAL_CLEARING USER_BUSY NO_USER_RESPONSE NO_ANSWER SUBSCRIBER_ABSENT CALL_REJECTED NUMBER_CHANGED
    REDIRECTION_TO_NEW_DESTINATION EXCHANGE_ROUTING_ERROR DESTINATION_OUT_OF_ORDER INVALID_NUMBER_FORMAT
    FACILITY_REJECTED RESPONSE_TO_STATUS_ENQUIRY NORMAL_UNSPECIFIED NORMAL_CIRCUIT_CONGESTION NETWORK_OUT_OF_ORDER
    NORMAL_TEMPORARY_FAILURE SWITCH_CONGESTION ACCESS_INFO_DISCARDED REQUESTED_CHAN_UNAVAIL PRE_EMPTED
    FACILITY_NOT_SUBSCRIBED OUTGOING_CALL_BARRED INCOMING_CALL_BARRED BEARERCAPABILITY_NOTAUTH
    BEARERCAPABILITY_NOTAVAIL SERVICE_UNAVAILABLE BEARERCAPABILITY_NOTIMPL CHAN_NOT_IMPLEMENTED
    FACILITY_NOT_IMPLEMENTED SERVICE_NOT_IMPLEMENTED INVALID_CALL_REFERENCE INCOMPATIBLE_DESTINATION
    INVALID_MSG_UNSPECIFIED MANDATORY_IE_MISSING MESSAGE_TYPE_NONEXIST WRONG_MESSAGE IE_NONEXIST INVALID_IE_CONTENTS
    WRONG_CALL_STATE RECOVERY_ON_TIMER_EXPIRE MANDATORY_IE_LENGTH_ERROR PROTOCOL_ERROR INTERWORKING SUCCESS
    ORIGINATOR_CANCEL CRASH SYSTEM_SHUTDOWN LOSE_RACE MANAGER_REQUEST BLIND_TRANSFER ATTENDED_TRANSFER
    ALLOTTED_TIMEOUT USER_CHALLENGE MEDIA_TIMEOUT PICKED_OFF USER_NOT_REGISTERED PROGRESS_TIMEOUT INVALID_GATEWAY
    GATEWAY_DOWN INVALID_URL INVALID_PROFILE NO_PICKUP SRTP_READ_ERROR BOWOUT BUSY_EVERYWHERE DECLINE
    DOES_NOT_EXIST_ANYWHERE NOT_ACCEPTABLE UNWANTED NO_IDENTITY BAD_IDENTITY_INFO UNSUPPORTED_CERTIFICATE
    INVALID_IDENTITY STALE_DATE REJECT_ALL
    """.split()  # noqa: SIM905 - seventy-odd names are better read as words than as a list of strings
)
"""FreeSWITCH's names of reasons for the end of a call: those of ITU-T Q.850, and its own."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_WORD = re.compile(r"\S+\Z")
_NAME = re.compile(r"[A-Za-z0-9_.:-]+\Z")
# A program may be run by name, as an application (``system:…``, ``&system(…)``), and by an expression ``${system(…)}``.
_PROGRAM = r"(?:(?:bg_?)?system|(?:bg_?)?spawn(?:_stream)?)"
_RUNS_PROGRAMS = re.compile(rf"(?:^|[\s&:,'\"{{}}\[\]^|]){_PROGRAM}(?:$|[\s(:,'\"])", re.IGNORECASE)
_WRAPPERS = frozenset({"eval", "expand", "cond", "sched_api", "unsched_api", "xml_wrap", "json"})
_SCRIPTS = frozenset({"lua", "luarun", "js", "jsrun", "jsapi", "v8", "python", "python3", "perl", "java", "managed"})


def value(text: str) -> str:
    """Return *text*, which may stand in a command.

    Raises:
        ProtocolError: it holds a line end or another control character, or is longer than 4 KiB.
    """
    if _CONTROL.search(text):
        raise ProtocolError("a value for FreeSWITCH holds a control character")
    if len(text) > MAX_VALUE_BYTES or len(text.encode()) > MAX_VALUE_BYTES:
        raise ProtocolError(f"a value for FreeSWITCH is longer than {MAX_VALUE_BYTES} bytes")
    return text


def word(text: str) -> str:
    """Return *text*, which may stand in a command whose parts are separated by blanks.

    Raises:
        ProtocolError: it is empty, holds a blank, or is nothing that :func:`value` takes.
    """
    if _WORD.match(value(text)) is None:
        raise ProtocolError("a value for FreeSWITCH is empty or holds a blank")
    return text


def cause_word(text: str) -> str:
    """Return *text* if it is the name of a hang-up cause, else ``"OTHER"``: the words for metrics are few."""
    return text if text in CAUSES else "OTHER"


def connect() -> bytes:
    """Ask who is there, on a connection that FreeSWITCH opened."""
    return _command("connect")


def auth(password: str) -> bytes:
    """Log in, on a connection that we opened."""
    return _command(f"auth {value(password)}")


def events(*names: str, custom: tuple[str, ...] = ()) -> bytes:
    """Ask for events by *names*, and for those of modules by the subclasses in *custom*."""
    if not names and not custom:
        raise MisuseError("events needs the name of one")
    words = [*names, *(("CUSTOM", *custom) if custom else ())]
    return _command(" ".join(["event plain", *(_name(each) for each in words)]))


def filter_on(header: str, text: str) -> bytes:
    """Have only events sent in which *header* is *text*, or which another filter lets through."""
    return _command(f"filter {_name(header)} {word(text)}")


def filter_off(header: str, text: str) -> bytes:
    """Take a filter back."""
    return _command(f"filter delete {_name(header)} {word(text)}")


def linger(seconds: int) -> bytes:
    """Have the connection kept for *seconds* after the call's end, so that its last events arrive."""
    return _command(f"linger {int(seconds)}")


def api(command: str) -> bytes:
    """Run an API command and wait for its result: nothing else is answered meanwhile, so only what is quick.

    Raises:
        MisuseError: it would run a program on the switch's machine.
    """
    return _command(f"api {_harmless(command)}")


def bgapi(command: str, job_uuid: str) -> bytes:
    """Run an API command in the background; its result is the ``BACKGROUND_JOB`` event with *job_uuid*.

    Raises:
        MisuseError: it would run a program on the switch's machine.
    """
    return _command(f"bgapi {_harmless(command)}", ("Job-UUID", word(job_uuid)))


def execute(app: str, arg: str = "", *, uuid: str = "", event_uuid: str = "", lock: bool = True) -> bytes:
    """Have a call run a dialplan application.

    Args:
        app: Its name.
        arg: Its argument.
        uuid: Whose call; needed on a connection that we opened.
        event_uuid: What the events of this run are to be known by.
        lock: Wait for what is running instead of interrupting it.

    Raises:
        MisuseError: it would run a program on the switch's machine.
    """
    _harmless(f"{_name(app)} {arg}")
    return _message(
        uuid,
        ("call-command", "execute"),
        ("execute-app-name", app),
        *([("execute-app-arg", arg)] if arg else []),
        *([("Event-UUID", word(event_uuid))] if event_uuid else []),
        *([("event-lock", "true")] if lock else []),
    )


def hang_up(cause: str, *, uuid: str = "") -> bytes:
    """End a call, for a *cause* of ``CAUSES``."""
    if cause not in CAUSES:
        raise MisuseError("a call is hung up for a cause that FreeSWITCH has a name for")
    return _message(uuid, ("call-command", "hangup"), ("hangup-cause", cause))


def unicast(local: tuple[str, int], remote: tuple[str, int], *, native: bool, uuid: str = "") -> bytes:
    """Have a parked call's audio sent and taken over UDP.

    Args:
        local: FreeSWITCH's address and port.
        remote: Ours.
        native: In the bytes of the call's own codec instead of 16-bit samples.
        uuid: Whose call; needed on a connection that we opened.
    """
    return _message(
        uuid,
        ("call-command", "unicast"),
        ("local-ip", _address(local[0])),
        ("local-port", _port(local[1])),
        ("remote-ip", _address(remote[0])),
        ("remote-port", _port(remote[1])),
        ("transport", "udp"),
        *([("flags", "native")] if native else []),
    )


def _message(uuid: str, *headers: tuple[str, str]) -> bytes:
    return _command(f"sendmsg {word(uuid)}" if uuid else "sendmsg", *headers)


def _command(first: str, *headers: tuple[str, str]) -> bytes:
    lines = [value(first), *(f"{_name(name)}: {value(text)}" for name, text in headers)]
    return ("\n".join(lines) + "\n\n").encode()


def _name(text: str) -> str:
    if len(text) > 256 or _NAME.match(text) is None:
        raise ProtocolError("a name for FreeSWITCH is not made of letters, digits and _.:-")
    return text


def _harmless(command: str) -> str:
    verb = value(command).split(" ", 1)[0].lower()
    if not verb or verb in _WRAPPERS or verb in _SCRIPTS or "${" in command or _RUNS_PROGRAMS.search(command):
        raise MisuseError("this could run a program on the switch's machine, which is never asked for")
    return command


def _address(host: str) -> str:
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        raise ProtocolError("unicast needs addresses, not names") from None


def _port(port: int) -> str:
    if not 1 <= port <= 65_535:
        raise ProtocolError("unicast needs ports of 1 to 65535")
    return str(int(port))
