"""What was heard of what was meant."""

from hypothesis import given
from hypothesis import strategies as st

from tomrt.call.spoken import Spoken


def two_sentences(*, words: bool) -> Spoken:
    """Return two sentences of a second each at 8 kHz, with or without word timings."""
    spoken = Spoken()
    for text in ("We are open today.", "Please come by."):
        spoken.sentence(text)
        if words:
            start = 0
            for index, word in enumerate(text.split()):
                spoken.word(start, index * 2_000)
                start += len(word) + 1
        spoken.length += 8_000
    return spoken


def test_cut_after_the_last_word_heard_whole():
    """With word timings the text is cut in front of the word that was being spoken."""
    spoken = two_sentences(words=True)
    assert spoken.heard(1_999) == ""
    assert spoken.heard(3_000) == "We"
    assert spoken.heard(6_001) == "We are open"
    assert spoken.heard(8_000 + 3_500) == "We are open today. Please"
    assert spoken.text == spoken.heard(16_000)


def test_without_timings_the_text_is_cut_in_proportion():
    """Without word timings the share of samples decides, at a word's edge."""
    spoken = two_sentences(words=False)
    assert spoken.heard(5_000) == "We are"
    assert spoken.heard(100) == ""


@given(st.integers(0, 17_000), st.booleans())
def test_heard_is_a_prefix_and_grows(samples, words):
    """Whatever was heard is the beginning of what was meant, and hearing more never shortens it."""
    spoken = two_sentences(words=words)
    heard = spoken.heard(samples)
    assert spoken.text.startswith(heard)
    assert spoken.heard(samples + 500).startswith(heard)
