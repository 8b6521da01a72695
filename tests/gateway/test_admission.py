from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tomrt.errors import MisuseError
from tomrt.gateway.admission import Admission
from tomrt.gateway.refusal import Busy, refusal_for, response_bytes


@given(st.integers(1, 5), st.lists(st.sampled_from(["come", "go", "drain"]), max_size=60))
def test_admitted_and_refused_are_offered(max_calls: int, steps: list[str]) -> None:
    """Never more than the limit at once, none while draining, and every offer is counted once."""
    admission = Admission(max_calls=max_calls)
    offered = 0
    for step in steps:
        if step == "come":
            offered += 1
            expected = admission.active < max_calls and not admission.draining
            try:
                admission.admit()
            except Busy:
                assert not expected
            else:
                assert expected
        elif step == "go" and admission.active:
            admission.release()
        elif step == "drain":
            admission.drain()
        assert 0 <= admission.active <= max_calls
        assert admission.offered == admission.admitted + admission.refused == offered


def test_a_release_too_many_is_our_mistake() -> None:
    """Nobody leaves who was not in."""
    with pytest.raises(MisuseError):
        Admission(max_calls=1).release()


def test_busy_is_503_with_retry_after() -> None:
    """A full house answers 503 in one sentence and says when to try again."""
    admission = Admission(max_calls=1)
    admission.admit()
    with pytest.raises(Busy) as caught:
        admission.admit()
    answer = response_bytes(refusal_for(caught.value))
    assert answer.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert b"\r\nRetry-After: 5\r\n" in answer
    assert answer.endswith(b"\r\n\r\nall lines are busy\n")
