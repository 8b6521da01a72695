"""The barge-in decision."""

from itertools import pairwise

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from tomrt.events import Sound
from tomrt.turns import barge_in as b
from tomrt.turns.barge_in import BargeIn, Evidence, Reason, Verdict, Words

KNOBS = BargeIn()
TRUSTED = BargeIn(words_trusted=True)
START = 100.0
SPEECH = Sound(speech=True, sounding=True, snr_db=20.0)
SOUNDS = {
    "x": SPEECH,
    "r": Sound(speech=True, sounding=False),  # the flag's release, or a stop within a word
    ".": Sound(speech=False, sounding=False),
}
LONG, NEARLY_DONE, OUT = 5_000.0, 500.0, 100.0  # left to say
FRAMES = 25  # to the deadline


def begin(**known):
    return Evidence(since=START, **{"remaining_ms": LONG, **known})


def judge(pattern, knobs=KNOBS, *, sound=SPEECH, words=(), evidence=None):
    """Feed one frame a letter; *words* are (frame, what they are). Return verdict, reason and when it fell, in ms."""
    evidence, known = evidence or begin(), dict(words)
    for index, letter in enumerate(pattern, start=1):
        now = START + index * 0.020
        evidence = b.weigh(evidence, sound if letter == "x" else SOUNDS[letter], 20.0)
        if b.wants_words(evidence, now, knobs):
            evidence = b.asked(evidence, now, knobs)
        if index in known:
            evidence = b.worded(evidence, known[index])
        judgement = b.decide(evidence, now, knobs)
        if judgement.verdict is not Verdict.WAIT:
            return judgement.verdict, judgement.reason, index * 20
    return Verdict.WAIT, Reason.UNDECIDED, len(pattern) * 20


COMMIT, RESUME, WAIT = Verdict.COMMIT, Verdict.RESUME, Verdict.WAIT


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("x" * 25, (COMMIT, Reason.SPEECH, 500)),
        ("x" * 12 + "rrrr" + "." * 9, (RESUME, Reason.TOO_SHORT, 500)),
        ("x" * 8 + "." * 5 + "x" * 12, (COMMIT, Reason.SPEECH, 500)),
        ("x" * 6 + "rrrr..." + "x" * 12, (COMMIT, Reason.SPEECH, 500)),
        ("x" * 21 + "rrrr", (RESUME, Reason.TOO_SHORT, 500)),
        ("x" * 24 + "r", (RESUME, Reason.TOO_SHORT, 500)),
        ("x" * 9 + "." * 12 + "x" * 4, (COMMIT, Reason.SPEECH, 500)),
        ("xx" + "." * 17 + "x" * 6, (RESUME, Reason.TOO_SHORT, 240)),
        ("xx" + "." * 9 + "x" * 14, (COMMIT, Reason.SPEECH, 500)),
        ("x" + "......" * 2 + "x" * 12, (RESUME, Reason.TOO_SHORT, 220)),
        ("x" + "......." * 3 + "x", (RESUME, Reason.TOO_SHORT, 220)),
        (("x" + ".......") * 3 + "x", (RESUME, Reason.TOO_SHORT, 500)),
        ("x" * 10, (WAIT, Reason.UNDECIDED, 200)),
        ("." * 25, (RESUME, Reason.TOO_SHORT, 200)),
    ],
    ids=["speech", "backchannel", "stop in speech", "longer stop", "long and over", "just over", "word, then speech",
         "click, then speech", "click, then speech sooner", "click, and a pause", "two clicks", "ticking",
         "too early to tell", "nothing"],
)  # fmt: skip
def test_sound_alone(pattern, expected):
    """Speech that goes on interrupts, a burst that is over does not, and a stop within speech is no end."""
    assert judge(pattern) == expected


@pytest.mark.parametrize("letter", ["x", "r"])
def test_without_a_sounding_flag_the_speech_flag_counts(letter):
    """Where nobody tells what sounds, speech is speech."""
    assert judge(letter * 25)[:2] == (COMMIT, Reason.SPEECH)
    assert judge(letter * 12 + "." * 13)[:2] == (RESUME, Reason.TOO_SHORT)


