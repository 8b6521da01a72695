"""Requests that a peer should not send, by name, as data for the tests of the head and of the whole door."""

from __future__ import annotations

from tomrt.gateway.head import MAX_HEAD_BYTES


def request(*lines: bytes, first: bytes = b"GET / HTTP/1.1") -> bytes:
    return b"\r\n".join([first, *lines, b"", b""])


HOST = b"Host: a"
BAD: dict[str, tuple[int, bytes]] = {
    "no host": (400, request()),
    "two hosts": (400, request(HOST, HOST)),
    "empty host": (400, request(b"Host:")),
    "host with blank": (400, request(b"Host: a b")),
    "host list": (400, request(b"Host: a,b")),
    "host with user": (400, request(b"Host: a@b")),
    "folded": (400, request(HOST, b" folded: x")),
    "folded with tab": (400, request(HOST, b"\tfolded")),
    "blank before colon": (400, request(b"Host : a")),
    "no colon": (400, request(HOST, b"nonsense")),
    "empty name": (400, request(HOST, b": x")),
    "name with blank": (400, request(HOST, b"a b: x")),
    "NUL": (400, request(HOST, b"X: a\0b")),
    "bare CR": (400, request(HOST, b"X: a\rb")),
    "bare LF": (400, request(HOST, b"X: a\nb")),
    "DEL": (400, request(HOST, b"X: \x7f")),
    "not ASCII in name": (400, request(HOST, b"X\xe4: a")),
    "not ASCII in value": (400, request(HOST, b"X: \xc3\xa4")),
    "not ASCII in target": (400, request(HOST, first=b"GET /\xff HTTP/1.1")),
    "HTTP/1.0": (400, request(HOST, first=b"GET / HTTP/1.0")),
    "HTTP/2": (400, b"PRI * HTTP/2.0\r\n\r\n"),
    "HTTP/0.9": (400, request(HOST, first=b"GET /")),
    "lower-case version": (400, request(HOST, first=b"GET / http/1.1")),
    "two blanks": (400, request(HOST, first=b"GET  / HTTP/1.1")),
    "blank in target": (400, request(HOST, first=b"GET / x HTTP/1.1")),
    "absolute target": (400, request(HOST, first=b"GET http://a/ HTTP/1.1")),
    "star": (400, request(HOST, first=b"OPTIONS * HTTP/1.1")),
    "CONNECT": (400, request(HOST, first=b"CONNECT a:80 HTTP/1.1")),
    "fragment": (400, request(HOST, first=b"GET /#x HTTP/1.1")),
    "method": (400, request(HOST, first=b"G(T / HTTP/1.1")),
    "long method": (400, request(HOST, first=b"G" * 33 + b" / HTTP/1.1")),
    "empty line first": (400, b"\r\n" + request(HOST)),
    "nothing": (400, b"\r\n\r\n"),
    "long target": (400, request(HOST, first=b"GET /" + b"a" * 4096 + b" HTTP/1.1")),
    "two lengths": (400, request(HOST, b"Content-Length: 1", b"Content-Length: 1")),
    "length and chunks": (400, request(HOST, b"Content-Length: 1", b"Transfer-Encoding: chunked")),
    "negative length": (400, request(HOST, b"Content-Length: -1")),
    "odd length": (400, request(HOST, b"Content-Length: 1e3")),
    "SIP": (400, b"INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP a\r\n\r\n"),
    "101 headers": (431, request(HOST, *[b"X: y"] * 100)),
    "too long": (431, request(HOST, b"X: " + b"y" * MAX_HEAD_BYTES)),
}


