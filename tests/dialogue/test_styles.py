"""Ways of talking: what each variant really changes in what is said."""

from __future__ import annotations

import pytest
from attrs import evolve

from tomrt.dialogue.conversation import Conversation, Reply, State
from tomrt.dialogue.matching import Matcher
from tomrt.dialogue.script import Script, built_in_script, parse_script
from tomrt.dialogue.style_words import fitted, prompts_in
from tomrt.events import Action, Signal, Style
from tomrt.learning.opening import styles_of
from tomrt.rl.variants import built_in

SCRIPT = built_in_script()
MATCHER = Matcher(SCRIPT)
GERMAN = """\
language = "de"
[facts]
name = "Praxis am Markt"
person = "eine Kollegin"
[prompts]
greeting = "Praxis am Markt, was kann ich für Sie tun?"
consent = "Sie sprechen mit einem automatischen Assistenten."
goodbye = "Auf Wiederhören."
failure = "Da ist leider etwas schiefgegangen."
go_on = "Was kann ich für Sie tun?"
stopped = "Gut, das lassen wir. Was kann ich für Sie tun?"
try_again = "Dann noch einmal."
offer_person = "Möchten Sie mit {person} sprechen?"
rate_us = "Wie zufrieden waren Sie, von eins bis fünf?"
rate_again = "Bitte eine Zahl von eins bis fünf."
anything_else = "Kann ich sonst noch etwas für Sie tun?"
anything_else_short = "Sonst noch etwas?"
pardon = ["Wie bitte?", "Das habe ich leider wieder nicht verstanden."]
still_there = ["Sind Sie noch da?"]
[slots.tag]
ask = ["An welchem Tag?", "An welchem Tag? Sagen Sie zum Beispiel: am Montag."]
phrases = ["[am] {tag}"]
values = { montag = ["montag"], dienstag = ["dienstag"] }
[slots.note]
ask = ["Von eins bis fünf?"]
phrases = ["{note}"]
values = { 1 = ["eins"], 2 = ["zwei"], 3 = ["drei"], 4 = ["vier"], 5 = ["hervorragend"] }
[intents.termin]
phrases = ["[ich brauche] [einen] termin [am {tag}]"]
slots = ["tag"]
guide = "Für den Termin brauche ich den Tag, zum Beispiel: am Montag."
answer = "Ihr Termin am {tag} ist notiert."
short = "Notiert, {tag}."
action = "book_appointment"
ask_rating = true
[intents.zeiten]
phrases = ["wann haben sie offen"]
answer = "Wir haben montags und dienstags von neun bis zwölf geöffnet."
short = "Montags und dienstags, neun bis zwölf."
[intents.person]
phrases = ["einen menschen"]
answer = "Ich verbinde Sie."
action = "transfer"
[intents.tschuess]
phrases = ["tschau"]
answer = "Auf Wiederhören."
action = "hang_up"
[intents.bewerten]
meaning = "rating"
phrases = ["bewerten"]
slots = ["note"]
answer = "Vielen Dank."
action = "record_rating"
[intents.ja]
phrases = ["ja"]
meaning = "yes"
[intents.nein]
phrases = ["nein"]
meaning = "no"
[intents.nochmal]
phrases = ["noch einmal"]
meaning = "repeat"
"""
GERMAN_SCRIPT = parse_script(GERMAN, "praxis.toml")

CALL = [
    "help",
    "when are you open",
    "",
    "book an appointment",
    "tuesday",
    "nine",
    "yes",
    "",
    "",
    "no thanks",
    "what",
    "4",
]
GERMAN_CALL = ["wann haben sie offen", "xyz", "termin", "xyz", "montag", "", "", "nein", "xyz", "vier Sterne"]


def style_of(variant: str, language: str) -> Style:
    return styles_of(built_in(), language)[variant]


def talk(style: Style, *texts: str, script: Script = SCRIPT, closing: str = "after_actions") -> list[Reply]:
    matcher = MATCHER if script is SCRIPT else None
    conversation = Conversation(script, style=style, closing=closing, matcher=matcher)
    state, replies = State(), [Reply(conversation.greeting)]
    for text in texts:
        state, reply = conversation.step(state, text)
        replies.append(reply)
    return replies


def texts_of(replies: list[Reply]) -> list[str]:
    return [reply.text for reply in replies]


