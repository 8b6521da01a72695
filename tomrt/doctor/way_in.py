"""Whether FreeSWITCH's event socket is there, lets us in, and lets in nobody else."""

from __future__ import annotations

from collections.abc import Iterable

from tomrt.doctor.finding import Finding, failed, passed, skipped, warned
from tomrt.doctor.knock import Answer, Knock, knock
from tomrt.settings import is_loopback

__all__ = ["DEFAULT_PASSWORDS", "check_default_passwords", "check_exposure", "check_password", "judge_reach"]

DEFAULT_PASSWORDS = ("ClueCon", "set-me")
"""What FreeSWITCH comes with, and what our own example says."""

REACH = ("reach", "event socket")
PASSWORD = ("password", "password")
DEFAULT = ("password.default", "well-known passwords")
EXPOSURE = ("exposure", "closed to the network")

_CONF = "autoload_configs/event_socket.conf.xml"
_NEEDED = "without it FreeSWITCH can neither hand over calls nor be examined"


def judge_reach(found: Knock, host: str, port: int) -> Finding:
    """Say who answered at the address."""
    where = f"{host}:{port}"
    match found.answer:
        case Answer.CLOSED:
            return failed(
                REACH,
                f"nobody listens at {where}",
                why=_NEEDED,
                do=f"start FreeSWITCH, load mod_event_socket (modules.conf.xml), or give the right address "
                f"(listen-ip and listen-port in {_CONF})",
            )
        case Answer.UNREACHABLE:
            return failed(
                REACH,
                f"{where} cannot be reached: {found.said}",
                why=_NEEDED,
                do=f"check the address, and that no firewall drops TCP port {port}",
            )
        case Answer.REJECTS:
            return failed(
                REACH,
                f"{where} turns this machine away: {found.said or 'rude rejection'}",
                why="the access list of the event socket does not have our address",
                do=f"allow {found.ours or 'this address'} in the list that apply-inbound-acl names in {_CONF}",
            )
        case Answer.OTHER | Answer.SILENT:
            said = f"it said {found.said!r}" if found.said else "it says nothing"
            return failed(
                REACH,
                f"what listens at {where} is no event socket: {said}",
                why=_NEEDED,
                do=f"give the port that listen-port in {_CONF} says (8021 where nobody changed it)",
            )
    return passed(REACH, f"listens at {where}")


async def check_password(host: str, port: int, password: str) -> tuple[Finding, str | None]:
    """Try *password*; return the finding, and the password to go on with or ``None``."""
    if not password:
        usable = await _first_open(host, port, DEFAULT_PASSWORDS)
        finding = failed(
            PASSWORD,
            "none was given",
            why="everything else is asked behind it",
            do="give --password-file FILE, or set freeswitch.inbound_password",
        )
        return finding, usable
    found = await knock(host, port, password)
    if found.answer is Answer.OPENS:
        return passed(PASSWORD, "accepted"), password
    finding = failed(
        PASSWORD,
        f"FreeSWITCH {found.answer.value}",
        why="tomrt could not log in either",
        do=f"make freeswitch.inbound_password what {_CONF} says, then: fs_cli -x 'reload mod_event_socket'",
    )
    return finding, await _first_open(host, port, DEFAULT_PASSWORDS)


async def check_default_passwords(host: str, port: int) -> Finding:
    """Try the passwords that everybody knows, on connections of their own."""
    known = await _first_open(host, port, DEFAULT_PASSWORDS)
    if known is None:
        return passed(DEFAULT, "refused")
    return failed(
        DEFAULT,
        f"the event socket takes {known!r}",
        why="whoever reaches the port then runs commands on that machine as FreeSWITCH (CVE-2019-19492)",
        do=f'put a password of your own (openssl rand -hex 24) into {_CONF}: <param name="password" value="..."/>',
    )


async def _first_open(host: str, port: int, passwords: Iterable[str]) -> str | None:
    for password in passwords:
        if (await knock(host, port, password)).answer is Answer.OPENS:
            return password
    return None


async def check_exposure(host: str, port: int, own_addresses: Iterable[str]) -> Finding:
    """Find out whether the event socket can be reached over the network.

    Args:
        host: Where it was examined.
        port: Its port.
        own_addresses: Addresses of this machine other than loopback, tried when *host* is this machine.
    """
    do = f'let it listen on loopback: <param name="listen-ip" value="127.0.0.1"/> in {_CONF}'
    if not is_loopback(host):
        return warned(
            EXPOSURE,
            f"it was reached over the network, at {host}",
            why="passwords and calls cross it unencrypted, and the password is all that keeps others out",
            do=f"{do}, and run tomrt there; or allow tomrt's address alone (apply-inbound-acl, and a firewall)",
        )
    tried = list(own_addresses)
    for address in tried:
        found = await knock(address, port)
        if found.answer is Answer.ASKS:
            return failed(
                EXPOSURE,
                f"it also listens at {address}",
                why="any machine that gets through the firewall may try passwords, and a login is a shell",
                do=do,
            )
        if found.answer is Answer.REJECTS:
            return warned(
                EXPOSURE,
                f"it also listens at {address}, where its access list turns strangers away",
                why="one wrong line in acl.conf.xml opens it",
                do=do,
            )
    if not tried:
        return skipped(EXPOSURE, "this machine has no other address to try from")
    return passed(EXPOSURE, f"not at {', '.join(tried)}")