KEY = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
UPGRADE = [HOST, b"Upgrade: websocket", b"Connection: Upgrade", b"Sec-WebSocket-Version: 13"]
BAD_UPGRADES: dict[str, tuple[int, bytes]] = {
    "no key": (400, request(*UPGRADE)),
    "two keys": (400, request(*UPGRADE, KEY, KEY)),
    "empty key": (400, request(*UPGRADE, b"Sec-WebSocket-Key:")),
    "short key": (400, request(*UPGRADE, b"Sec-WebSocket-Key: AAAA")),
    "long key": (400, request(*UPGRADE, KEY + b"AAAA")),
    "no base64": (400, request(*UPGRADE, b"Sec-WebSocket-Key: !!!!!!!!!!!!!!!!!!!!!!==")),
    "17 bytes": (400, request(*UPGRADE, b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAAA=")),
    "no version": (426, request(*UPGRADE[:3], KEY)),
    "version 0": (426, request(*UPGRADE[:3], b"Sec-WebSocket-Version: 0", KEY)),
    "version 8": (426, request(*UPGRADE[:3], b"Sec-WebSocket-Version: 8", KEY)),
    "version 99": (426, request(*UPGRADE[:3], b"Sec-WebSocket-Version: 99", KEY)),
    "two versions": (426, request(*UPGRADE, b"Sec-WebSocket-Version: 13", KEY)),
    "POST": (400, request(*UPGRADE, KEY, first=b"POST / HTTP/1.1")),
    "no connection": (400, request(HOST, b"Upgrade: websocket", UPGRADE[3], KEY)),
    "keep-alive": (400, request(HOST, b"Upgrade: websocket", b"Connection: keep-alive", UPGRADE[3], KEY)),
    "body": (400, request(*UPGRADE, KEY, b"Content-Length: 5")),
    "chunks": (400, request(*UPGRADE, KEY, b"Transfer-Encoding: chunked")),
    "subprotocol": (400, request(*UPGRADE, KEY, b"Sec-WebSocket-Protocol: a b")),
    "many subprotocols": (400, request(*UPGRADE, KEY, b"Sec-WebSocket-Protocol: " + b"a," * 17)),
}


GET = b"GET /healthz HTTP/1.1"
CALL = b"GET /call?dialect=plain HTTP/1.1"


def upgrade(*lines: bytes, target: bytes = b"/call?dialect=plain") -> bytes:
    return request(*UPGRADE, KEY, *lines, first=b"GET " + target + b" HTTP/1.1")


# What reaches the libraries' weak spots, other protocols on our ports, and well-formed requests that are wrong here.
ODD: dict[str, bytes] = {
    "subprotocol not ASCII": upgrade(b"Sec-WebSocket-Protocol: \xe4"),
    "extensions not ASCII": upgrade(b"Sec-WebSocket-Extensions: \xff"),
    "connection not ASCII": request(HOST, b"Upgrade: websocket", b"Connection: Upgrade, \xe9", UPGRADE[3], KEY),
    "host not ASCII": request(b"Host: \xfc", *UPGRADE[1:], KEY),
    "upgrade to h2c": request(
        HOST,
        b"Connection: Upgrade, HTTP2-Settings",
        b"Upgrade: h2c",
        b"HTTP2-Settings: !!!",
        b"Connection: close",
        first=GET,
    ),
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x12\x04",
    "TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)),
    "RTP packet": b"\x80\x00\x12\x34\x00\x00\x00\xa0\xde\xad\xbe\xef" + b"\xff" * 160,
    "ESL": b"Content-Type: auth/request\n\n",
    "PROXY": b"PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\n" + request(HOST, first=GET),
    "zeros": bytes(10_000),
    "line ends": b"\r\n" * 5_000,
    "unknown path": upgrade(target=b"/nope"),
    "root": upgrade(target=b"/"),
    "path with NUL": upgrade(target=b"/call/%00"),
    "path with ff": upgrade(target=b"/call/%ff"),
    "path with dots": upgrade(target=b"/call/../../etc/passwd"),
    "call id with line end": upgrade(target=b"/call?call_id=a%0d%0aX:1"),
    "call id too long": upgrade(target=b"/call?call_id=" + b"a" * 1024),
    "call id right to left": upgrade(target=b"/call?call_id=%E2%80%AE"),
    "call id SQL": upgrade(target=b"/call?call_id='%20OR%201=1--"),
    "call id script": upgrade(target=b"/call?call_id=%3Cscript%3E"),
    "rate": upgrade(target=b"/call?rate=44100"),
    "chunk size": request(HOST, b"Transfer-Encoding: chunked", b"Connection: close", first=b"POST /x HTTP/1.1")
    + b"zz\r\n",
    "transfer encoding": request(HOST, b"Transfer-Encoding: gzip", first=b"POST /x HTTP/1.1"),
    "long body": request(HOST, b"Content-Length: 999999", first=b"POST /x HTTP/1.1") + bytes(100_000),
    "pipelined upgrade": request(HOST, first=GET) + upgrade(target=b"/nope"),
    "upgrade with odd host": request(
        b"Host: xn--zzzzz." + b"a" * 70 + b"..", *UPGRADE[1:], KEY, first=b"GET /nope HTTP/1.1"
    ),
}
