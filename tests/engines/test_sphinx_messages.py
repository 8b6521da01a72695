from __future__ import annotations

import pytest

from tomrt.engines.sphinx_messages import Answer, Request, SetUp, Stop, packed, unpacked
from tomrt.errors import ProtocolError


@pytest.mark.parametrize(
    "message",
    [SetUp({"any": "#JSGF…"}, {"x": "EH K S"}), Request(7, "any"), Stop(7), Answer(text="yes", whole=True)],
)
def test_messages_come_out_as_they_went_in(message):
    """Each message is the same at the other end."""
    assert unpacked(packed(message), SetUp, Request, Stop, Answer) == message


@pytest.mark.parametrize("frame", [b"", b"[]", b"{}", b'{"stop": 1, "more": 2}', packed(Request(1, "any"))])
def test_other_messages_are_refused(frame):
    """What is no message, or not one that is due, is an error."""
    with pytest.raises(ProtocolError):
        unpacked(frame, Stop, SetUp)