@pytest.mark.parametrize(
    ("sound", "reason"),
    [
        (evolve(SPEECH, echo=0.9), Reason.ECHO),
        (evolve(SPEECH, voice=0.1), Reason.NOT_A_VOICE),
        (evolve(SPEECH, hum=0.9), Reason.HUM),
    ],
    ids=["echo", "no voice", "hum"],
)
@pytest.mark.parametrize("remaining_ms", [LONG, NEARLY_DONE])
def test_sounds_that_are_nobodys_turn(sound, reason, remaining_ms):
    """Echo, what is no voice, and hums are no interruption however long they are, nor an early answer."""
    for pattern in ("x" * 25, "x" * 15 + "." * 10):
        assert judge(pattern, sound=sound, evidence=begin(remaining_ms=remaining_ms))[:2] == (RESUME, reason)


@pytest.mark.parametrize(
    ("hum", "pattern", "expected"),
    [
        (0.7, "x" * 15 + "." * 10, (RESUME, Reason.HUM, 500)),
        (0.7, "x" * 25, (COMMIT, Reason.SPEECH, 500)),
        (0.95, "x" * 25, (RESUME, Reason.HUM, 500)),
        (0.7, "x" * 12 + "." * 13, (RESUME, Reason.HUM, 440)),
    ],
    ids=["just over", "goes on", "goes on and hardly moves", "long over"],
)
def test_what_goes_on_is_rarely_a_hum(hum, pattern, expected):
    """A sound that still goes on at the deadline is a hum only where there is hardly a doubt."""
    assert judge(pattern, sound=evolve(SPEECH, hum=hum)) == expected


def test_hum_soon_after_a_word_is_no_backchannel():
    """What hums just after speech that was let pass goes on with it."""
    hum = evolve(SPEECH, hum=0.95)
    assert judge("x" * 25, sound=hum, evidence=begin(recent_ms=300.0))[:2] == (COMMIT, Reason.SPEECH)


def test_only_what_is_clear_is_resumed_early():
    """After a click we go on at once; after a word we wait for the next one, since silence tells nothing."""
    assert judge("x" * 7 + "." * 18) == (RESUME, Reason.TOO_SHORT, 340)
    assert judge("x" * 8 + "." * 17) == (RESUME, Reason.TOO_SHORT, 500)


def test_hum_answers_a_question_that_was_out():
    """A hum after the last word of a question means yes."""
    hum = evolve(SPEECH, hum=0.9)
    assert judge("x" * 15 + "." * 10, sound=hum, evidence=begin(remaining_ms=OUT))[:2] == (COMMIT, Reason.ANSWER)


@pytest.mark.parametrize(
    ("frames", "expected"),
    [(5, (RESUME, Reason.TOO_SHORT)), (6, (COMMIT, Reason.ANSWER)), (14, (COMMIT, Reason.ANSWER))],
)
def test_early_answers(frames, expected):
    """When we were nearly done, what is not a click is the answer."""
    assert judge("x" * frames + "." * 12, evidence=begin(remaining_ms=NEARLY_DONE))[:2] == expected


@pytest.mark.parametrize(
    ("pattern", "words", "expected"),
    [
        ("x" * 10 + "." * 15, Words.FLOOR, (COMMIT, Reason.WORDS, 320)),
        ("x" * 10 + "." * 15, Words.BACKCHANNEL, (RESUME, Reason.BACKCHANNEL, 320)),
        ("x" * 10 + "." * 15, Words.NOTHING, (RESUME, Reason.NO_WORDS, 400)),
        ("x" * 10 + "." * 15, Words.UNKNOWN, (RESUME, Reason.TOO_SHORT, 500)),
        ("x" * 10 + "." * 4 + "x" * 11, Words.BACKCHANNEL, (COMMIT, Reason.SPEECH, 500)),
        ("x" * 10 + "." * 4 + "x" * 11, Words.NOTHING, (COMMIT, Reason.SPEECH, 500)),
    ],
    ids=["floor", "backchannel", "no words", "unknown", "went on after yes", "went on after noise"],
)
def test_trusted_words(pattern, words, expected):
    """Words settle a burst as soon as it is over, and count no more once the caller went on."""
    assert judge(pattern, TRUSTED, words=[(16, words)]) == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (Words.FLOOR, (COMMIT, Reason.WORDS)),
        (Words.BACKCHANNEL, (RESUME, Reason.BACKCHANNEL)),
        (Words.NOTHING, (RESUME, Reason.NO_WORDS)),
        (Words.UNKNOWN, (RESUME, Reason.TOO_SHORT)),
    ],
)
def test_trusted_words_of_a_long_burst(words, expected):
    """A burst that was long and is just over at the deadline goes by its words, if they are known."""
    assert judge("x" * 21 + "." * 4, TRUSTED, words=[(24, words)])[:2] == expected


