from __future__ import annotations

import pytest

from tomrt.dialogue.grammar import jsgf_grammars
from tomrt.dialogue.script import built_in_script

pocketsphinx = pytest.importorskip("pocketsphinx")


@pytest.fixture(scope="module")
def accepts():
    grammars = jsgf_grammars(built_in_script())
    pocketsphinx.set_loglevel("FATAL")
    decoder = pocketsphinx.Decoder(lm=None, loglevel="FATAL")
    models = {name: decoder.parse_jsgf(grammars[name]) for name in ("any", "yes_no", "day", "number")}
    return lambda name, text: bool(models[name].accept(text))


def test_one_grammar_for_each_expectation():
    """All that can be expected next has a grammar of its name."""
    script = built_in_script()
    grammars = jsgf_grammars(script)
    assert tuple(grammars) == script.expectations()
    assert all(grammar.startswith(f"#JSGF V1.0;\ngrammar {name};\npublic ") for name, grammar in grammars.items())


@pytest.mark.parametrize(
    ("name", "text", "accepted"),
    [
        ("any", "what are your opening hours", True),
        ("any", "what are your opening hours please", True),
        ("any", "what are your", False),
        ("any", "i'd like an appointment on tuesday at half past two", True),
        ("any", "tuesday", False),
        ("any", "yes", False),
        ("yes_no", "yes please", True),
        ("yes_no", "goodbye", True),
        ("day", "on tuesday please", True),
        ("day", "tuesday at nine", True),
        ("day", "goodbye", True),
        ("number", "five five five one two", True),
        ("number", "my number is", False),
    ],
)
def test_accepts_what_is_asked_for_and_every_intent(accepts, name: str, text: str, accepted: bool):
    """Read by the recogniser's own parser, a grammar takes the expected answer and every intent, whole ones only."""
    assert accepts(name, text) is accepted
