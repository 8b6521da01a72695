"""Endpointing: where utterances begin and end."""

from hypothesis import given
from hypothesis import strategies as st

from tomrt.turns.endpointing import Ended, Endpointing, Fragment, Opened, Silent, heard, stalled

LIMITS = Endpointing(silence_ms=600, min_speech_ms=120, max_ms=5_000)


def run(pattern: str, limits: Endpointing = LIMITS):
    """Feed one frame a letter, ``x`` for speech; return the effects and the state."""
    state, effects = Silent(), []
    for index, letter in enumerate(pattern):
        state, effect = heard(state, letter == "x", (index + 1) * 20.0, 20.0, limits)
        if effect is not None:
            effects.append(effect)
    return effects, state


def test_utterance_ends_after_the_silence():
    """An utterance runs from its first to its last speech frame and ends when the silence is long enough."""
    effects, state = run("....." + "x" * 20 + "." * 30)
    assert [Opened(100.0), Ended(start_ms=100.0, end_ms=500.0, reason="silence")] == effects
    assert state == Silent()


def test_pause_within_an_utterance_does_not_end_it():
    """A pause shorter than the limit is part of the utterance."""
    effects, _ = run("x" * 10 + "." * 29 + "x" * 10 + "." * 30)
    assert [Opened(0.0), Ended(start_ms=0.0, end_ms=980.0, reason="silence")] == effects


def test_click_is_a_fragment():
    """Less speech than the minimum is reported as a fragment, never as an utterance."""
    effects, _ = run("xx" + "." * 30)
    assert [Opened(0.0), Fragment(0.0)] == effects


def test_longest_utterance_is_bounded():
    """Speech without end is cut at the limit, and what follows opens a new utterance."""
    effects, _ = run("x" * 300)
    assert Ended(start_ms=0.0, end_ms=5_000.0, reason="too_long") == effects[1]
    assert isinstance(effects[2], Opened)


def test_stalled_line_ends_the_utterance():
    """When the line stops delivering, what was said so far is the utterance."""
    _, state = run("x" * 10)
    state, effect = stalled(state, LIMITS)
    assert Ended(start_ms=0.0, end_ms=200.0, reason="stalled") == effect
    assert stalled(state, LIMITS) == (Silent(), None)


@given(st.text(alphabet="x.", max_size=400))
def test_openings_and_endings_alternate(pattern):
    """Whatever is heard, every opened utterance is closed at most once before the next one opens."""
    effects, _ = run(pattern)
    for index, effect in enumerate(effects):
        assert isinstance(effect, Opened) == (index % 2 == 0)
        if isinstance(effect, Ended):
            assert effects[index - 1].start_ms == effect.start_ms < effect.end_ms