@pytest.mark.parametrize(
    ("frames", "words", "expected"),
    [
        (20, Words.FLOOR, (RESUME, Reason.TOO_SHORT)),
        (23, Words.FLOOR, (COMMIT, Reason.SPEECH)),
        (23, Words.UNKNOWN, (RESUME, Reason.TOO_SHORT)),
        (23, Words.NOTHING, (RESUME, Reason.TOO_SHORT)),
        (23, Words.BACKCHANNEL, (RESUME, Reason.BACKCHANNEL)),
        (25, Words.BACKCHANNEL, (COMMIT, Reason.SPEECH)),
    ],
)
def test_untrusted_words_only_shift_the_length(frames, words, expected):
    """Words of a recogniser that guesses change how long speech must be, and decide nothing alone."""
    assert judge("x" * frames + "." * (25 - frames), words=[(min(frames + 1, 25), words)])[:2] == expected


def test_words_that_come_too_late_for_the_sound_still_hold():
    """A backchannel looked at shortly before it ended is one."""
    assert judge("x" * 21 + "." * 4, TRUSTED, words=[(22, Words.BACKCHANNEL)])[:2] == (RESUME, Reason.BACKCHANNEL)


def test_words_never_make_an_answer_a_backchannel():
    """When we were nearly done, "yes" is the answer, not a backchannel."""
    nearly_done = begin(remaining_ms=NEARLY_DONE)
    said = judge("x" * 10 + "." * 15, TRUSTED, words=[(16, Words.BACKCHANNEL)], evidence=nearly_done)
    assert said == (COMMIT, Reason.ANSWER, 320)
    noise = judge("x" * 10 + "." * 15, TRUSTED, words=[(16, Words.NOTHING)], evidence=nearly_done)
    assert noise == (RESUME, Reason.NO_WORDS, 400)


def test_second_burst_adds_up():
    """Two bursts within a second interrupt together what neither would alone, unless the first was nobody's turn."""
    first = begin(speech_ms=240.0)
    remembered = b.remembered_ms(first, Reason.TOO_SHORT)
    assert remembered == 240.0
    assert all(b.remembered_ms(first, reason) == 0.0 for reason in Reason if reason is not Reason.TOO_SHORT)
    again = begin(recent_ms=remembered)
    assert judge("x" * 9 + "." * 16)[:2] == (RESUME, Reason.TOO_SHORT)
    assert judge("x" * 9 + "." * 16, evidence=again)[:2] == (COMMIT, Reason.SPEECH)
    assert judge("x" * 3 + "." * 12, evidence=again)[:2] == (RESUME, Reason.TOO_SHORT)
    assert judge("x" * 3 + "." * 12, evidence=begin(recent_ms=480.0))[:2] == (RESUME, Reason.TOO_SHORT)
    assert judge("x" * 4 + "." * 12, evidence=begin(recent_ms=480.0))[:2] == (COMMIT, Reason.SPEECH)


def test_stops_belong_to_speech():
    """Silence within speech counts with it as long as it may be a stop, and no longer."""
    for frames, speech_ms in ((1, 100.0), (6, 200.0), (7, 80.0)):
        evidence = begin()
        for letter in "xx" + "." * frames + "xx":
            evidence = b.weigh(evidence, SOUNDS[letter], 20.0)
        assert evidence.speech_ms == speech_ms


# --- asking for the words --------------------------------------------------------------------------------------------


def asked_at(pattern):
    """Return the frames at which the words are asked for."""
    evidence, frames = begin(), []
    for index, letter in enumerate(pattern, start=1):
        now = START + index * 0.020
        evidence = b.weigh(evidence, SOUNDS[letter], 20.0)
        if b.wants_words(evidence, now, KNOBS):
            frames.append(index)
            evidence = b.asked(evidence, now, KNOBS)
            assert not b.wants_words(evidence, now, KNOBS)
    return frames


