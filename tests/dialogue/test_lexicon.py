"""The lexicon: backchannels, words that take the floor, and whether a turn may be complete."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tomrt.dialogue.lexicon import Lexicon, load, parse_lexicons, words_of
from tomrt.errors import SettingsError
from tomrt.events import Completeness, Transcript

LANGUAGES = ("en", "de", "sv", "fr", "es", "it", "nl")
COMPLETE, UNKNOWN, INCOMPLETE = Completeness.COMPLETE, Completeness.UNKNOWN, Completeness.INCOMPLETE


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Mm-hmm, okaaay!", ("mmhmm", "okay")),
        ("JAAA — genau…", ("ja", "genau")),
        ("I\u2019d like 2 at 10:30.", ("i'd", "like", "2", "at", "10:30")),
        ("sa\u0308ge", ("säge",)),
        ("Straße", ("strasse",)),
        ("mmmm", ("mmmm",)),
        ("SW1A 1AA", ("sw", "1", "a", "1", "aa")),
        ("...", ()),
    ],
)
def test_words_are_compared_without_their_looks(text, words):
    """Case, punctuation, composed letters and drawn-out sounds make no difference."""
    assert words_of(text) == words


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "Mm-hmm."), ("en", "uh-huh"), ("en", "yeah yeah"), ("en", "Okay, I see."), ("en", "right right right"),
        ("de", "mhm"), ("de", "ja ja"), ("de", "Ja, genau."), ("de", "ach so, okay"), ("de", "Alles klar!"),
        ("sv", "mm"), ("sv", "just det"), ("sv", "ja, precis"), ("sv", "okej okej"), ("fr", "d’accord"),
        ("fr", "oui oui"), ("es", "sí, claro"), ("it", "va bene"), ("nl", "ja hoor"), ("xx", "mhm mhm"),
    ],
)  # fmt: skip
def test_backchannels(language, text):
    """What only says "go on" is a backchannel, repeated and combined, and takes no floor."""
    assert load(language).is_backchannel(text)
    assert not load(language).takes_floor(text)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "stop"), ("en", "yes but wait"), ("en", "No."), ("en", "Excuse me"), ("en", "okay hold on"),
        ("de", "Moment mal"), ("de", "ja aber"), ("de", "Nein!"), ("de", "Entschuldigung, ich"), ("sv", "vänta"),
        ("sv", "nej men"), ("fr", "attendez"), ("es", "un momento"), ("it", "mi scusi"), ("nl", "wacht even"),
    ],
)  # fmt: skip
def test_words_that_take_the_floor(language, text):
    """What asks for the floor does so wherever it stands, and is no backchannel."""
    assert load(language).takes_floor(text)
    assert not load(language).is_backchannel(text)


@pytest.mark.parametrize("text", ["", "...", "the opening hours", "42"])
def test_neither(text):
    """Nothing, and words in no list, are neither."""
    assert not load("en").is_backchannel(text)
    assert not load("en").takes_floor(text)


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("en", "", UNKNOWN),
        ("en", "I would like a table", UNKNOWN),
        ("en", "I would like a table.", COMPLETE),
        ("en", "What is it for?", COMPLETE),
        ("en", "I would like to", INCOMPLETE),
        ("en", "I would like to.", INCOMPLETE),
        ("en", "we need a table and", INCOMPLETE),
        ("en", "On Friday,", INCOMPLETE),
        ("en", "On Friday ...", INCOMPLETE),
        ("en", "On Friday …", INCOMPLETE),
        ("en", "On Friday -", INCOMPLETE),
        ("en", "On Friday um.", INCOMPLETE),
        ("en", "my name is", INCOMPLETE),
        ("en", "yes", COMPLETE),
        ("en", "No thanks", COMPLETE),
        ("en", "Yes, and", INCOMPLETE),
        ("en", "yes well", INCOMPLETE),
        ("en", "yes,", INCOMPLETE),
        ("en", "mhm", COMPLETE),
        ("en", "hmm", INCOMPLETE),
        ("en", "that is all I need, thank you", COMPLETE),
        ("en", "at two p m", UNKNOWN),
        ("en", "At 10:30 p.m.", COMPLETE),
        ("en", "a table for 12", UNKNOWN),
        ("en", "born in 1995.", COMPLETE),
        ("en", "My number is 0 1 7 6.", INCOMPLETE),
        ("en", "it is 017644", INCOMPLETE),
        ("en", "zero one seven", INCOMPLETE),
        ("en", "seven double", INCOMPLETE),
        ("en", "S M I", INCOMPLETE),
        ("en", "b as in berta, c as in carol", INCOMPLETE),
        ("en", "SW 1 A", INCOMPLETE),
        ("de", "Ich hätte gern einen Termin.", COMPLETE),
        ("de", "Ich hätte gern", INCOMPLETE),
        ("de", "am Montag oder", INCOMPLETE),
        ("de", "am Montag äh", INCOMPLETE),
        ("de", "null eins sieben", INCOMPLETE),
        ("de", "B wie Berta A wie Anton", INCOMPLETE),
        ("de", "ja", COMPLETE),
        ("de", "Ja, genau", COMPLETE),
        ("de", "nein danke", COMPLETE),
        ("sv", "jag skulle vilja boka", UNKNOWN),
        ("sv", "jag skulle vilja", INCOMPLETE),
        ("sv", "på måndag eller", INCOMPLETE),
        ("sv", "noll sju noll", INCOMPLETE),
        ("sv", "nej tack", COMPLETE),
        ("fr", "je voudrais", INCOMPLETE),
        ("es", "quiero una mesa para", INCOMPLETE),
        ("it", "vorrei prenotare per", INCOMPLETE),
        ("nl", "ik wil graag", INCOMPLETE),
        ("xx", "what is it", UNKNOWN),
        ("xx", "what is it?", COMPLETE),
        ("xx", "1 2 3", INCOMPLETE),
    ],
)
def test_completeness(language, text, expected):
    """A turn is taken for complete or broken off by its last words and marks, and else nobody knows."""
    assert load(language).completeness(Transcript(text)) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("book a table", COMPLETE), ("four two one", INCOMPLETE), ("what is the price of", COMPLETE), ("", UNKNOWN)],
)
def test_whole_phrase_is_complete_unless_it_is_being_dictated(text, expected):
    """A recogniser that knows its phrase to be whole is believed, but a number may always go on."""
    assert load("en").completeness(Transcript(text, whole=True)) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("It is five.", INCOMPLETE), ("5", INCOMPLETE), ("thirty", INCOMPLETE), ("1995", INCOMPLETE), ("No.", COMPLETE)],
)
def test_single_digit_begins_a_number_where_one_is_expected(text, expected):
    """Where a number is asked for, any digit at the end is waited upon."""
    assert load("en").completeness(Transcript(text), expects_digits=True) is expected


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_is_filled(language):
    """Each built-in language has something in every list, and ten digits."""
    lexicon = load(language)
    lists = (lexicon.backchannels, lexicon.floor, lexicon.answers, lexicon.hesitations, lexicon.openers)
    assert all(len(each) >= 10 for each in lists)
    assert len(lexicon.digits) >= 10
    assert lexicon.closers
    assert lexicon.spelled_as


def test_region_does_not_matter_and_unknown_languages_know_hums():
    """``de-AT`` is German; a language without a list still knows a hum from a word."""
    assert load("de-AT") is load("de")
    assert load("tlh").is_backchannel("mm-hmm")
    assert not load("tlh").is_backchannel("ja")


def test_operator_adds_words():
    """An operator's own words come to the lists, and move from one to the other."""
    lexicon = load("de").with_words(backchannels=["passt scho", "nee"], floor=["ja", "Chef"])
    assert lexicon.is_backchannel("Passt scho, nee")
    assert lexicon.takes_floor("ja")
    assert lexicon.takes_floor("du, Chef!")
    assert not lexicon.backchannels & lexicon.floor


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[de", "words.toml: is not TOML"),
        ("[german]\n", "words.toml:1: german: must be the two small letters"),
        ("[de]\nbackchanels = ['ja']\n", "words.toml:2: de.backchanels: is not a known key; did you mean 'backcha"),
        ("[de]\nfloor = 3\n", "words.toml:2: de.floor: must be a list of texts"),
        ("[de]\nfloor = ['...']\n", "words.toml:2: de.floor: '...' must have from one to 5 words"),
        ("[de]\nfloor = ['Ja']\nbackchannels = ['ja']\n", "words.toml:2: de.floor: 'ja' is a backchannel too"),
    ],
)
def test_faults_are_told_with_their_line(text, told):
    """A file that is wrong is refused with its name, the line and what is wrong."""
    with pytest.raises(SettingsError) as caught:
        parse_lexicons(text, "words.toml")
    assert told in str(caught.value)


