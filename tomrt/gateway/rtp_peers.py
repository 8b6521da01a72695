"""Who may send RTP: the addresses and networks of the settings."""

from __future__ import annotations

import ipaddress

from tomrt.errors import SettingsError

__all__ = ["Peers", "read_peers"]

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
REMEMBERED = 1024


class Peers:
    """A set of networks.

    Args:
        networks: Of either version of IP.
    """

    def __init__(self, networks: tuple[_Network, ...]) -> None:
        self._networks = networks
        self._known: dict[str, bool] = {}

    def allow(self, host: str) -> bool:
        """Whether *host*, an address as a socket tells it, is within one of the networks."""
        allowed = self._known.get(host)
        if allowed is None:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            allowed = self._known[host] = self._look_up(host)
        return allowed

    def _look_up(self, host: str) -> bool:
        address = ipaddress.ip_address(host.partition("%")[0])
        mapped = getattr(address, "ipv4_mapped", None)
        return any((mapped or address) in network for network in self._networks)


def read_peers(text: str) -> Peers:
    """Read addresses and networks (``192.0.2.7 10.0.0.0/8 2001:db8::/32``), separated by spaces or commas.

    Raises:
        SettingsError: one of them is neither, or there is none; all faults at once.
    """
    networks, faults = [], []
    for word in text.replace(",", " ").split():
        try:
            networks.append(ipaddress.ip_network(word))
        except ValueError:
            faults.append(f"rtp.peers: {word[:60]!r} is neither an address nor a network (as 10.0.0.0/8)")
    if not networks and not faults:
        faults.append("rtp.peers: names nobody who may send")
    if faults:
        raise SettingsError(*faults)
    return Peers(tuple(networks))
