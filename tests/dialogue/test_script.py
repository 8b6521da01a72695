from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tomrt.dialogue.script import built_in_script, parse_script
from tomrt.errors import SettingsError

SMALL = """\
language = "en"
[facts]
name = "Ada"
[prompts]
greeting = "This is {name}."
consent = "Recorded."
goodbye = "Bye."
failure = "Sorry."
go_on = "Yes?"
stopped = "Stopped."
try_again = "Again."
offer_person = "A person?"
rate_us = "Rate us."
anything_else = "Anything else?"
pardon = ["Pardon?"]
still_there = ["Hello?"]
[slots.size]
ask = ["Which size?"]
phrases = ["{size}"]
values = { s = ["small", "tiny"], l = ["(large|big)"] }
[intents.order]
phrases = ["order [a {size}]"]
slots = ["size"]
confirm = "A {size} one?"
answer = "A {size} one for {name}."
action = "order"
[intents.bye]
phrases = ["bye"]
answer = "Bye."
action = "hang_up"
[intents.person]
phrases = ["a person"]
answer = "Moment."
action = "transfer"
[intents.yes]
phrases = ["yes"]
meaning = "yes"
[intents.no]
phrases = ["no"]
meaning = "no"
"""


def faults_of(text: str) -> list[str]:
    with pytest.raises(SettingsError) as refused:
        parse_script(text, "shop.toml")
    return list(refused.value.faults)


def test_reads_a_dialogue():
    """A file becomes a script with its facts put in and its slots left open."""
    script = parse_script(SMALL, "shop.toml")
    assert script.prompts.greeting == "This is Ada."
    assert script.intents["order"].answer == "A {size} one for Ada."
    assert script.slots["size"].spoken("l") == "large"
    assert script.expectations() == ("any", "yes_no", "size")
    assert script.words() >= {"order", "a", "tiny", "big", "yes"}


def test_built_in_script_loads():
    """The receptionist that comes with tomrt has no fault, and words for when it takes its time."""
    prompts = built_in_script().prompts
    assert prompts.greeting.startswith("Hello")
    assert (prompts.filler, prompts.looking_up) == ("One moment, please.", "One moment, I am looking that up.")


def test_words_for_the_time_it_takes_are_optional():
    """A dialogue says nothing while its caller waits unless it has words for that, with facts in them as anywhere."""
    prompts = parse_script(SMALL, "shop.toml").prompts
    assert (prompts.filler, prompts.looking_up) == ("", "")
    text = SMALL.replace("[slots.size]", 'filler = "{name} thinks."\nlooking_up = "Hm."\n[slots.size]')
    prompts = parse_script(text, "shop.toml").prompts
    assert (prompts.filler, prompts.looking_up) == ("Ada thinks.", "Hm.")


def test_all_faults_at_once_with_lines_and_nearest_keys():
    """Every fault is named with file, line and key, and an unknown key with the nearest one."""
    text = (
        SMALL.replace("goodbye =", "godbye =")
        .replace('action = "order"', "action = 3")
        .replace('["order [a {size}]"]', '["order [a {size}", "{colour}"]')
    )
    faults = faults_of(text)
    assert any(re.match(r"shop\.toml:7: prompts\.godbye: .*'goodbye'", fault) for fault in faults)
    assert any(fault.startswith("shop.toml:4: prompts.goodbye: is missing") for fault in faults)
    assert any(re.match(r"shop\.toml:22: intents\.order\.phrases: phrase 1, .*'\]' is missing", f) for f in faults)
    assert any("there is no slot 'colour'" in fault for fault in faults)
    assert any(fault.startswith("shop.toml:26: intents.order.action: must be a text") for fault in faults)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('slots = ["size"]', 'slots = ["sizes"]', "there is no slot 'sizes'"),
        ('confirm = "A {size} one?"', 'confirm = "A {colour} one?"', "{colour} is neither a fact nor"),
        ('meaning = "yes"', 'meaning = "ja"', "must be one of yes, no"),
        ('action = "hang_up"', "", "no intent has action = 'hang_up'"),
        ('[intents.no]\nphrases = ["no"]\nmeaning = "no"\n', "", "no intent has meaning = 'no'"),
        ('action = "order"', 'action = "order"\nask_rating = true', "none has meaning = 'rating'"),
        ('action = "order"', "ask_rating = 1", "must be true or false"),
        ("[intents.bye]", '[keys]\n7 = "nobody"\n[intents.bye]', "there is no intent 'nobody'"),
        ("[intents.bye]", '[keys]\nseven = "order"\n[intents.bye]', "is not a key of a telephone"),
        ("[intents.order]", '[slots.size.refused]\nxl = "No."\n[intents.order]', "is not a value of a slot"),
        ('"tiny"]', '"{size}"]', "a value's phrase cannot contain a slot"),
        ("values = {", 'kind = "digits"\nvalues = {', "has no place in a slot of digits"),
        ("values = {", 'kind = "number"\nvalues = {', "must be 'choice' or 'digits'"),
        ("values = {", "least = 5\nmost = 2\nvalues = {", "is more than 'most'"),
        ("[slots.size]", "[slots.yes_no]", "no slot may be called 'yes_no'"),
        ("[slots.size]", "[slots.overlap]", "no slot may be called 'overlap'"),
        ("[slots.size]", "filler = 3\n[slots.size]", "prompts.filler: must be a text"),
        (
            "[slots.size]",
            "anything_else_short = 3\n[slots.size]",
            "anything_else_short: must be a list of texts",
        ),
        ("[slots.size]", 'rate_again = "{x}"\n[slots.size]', "{x} is neither a fact nor"),
        ("values = {", 'also_heard = ["huge"]\nvalues = {', "also_heard: has a place only in the slot of a rating"),
        ('action = "order"', 'action = "order"\nshort = "{colour}"', "intents.order.short: {colour} is neither"),
        ('action = "order"', 'action = "order"\nguide = "{size}"', "intents.order.guide: {size} is neither"),
        ('action = "order"', "aside = 1", "intents.order.aside: must be true or false"),
        ("[facts]", "[facts]\nroom = 3", "must be a text"),
        ('language = "en"', "language = 'en", "is not TOML"),
        ('language = "en"', 'language = "en"\nintents = 3', "is not TOML"),
    ],
)
def test_names_the_fault(old: str, new: str, said: str):
    """Each way of writing a dialogue wrongly has its own sentence."""
    assert old in SMALL
    assert any(said in fault for fault in faults_of(SMALL.replace(old, new)))


@pytest.mark.parametrize("text", ["", "intents = 3", "[intents]\nx = 3", "slots = []", "prompts = 'no'"])
def test_survives_tables_that_are_none(text: str):
    """Something else where a table should be is a fault, not a crash."""
    assert faults_of(text)


@given(st.lists(st.sampled_from(SMALL.splitlines()), max_size=40).map("\n".join))
def test_scrambled_files_are_refused_or_read(text: str):
    """Any selection of lines either loads or is refused with sentences that name the file."""
    refusal = None
    try:
        parse_script(text, "shop.toml")
    except SettingsError as error:
        refusal = error
    assert refusal is None or all(fault.startswith("shop.toml:") for fault in refusal.faults)