def test_all_faults_at_once():
    """Every fault of a file is told at once."""
    with pytest.raises(SettingsError) as caught:
        parse_lexicons("[x]\n[de]\nfloor = 3\nnope = 1\n", "words.toml")
    assert len(caught.value.faults) == 3


@given(st.text(max_size=60), st.sampled_from([*LANGUAGES, "xx"]), st.booleans(), st.booleans())
def test_any_text_is_judged(text, language, whole, expects_digits):
    """Whatever a recogniser writes is judged, and a backchannel never takes the floor."""
    lexicon = load(language)
    assert not (lexicon.is_backchannel(text) and lexicon.takes_floor(text))
    assert lexicon.completeness(Transcript(text, whole=whole), expects_digits=expects_digits) in Completeness


@given(st.lists(st.sampled_from(["mhm", "ja", "genau", "okay", "alles klar", "ach so"]), min_size=1, max_size=8))
def test_backchannels_in_a_row_are_one(parts):
    """However many are strung together, they stay a backchannel; one other word ends that."""
    assert load("de").is_backchannel(", ".join(parts))
    assert not load("de").is_backchannel(", ".join([*parts, "Termin"]))


def test_lexicon_of_nothing_is_neutral():
    """The empty lexicon decides by marks alone."""
    assert Lexicon().completeness(Transcript("so and")) is UNKNOWN
    assert not Lexicon().takes_floor("stop")