# --- every variant ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("language", "script", "call"), [("en", SCRIPT, CALL), ("de", GERMAN_SCRIPT, GERMAN_CALL)])
def test_each_variant_makes_another_call(language: str, script: Script, call: list[str]):
    """The same caller hears twelve different conversations, in each language, and all of them come to the same end.

    Where two variants differ only in how easily they fall silent, the words are the same and that setting is not.
    """
    calls = {}
    for variant in built_in().variants:
        style = style_of(variant, language)
        replies = talk(style, *call, script=script)
        assert not any("{" in text or not text for text in texts_of(replies))
        assert [a.name for r in replies for a in r.actions if a.name == "book_appointment"] == ["book_appointment"]
        calls[variant] = (tuple(texts_of(replies)), style.sensitivity)
    assert len(set(calls.values())) == 12


def test_the_base_variant_is_the_dialogue_as_it_is():
    """The base variant says what the dialogue says without any variants."""
    assert talk(style_of("base", "en"), *CALL) == talk(Style(), *CALL)
    assert texts_of(talk(Style(), "where are you"))[0] == SCRIPT.prompts.greeting


@pytest.mark.parametrize(
    ("slot", "level", "call"),
    [
        ("greeting", "warm", []),
        ("greeting", "brief", []),
        ("tone", "friendly", ["where are you"]),
        ("tone", "formal", ["book an appointment"]),
        ("length", "short", ["when are you open"]),
        ("inquiry_mode", "guided", ["book an appointment"]),
        ("escalation_threshold", "early", ["", ""]),
    ],
)
def test_every_level_by_itself_is_heard(slot: str, level: str, call: list[str]):
    """Each level of each slot that is words changes something that is said, in German and in English."""
    for language, script in (("en", SCRIPT), ("de", GERMAN_SCRIPT)):
        said = built_in().levels[slot][level].says(language)
        style = evolve(Style(), **said)
        german = {"where are you": "wann haben sie offen", "when are you open": "wann haben sie offen"}
        texts = [german.get(each, "termin") if each and language == "de" else each for each in call]
        plain, changed = talk(Style(), *texts, script=script), talk(style, *texts, script=script)
        assert plain[-1] != changed[-1]


def test_levels_of_sensitivity_are_settings():
    """The slot of the barge-in has no words: it sets how easily the assistant falls silent."""
    assert {name: style_of(name, "en").sensitivity for name in ("base", "warm", "brief_friendly")} == {
        "base": "",
        "warm": "niedrig",
        "brief_friendly": "hoch",
    }


# --- what a style does -----------------------------------------------------------------------------------------------


def test_greeting_is_said_and_repeated():
    """The style's greeting is the call's, its facts filled in, and is what a caller hears again."""
    style = Style(greeting="{name}, hello!")
    assert prompts_in(style, SCRIPT).greeting == "Green Street Practice, hello!"
    assert evolve(prompts_in(style, SCRIPT), greeting=SCRIPT.prompts.greeting) == SCRIPT.prompts
    assert talk(style, "say that again please")[-1].text == "Green Street Practice, hello!"
    assert prompts_in(Style(), SCRIPT) == SCRIPT.prompts


def test_words_without_their_facts_are_left_to_the_dialogue():
    """A text whose fact the dialogue does not have is told as a fault, and the dialogue's own is said."""
    style = Style(
        name="odd", greeting="{firm}, hello!", acknowledge=("Yes, {boss}.", "Yes."), closing_question="{a}{b}?"
    )
    fits, faults = fitted(style, SCRIPT)
    assert (fits.greeting, fits.acknowledge, fits.closing_question) == ("", ("Yes.",), "")
    assert faults == (
        "variant 'odd': greeting: the dialogue has no fact {firm}; its own words are used",
        "variant 'odd': closing_question: the dialogue has no fact {a}, {b}; its own words are used",
        "variant 'odd': acknowledge: the dialogue has no fact {boss}; its own words are used",
    )
    assert prompts_in(style, SCRIPT).greeting == SCRIPT.prompts.greeting


@pytest.mark.parametrize("language", ["de", "en"])
def test_built_in_variants_fit_the_dialogues(language: str):
    """The built-in variants name no fact that the dialogues of the tests and of the package do not have."""
    for variant in built_in().variants:
        assert fitted(style_of(variant, language), SCRIPT)[1] == ()
        assert fitted(style_of(variant, language), GERMAN_SCRIPT)[1] == ()


def test_acknowledges_requests_in_turn():
    """Acknowledgements stand before answers and first questions, one after the other, and nowhere else."""
    said = talk(
        Style(acknowledge=("Sure.", "Gladly.")), "where are you", "cancel my appointment", "friday", "yes", "bye"
    )
    assert [text.split(".")[0] for text in texts_of(said)[1:]] == [
        "Sure",
        "Gladly",
        "Shall I cancel your appointment on Friday?",
        "I have taken down that your appointment on Friday is cancelled",
        "Thank you for calling",
    ]


