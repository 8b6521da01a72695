from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tomrt.dialogue.sentences import MAX_SENTENCE_CHARS, SentenceSplitter


def split(text: str, language: str = "en", chunk: int | None = None) -> list[str]:
    splitter = SentenceSplitter(language)
    size = chunk or max(1, len(text))
    pieces = [sentence for start in range(0, len(text), size) for sentence in splitter.push(text[start : start + size])]
    return pieces + splitter.finish()


@pytest.mark.parametrize(
    ("language", "sentences"),
    [
        ("en", ["Hello.", "How can I help you?", "Fine!"]),
        ("en", ["Dr. Smith sees you on Oct. 3 in room no. 5.", "Please call Mr. Brown."]),
        ("en", ["We open at 9 a.m.", "Tomorrow we are closed."]),
        ("en", ["We are open from 9 a.m. to 5 p.m. on weekdays.", "Goodbye."]),
        ("en", ["It costs 3.30 euros.", "That is 4.5 percent."]),
        ("en", ["The train leaves at 3.30.", "Be there."]),
        ("en", ["Your table is number 12.", "Enjoy."]),
        ("en", ["No.", "I am sorry."]),
        ("en", ["1. Opening hours.", "2. The address."]),
        ("en", ["Bring fruit, bread, etc. to the party.", "Thanks etc.", "Bye."]),
        ("en", ["J. R. Smith, e.g. Tom, called."]),
        ("en", ["So do I.", "Then we agree."]),
        ("en", ["Well... let me see.", "Hmm…", "Yes."]),
        ("en", ['She said "Stop!" and left.', '"Really?"', "(Yes.)", "He did."]),
        ("en", ["Really?!", "“Yes.”", "‘No.’"]),
        ("en", ["Write to info@example.com or see example.com/help.", "Bye."]),
        ("en", ["Stop! – and then it did.", "– Who?"]),
        ("de", ["Wir öffnen z. B. Montag um 9.30 Uhr.", "Bis dann."]),
        ("de", ["Kommen Sie am 3. Mai zu Dr. Meier, Hauptstr. 115.", "Danke!"]),
        ("de", ["Das sind ca. 20 Minuten, d.h. Sie warten kurz.", "In Ordnung?"]),
        ("de", ["Er sagte: „Ja.“", "Dann ging er."]),
        ("sv", ["Vi har öppet kl. 15 till 17, bl.a. Lördagar.", "Välkommen!"]),
        ("sv", ["Ta med t.ex. Pass.", "Kom i tid."]),
    ],
)
def test_sentences(language, sentences):
    """Ordinary text is cut at its sentences and nowhere else, also when it comes letter by letter."""
    text = " ".join(sentences)
    assert split(text, language) == sentences
    assert split(text, language, chunk=1) == sentences


def test_sentence_comes_as_soon_as_it_is_sure():
    """A sentence is given out with the first letter behind it."""
    splitter = SentenceSplitter()
    assert splitter.push("Hello there. ") == []
    assert splitter.push("H") == ["Hello there."]
    assert splitter.push("ow are you?") == []
    assert splitter.finish() == ["How are you?"]


def test_empty_line_ends_a_sentence():
    """An empty line cuts where no mark stands; a single line break is a space."""
    assert split("Opening hours\n\nMonday\nto Friday") == ["Opening hours", "Monday to Friday"]


def test_finish_begins_anew():
    """After its end a splitter serves another text and remembers nothing."""
    splitter = SentenceSplitter()
    splitter.push("One \n")
    assert splitter.finish() == ["One"]
    splitter.push("\ntwo")
    assert splitter.finish() == ["two"]
    assert splitter.finish() == []


def test_long_sentence_is_cut_at_a_clause():
    """What has no end within the bound is cut behind the last comma, or else at a space, or else anywhere."""
    clause = "and this goes on for quite a while without an end, "
    for piece in split(clause * 20)[:-1]:
        assert piece.endswith(",")
    assert all(piece.endswith("word") for piece in split("word " * 200))
    assert [len(piece) for piece in split("x" * 700)] == [300, 300, 100]


PROSE = st.lists(
    st.sampled_from(
        [*"abAB19.!?…,;: \n\"'“”()-", "Dr.", " z. B. ", "3.30", " a.m. ", "\n\n", " I. ", "word " * 30, "x" * 150]
    ),
    max_size=60,
).map("".join)


@given(st.one_of(PROSE, st.text()), st.data(), st.sampled_from(["en", "de", "sv"]))
def test_independent_of_chunking(text, data, language):
    """The sentences are the same however the text is cut into pieces."""
    splitter, pieces, start = SentenceSplitter(language), [], 0
    while start < len(text):
        end = data.draw(st.integers(start + 1, len(text)))
        pieces += splitter.push(text[start:end])
        start = end
    assert pieces + splitter.finish() == split(text, language)


@given(st.one_of(PROSE, st.text()))
def test_nothing_lost_but_white_space(text):
    """All characters come out in order, in bounded sentences with no white space around or doubled inside."""
    sentences = split(text)
    assert "".join("".join(sentences).split()) == "".join(text.split())
    for sentence in sentences:
        assert 0 < len(sentence) <= MAX_SENTENCE_CHARS
        assert sentence == " ".join(sentence.split())