@pytest.mark.parametrize(
    ("pattern", "frames"),
    [
        ("x" * 25, [19]),
        ("x" * 10 + "." * 15, [15]),
        ("x" * 10 + "." * 6 + "x" * 9, [15, 19]),
        ("x" * 10 + "." * 4 + "x" * 11, [19]),
        ("x" * 15 + "." * 10, [19]),
        ("." * 25, []),
    ],
    ids=["still on", "over", "over, then on", "stop", "over late", "nothing"],
)
def test_words_are_asked_for_in_time_and_once(pattern, frames):
    """The words are looked at when the burst seems over, and once more ahead of the deadline if it goes on."""
    assert asked_at(pattern) == frames


# --- settings --------------------------------------------------------------------------------------------------------


def test_sensitivity_is_ordered():
    """From very low to high, each step takes less for an interruption, and all decide in time."""
    knobs = [b.tuned(KNOBS, name) for name in ("sehr_niedrig", "niedrig", "mittel", "hoch")]
    assert knobs[2] == KNOBS
    for less, more in pairwise(knobs):
        assert less.commit_speech_ms > more.commit_speech_ms
        assert less.nearly_done_ms < more.nearly_done_ms
        assert less.hum_likeness < more.hum_likeness
        assert less.voice_least > more.voice_least
    assert all(each.commit_speech_ms <= each.decide_ms for each in knobs)
    assert all(judge("x" * 25, each)[0] is COMMIT for each in knobs)


def test_sensitivity_must_be_known():
    """There is no other sensitivity."""
    with pytest.raises(KeyError):
        b.tuned(KNOBS, "egal")


# --- any sound -------------------------------------------------------------------------------------------------------

PATTERNS = st.text(alphabet="xxr.", min_size=FRAMES, max_size=FRAMES)
KINDS = st.sampled_from([SPEECH, evolve(SPEECH, echo=0.9), evolve(SPEECH, voice=0.0), evolve(SPEECH, hum=0.8)])
ALL_WORDS = st.lists(st.tuples(st.integers(1, FRAMES), st.sampled_from(Words)), max_size=3)
ALL_KNOBS = st.builds(
    BargeIn,
    commit_speech_ms=st.floats(20, 5_000),
    resume_silence_ms=st.floats(20, 500),
    decide_ms=st.floats(20, 500),
    nearly_done_ms=st.floats(0, 10_000),
    words_trusted=st.booleans(),
)


@given(PATTERNS, KINDS, ALL_WORDS, ALL_KNOBS, st.floats(0, 10_000))
def test_it_is_always_decided_in_time(pattern, sound, words, knobs, remaining_ms):
    """Whatever is heard and however it is set, the verdict falls by the deadline and has a reason."""
    verdict, reason, after_ms = judge(
        pattern, knobs, sound=sound, words=words, evidence=begin(remaining_ms=remaining_ms)
    )
    assert verdict is not WAIT
    assert reason is not Reason.UNDECIDED
    assert after_ms < knobs.decide_ms + 20.0


@given(PATTERNS, st.integers(0, FRAMES - 1), st.sampled_from([LONG, NEARLY_DONE, OUT]))
def test_more_speech_never_loses_the_floor(pattern, index, remaining_ms):
    """Whoever interrupts would have interrupted with one frame more of speech as well."""
    more = pattern[:index] + "x" + pattern[index + 1 :]
    pattern = "x" + pattern[1:]  # one known to sound, so that the flag means the same in both
    more = "x" + more[1:]
    if judge(pattern, evidence=begin(remaining_ms=remaining_ms))[0] is COMMIT:
        assert judge(more, evidence=begin(remaining_ms=remaining_ms))[0] is COMMIT


@given(st.integers(1, FRAMES), st.integers(1, 9))
def test_stop_within_speech_is_survived(at, frames):
    """Speech with a stop in it is an interruption, unless the deadline falls into the stop."""
    pattern = ("x" * at + "r" * frames + "x" * FRAMES)[:FRAMES]
    assert (judge(pattern)[0] is COMMIT) == (not pattern.endswith("r"))