def test_nothing_is_acknowledged_that_is_refused_or_rated():
    """There is no "gladly" before a refusal, before the thanks for a rating, or before a pardon."""
    style = Style(acknowledge=("Gladly!",))
    for call in (["can I come on sunday"], ["I give you five stars"], [""], ["say that again please"]):
        assert not talk(style, *call)[-1].text.startswith("Gladly")


def test_short_answers_are_short():
    """A short style has the dialogue's short answers and asks shortly; special answers and long ones stay."""
    style = Style(length="short")
    assert talk(style, "where are you")[-1].text == f"{SCRIPT.intents['address'].short} Anything else?"
    assert talk(style, "are you open on saturday")[-1].text.startswith("On Saturday we are open from nine to noon.")
    bare = evolve(SCRIPT, intents={name: evolve(each, short="") for name, each in SCRIPT.intents.items()})
    assert talk(style, "where are you", script=bare)[-1].text.startswith(SCRIPT.intents["address"].answer)


def test_guided_questions_tell_what_is_needed():
    """A guided style names all that is needed at once; what is still missing then is asked for with an example."""
    style = Style(inquiry="guided")
    said = texts_of(talk(style, "book an appointment", "tuesday at nine"))
    assert said[1] == SCRIPT.intents["book_appointment"].guide
    assert said[2] == "An appointment on Tuesday at nine. Is that right?"
    assert talk(style, "book an appointment", "tuesday")[-1].text == SCRIPT.slots["hour"].ask[1]
    assert talk(Style(), "book an appointment", "tuesday")[-1].text == SCRIPT.slots["hour"].ask[0]


@pytest.mark.parametrize(("after", "misses"), [(1, 1), (2, 2), (4, 4), (None, 3)])
def test_a_person_is_offered_after_so_many_misunderstandings(after: int | None, misses: int):
    """The style says how often the caller is asked again before a person is offered; else the dialogue does."""
    said = talk(Style(escalate_after=after), *[""] * misses)
    assert [reply.text == SCRIPT.wording.offer_person for reply in said] == [*[False] * misses, True]
    assert Signal.ESCALATED in said[-1].signals


# --- the closing question --------------------------------------------------------------------------------------------

DONE = ("cancel my appointment", "monday", "yes", "no")


def test_closing_question_in_the_words_of_the_style():
    """The style's words ask for the rating and ask again; without them the dialogue's do."""
    style = Style(closing_question="How was it?", closing_again="A number?")
    assert texts_of(talk(style, *DONE, "hello you"))[-2:] == ["How was it?", "A number?"]
    assert texts_of(talk(Style(), *DONE, "hello you"))[-2:] == [SCRIPT.wording.rate_us, SCRIPT.wording.rate_again]


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        ("4", "4"),
        ("five", "5"),
        ("four stars please", "4"),
        ("Very good!", "5"),
        ("four, no, three", "3"),
        ("for", "4"),
    ],
)
def test_the_rating_is_recorded_and_the_call_ends(answer: str, value: str):
    """Whatever means a rating is recorded as its number, with thanks and goodbye."""
    reply = talk(Style(), *DONE, answer)[-1]
    assert reply.actions == (Action("record_rating", (("rating", value),)), Action("hang_up"))
    assert reply.text == "Thank you for your rating. Thank you for calling. Goodbye."


@pytest.mark.parametrize("nothing", ["", "I have three kids", "0", "10", "yes", "hello"])
def test_asks_once_more_and_then_no_more(nothing: str):
    """What is no rating and no refusal is asked about once; the second time the call ends without a rating."""
    *_, again, end = talk(Style(), *DONE, nothing, nothing)
    assert (again.text, again.actions) == (SCRIPT.wording.rate_again, ())
    assert (end.text, end.actions) == (SCRIPT.wording.goodbye, (Action("hang_up"),))
    assert talk(Style(), *DONE, nothing, "five")[-1].actions[0].name == "record_rating"


@pytest.mark.parametrize("refusal", ["no", "no thank you", "I'd rather not", "goodbye", "never mind", "I don't know"])
def test_a_refusal_is_taken_at_once(refusal: str):
    """A caller who does not want to is not asked again, and it is noticed."""
    for before in ((), ("hello",)):
        reply = talk(Style(), *DONE, *before, refusal)[-1]
        assert reply.actions == (Action("hang_up"),)
        assert Signal.RATING_DECLINED in reply.signals


def test_another_request_comes_before_the_rating():
    """At the closing question the caller may still ask for something, hear it again, or want a person."""
    assert "12 Green Street" in talk(Style(), *DONE, "what is your address")[-1].text
    assert talk(Style(), *DONE, "can you repeat that")[-1].text == SCRIPT.wording.rate_us
    assert talk(Style(), *DONE, "talk to a person")[-1].actions == (Action("transfer"),)


