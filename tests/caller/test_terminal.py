"""Colours and the moving line appear only where they are wanted."""

from __future__ import annotations

import io

import pytest

from tomrt.caller.terminal import GREEN, Terminal, printable


class Screen(io.StringIO):
    """A stream that claims to be a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "environ", "colour", "live"),
    [
        (Screen(), {"TERM": "xterm"}, True, True),
        (Screen(), {"TERM": "xterm", "NO_COLOR": "1"}, False, True),
        (Screen(), {"TERM": "xterm", "NO_COLOR": ""}, True, True),
        (Screen(), {"TERM": "dumb"}, False, False),
        (Screen(), {}, False, False),
        (io.StringIO(), {"TERM": "xterm"}, False, False),
    ],
)
def test_what_a_terminal_is_shown(stream, environ, colour, live):
    """NO_COLOR takes the colours, TERM=dumb and a pipe take the moving line as well; the text is always there."""
    terminal = Terminal(stream, environ)
    terminal.status("calling")
    terminal.line("done", GREEN)
    written = stream.getvalue()
    assert ("\r\033[Kcalling\r\033[K" in written) is live
    assert ("\033[32mdone\033[0m" in written) is colour
    assert "done" in written
    assert colour or live or written == "done\n"


def test_printable():
    """Control characters go, white space becomes single blanks, letters of any language stay."""
    assert printable("  Grüße\n\t an \x1b[31malle\x00 ") == "Grüße an [31malle"