def test_is_asked_only_once_in_a_call():
    """A caller who wants something else after all, or who rated unasked, is not asked again at the end."""
    more = ("cancel my appointment", "friday", "yes", "no")
    assert talk(Style(), *DONE, *more)[-1].actions == (Action("hang_up"),)
    assert talk(Style(), "I give you four stars", *DONE)[-1].actions == (Action("hang_up"),)


ENDS = {
    "never": {"nothing": False, "answer": False, "action": False},
    "after_actions": {"nothing": False, "answer": False, "action": True},
    "always": {"nothing": False, "answer": True, "action": True},
}


@pytest.mark.parametrize("closing", ENDS)
def test_is_asked_when_the_setting_says_so(closing: str):
    """Never, after what the dialogue marks, or always when something was answered and the caller says no or goodbye."""
    calls = {
        "nothing": [("goodbye",)],
        "answer": [("where are you", "no"), ("where are you", "goodbye")],
        "action": [DONE, (*DONE[:-1], "goodbye")],
    }
    for kind, asked in ENDS[closing].items():
        for call in calls[kind]:
            reply = talk(Style(), *call, closing=closing)[-1]
            now = asked and not (closing == "after_actions" and call[-1] == "goodbye")
            assert (Signal.RATING_ASKED in reply.signals, Action("hang_up") in reply.actions) == (now, not now), call


@pytest.mark.parametrize("closing", ENDS)
def test_is_never_asked_after_a_handover(closing: str):
    """Once a person was to take over, no rating is asked for, whatever follows."""
    said = talk(Style(), *DONE[:-1], "talk to a person", "where are you", "no", "goodbye", closing=closing)
    assert Signal.RATING_ASKED not in {signal for reply in said for signal in reply.signals}


def test_a_rating_that_was_begun_unasked_ends_nothing():
    """A caller who wants to rate and then gives no number is asked once more, and the call goes on."""
    said = talk(Style(), "I would like to rate this call", "hello", "hello", "where are you")
    assert texts_of(said)[2:4] == [SCRIPT.wording.rate_again, SCRIPT.wording.stopped]
    assert not any(reply.actions for reply in said)


def test_another_scale_is_left_to_the_dialogue_file():
    """A dialogue whose ratings are not 1 to 5 understands just its own phrases."""
    text = GERMAN.replace("5 = [", "6 = [")
    said = talk(Style(), "termin", "montag", "nein", "hervorragend", script=parse_script(text, "x.toml"))
    assert said[-1].actions[0] == Action("record_rating", (("note", "6"),))


def test_german_callers_rate_in_german():
    """In a German dialogue the answer is understood in German, umlauts and all."""
    said = talk(Style(), "termin", "montag", "nein", "Ach, ich würde sagen fünf Sterne", script=GERMAN_SCRIPT)
    assert said[-1] == Reply(
        "Vielen Dank. Auf Wiederhören.", (Action("record_rating", (("note", "5"),)), Action("hang_up"))
    )


# --- what is noticed -------------------------------------------------------------------------------------------------


def signals(*texts: str, closing: str = "after_actions") -> list[list[str]]:
    return [[signal.value for signal in reply.signals] for reply in talk(Style(), *texts, closing=closing)[1:]]


def test_an_answer_resolves_when_the_caller_goes_on():
    """What was only told counts as resolved once the caller goes on with something else, or says goodbye."""
    assert signals("where are you", "goodbye") == [["answered"], ["resolved"]]
    assert signals("where are you", "when are you open", "no") == [["answered"], ["answered", "resolved"], ["resolved"]]


def test_an_answer_does_not_resolve_when_the_caller_is_lost():
    """A caller who then says something that is not understood, or wants a person, was not helped by the answer."""
    assert signals("where are you", "", "goodbye") == [["answered"], ["misunderstood"], []]
    assert signals("where are you", "talk to a person") == [["answered"], ["escalated"]]
    assert signals("where are you", "say that again", "no") == [["answered"], ["repeated"], ["resolved"]]


def test_help_resolves_nothing():
    """Being told what can be asked for is not what anybody calls for."""
    assert signals("help", "goodbye") == [["answered"], []]


def test_what_is_done_is_resolved():
    """An action that was taken down resolves at once; the rating is asked for, and what it is is no answer."""
    assert signals(*DONE, "5") == [[], [], ["answered", "resolved"], ["rating_asked"], []]
    assert signals(*DONE, "no")[-1] == ["rating_declined"]


def test_losing_the_caller_is_noticed():
    """Each misunderstanding is noticed, and that a person is offered."""
    assert signals("", "", "") == [["misunderstood"], ["misunderstood"], ["misunderstood", "escalated"]]
