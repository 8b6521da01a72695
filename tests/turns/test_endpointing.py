"""Endpointing: where utterances begin, pause and end."""

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from tomrt.events import Completeness, Sound
from tomrt.turns import endpointing as ep
from tomrt.turns.endpointing import Ended, Endpointing, Fragment, Ignored, Open, Opened, Paused, Silent, WentOn

LIMITS = Endpointing(max_ms=5_000)
FIXED = evolve(LIMITS, adapt=False)
COMPLETE, UNKNOWN, INCOMPLETE = Completeness.COMPLETE, Completeness.UNKNOWN, Completeness.INCOMPLETE
SOUNDS = {
    "x": Sound(speech=True, sounding=True),
    "r": Sound(speech=True, sounding=False),  # the flag's release, or a stop within a word
    "n": Sound(speech=False, sounding=True),  # noise
    ".": Sound(speech=False, sounding=False),
}
WORD = "x" * 20 + "rrrr"  # speech to 400 ms, its flag to 480


class Line:
    """Feeds one frame a letter and keeps what came of it."""

    def __init__(self, limits=LIMITS, state=None):
        self.limits, self.state, self.ms, self.effects = limits, state or ep.start(), 0.0, []

    def _take(self, outcome):
        self.state, effects = outcome
        self.effects += effects
        return list(effects)

    def feed(self, pattern, alone=True):
        came = []
        for letter in pattern:
            self.ms += 20.0
            came += self._take(ep.heard(self.state, SOUNDS[letter], self.ms, 20.0, self.limits, alone=alone))
        return came

    def word(self, completeness, end_ms):
        return self._take(ep.worded(self.state, completeness, end_ms, self.ms, self.limits))


def ended(start_ms, end_ms, hangover_ms):
    return Ended(start_ms=start_ms, end_ms=end_ms, reason="silence", hangover_ms=hangover_ms)


def paused(start_ms, end_ms):
    return Paused(start_ms=start_ms, end_ms=end_ms)


def test_utterance_opens_pauses_and_ends():
    """An utterance is opened by its first speech, reported once when it pauses, and ended by enough silence."""
    line = Line()
    assert line.feed("....." + WORD) == [Opened(100.0)]
    assert line.feed("." * 3) == []
    assert line.feed(".") == [paused(100.0, 500.0)]
    assert line.feed("." * 21) == []
    assert line.feed(".") == [ended(100.0, 500.0, 600.0)]
    assert line.state.now == Silent()


def test_the_end_is_where_it_last_sounded():
    """Silence counts from the last sound, not from where the flag's release ends."""
    assert Line().feed(WORD + "." * 26)[-1] == ended(0.0, 400.0, 600.0)


@pytest.mark.parametrize("letter", ["x", "r"])
def test_without_a_sounding_flag_the_speech_flag_counts(letter):
    """Where ``sounding`` is the same for all speech, utterances end where the speech flag does."""
    line = Line()
    line.feed(letter * 24 + "." * 30)
    assert line.effects == [Opened(0.0), paused(0.0, 480.0), ended(0.0, 480.0, 600.0)]


def test_always_sounding_changes_nothing():
    """Where everything sounds, the speech flag alone decides."""
    line = Line()
    line.feed("x" * 24 + "n" * 30)
    assert line.effects == [Opened(0.0), paused(0.0, 480.0), ended(0.0, 480.0, 600.0)]


def test_speech_that_does_not_sound_for_long_is_believed():
    """Speech flagged for longer than any release keeps the utterance open, even if nothing seems to sound."""
    line = Line()
    assert line.feed("x" * 10 + "r" * 100) == [Opened(0.0)]
    assert line.feed("." * 30)[-1] == ended(0.0, 2_080.0, 600.0)


def test_speech_after_a_pause_goes_on():
    """After a pause that was reported, further speech is reported once, and the next pause again."""
    line = Line()
    line.feed(WORD + "." * 6)
    assert line.feed("xxx") == [WentOn(600.0)]
    assert line.feed(WORD + "." * 4) == [paused(0.0, 1_060.0)]


def test_short_gaps_are_no_pauses():
    """A gap shorter than ``pause_ms`` is neither reported nor learned."""
    line = Line()
    line.feed(WORD + "..." + WORD)
    assert line.effects == [Opened(0.0)]
    assert line.state.pace == ep.Pace()


def test_click_is_a_fragment():
    """Less speech than the minimum has no pause, and is a fragment in the end."""
    line = Line()
    line.feed("xx" + "." * 30)
    assert line.effects == [Opened(0.0), Fragment(0.0)]


def test_stops_within_a_word_count_as_speech():
    """Short speech with stops in it is not taken for a click."""
    line = Line()
    line.feed("xxrrrxxrrx" + "." * 30)
    assert line.effects[-1] == ended(0.0, 200.0, 600.0)


@pytest.mark.parametrize(("completeness", "hangover_ms"), [(COMPLETE, 260.0), (UNKNOWN, 600.0), (INCOMPLETE, 1_100.0)])
def test_words_set_the_hangover(completeness, hangover_ms):
    """Complete words shorten the silence that is waited for, words that break off lengthen it."""
    line = Line()
    line.feed(WORD + "." * 4)
    assert line.word(completeness, 400.0) == []
    assert line.feed("." * 60) == [ended(0.0, 400.0, hangover_ms)]


def test_late_words_end_it_at_once():
    """Words that turn out complete after the silence for that has passed end the utterance there and then."""
    line = Line()
    line.feed(WORD + "." * 14)
    assert line.word(COMPLETE, 400.0) == [ended(0.0, 400.0, 360.0)]
    assert line.word(COMPLETE, 400.0) == []


def test_stale_words_change_nothing():
    """Words of an earlier pause, or of none, are not believed."""
    line = Line()
    assert line.word(COMPLETE, 0.0) == []
    line.feed(WORD + "." * 6 + WORD)
    before = line.state
    assert line.word(COMPLETE, 400.0) == line.word(COMPLETE, 920.0) == []
    assert line.state == before
    line.feed("." * 4)
    assert line.word(INCOMPLETE, 400.0) == []
    assert line.feed("." * 30)[-1].hangover_ms == pytest.approx(600.0, abs=60.0)


def test_words_count_for_one_pause_only():
    """When the caller went on, what the words before were no longer counts."""
    line = Line(FIXED)
    line.feed(WORD + "." * 4)
    line.word(COMPLETE, 400.0)
    assert line.feed("xxrrrr" + "." * 40)[-1].hangover_ms == 600.0


def test_longest_utterance_is_bounded():
    """Speech without end is cut at the limit, and what follows opens a new utterance."""
    line = Line()
    line.feed("x" * 300)
    assert line.effects == [Opened(0.0), Ended(start_ms=0.0, end_ms=5_000.0, reason="too_long"), Opened(5_000.0)]


def test_longest_utterance_is_bounded_in_a_pause():
    """The limit holds within a pause too, and the utterance ends where the pause began."""
    line = Line()
    line.feed("x" * 240 + "." * 20)
    assert line.effects[1:] == [paused(0.0, 4_800.0), Ended(start_ms=0.0, end_ms=4_800.0, reason="too_long")]


def test_stalled_line_ends_the_utterance():
    """When the line stops delivering, what was said so far is the utterance; without one nothing happens."""
    line = Line()
    line.feed("x" * 10)
    state, effects = ep.stalled(line.state, LIMITS)
    assert effects == (Ended(start_ms=0.0, end_ms=200.0, reason="stalled"),)
    assert ep.stalled(state, LIMITS) == (state, ())
    assert ep.stalled(ep.ignore(line.state, 200.0), LIMITS)[1] == ()


# --- ignoring --------------------------------------------------------------------------------------------------------


def ignoring(pattern):
    line = Line()
    line.feed(pattern)
    line.state = ep.ignore(line.state, line.ms)
    line.effects.clear()
    return line


def test_what_is_ignored_ends_unnoticed():
    """A sound that is ignored is not reported, and afterwards the next one is."""
    line = ignoring("xxxxx")
    assert line.feed("x" * 20 + "rrrr") == []
    assert isinstance(line.state.now, Ignored)
    assert line.feed(".") == []
    assert line.state.now == Silent()
    assert line.feed("x") == [Opened(600.0)]


def test_what_was_just_over_is_not_ignored_for_long():
    """If what was silent when it was judged goes on after all, it counts soon; and at once after a real silence."""
    assert ignoring("xxxxxrr").feed("x" * 8) == [Opened(140.0)]
    assert ignoring("xxxxxrr").feed("xxrrr" + "." * 20) == []
    assert ignoring("xxxxxrrr").feed("x") == [Opened(160.0)]


def test_new_sound_within_the_release_is_noticed():
    """What begins after a short silence is new, even while the speech flag has not fallen."""
    line = ignoring("xxxxx")
    assert line.feed("xxrrr") == []
    assert line.feed("x") == [Opened(200.0)]


def test_short_gap_does_not_end_what_is_ignored():
    """A stop within the ignored sound is part of it."""
    assert ignoring("xxxxx").feed("xxrrxxr.x.x") == []


def test_what_is_ignored_for_long_counts_after_all():
    """A sound that goes on and on is an utterance, from where it was first ignored."""
    line = ignoring("xxxxx")
    assert line.feed("x" * 34) == []
    assert line.feed("x") == [Opened(100.0)]


def test_ignored_speech_that_does_not_sound_is_bounded_too():
    """Even if ``sounding`` fails, speech is ignored for no longer than the limit."""
    assert ignoring("xxxxx").feed("r" * 35) == [Opened(100.0)]


def test_silence_cannot_be_ignored():
    """There is nothing to be deaf to in silence."""
    assert ignoring(".....").feed("x") == [Opened(100.0)]


def test_reset_forgets_the_sound_and_keeps_the_pace():
    """Starting afresh keeps what was learned of the caller."""
    line = Line()
    line.feed(WORD + "." * 8 + "x")
    learned = line.state.pace
    assert learned.other.count == 1
    assert ep.reset(line.state) == ep.Endpointer(now=Silent(), pace=learned)


# --- learning --------------------------------------------------------------------------------------------------------


def talk(line, pause_frames, times, completeness=UNKNOWN, alone=True):
    """Speak with pauses of *pause_frames* frames after the last sound."""
    for _ in range(times):
        line.feed(WORD)
        end_ms = line.ms - 80.0
        line.feed("." * (pause_frames - 4), alone=alone)
        line.word(completeness, end_ms)
    return ep.hangover_ms(evolve(line.state, now=Silent()), line.limits)


def test_quick_caller_waits_less():
    """A caller whose pauses are short is waited for less, but not less than the floor."""
    waited = [talk(Line(evolve(LIMITS, max_ms=30_000)), 10, times) for times in (1, 3, 6, 12, 24)]
    assert waited == sorted(waited, reverse=True)
    assert waited[0] == 600.0
    assert waited[-1] == 400.0


def test_slow_caller_is_waited_for_longer():
    """A caller with long pauses is waited for longer, up to the limit."""
    line = Line(evolve(LIMITS, max_ms=30_000))
    assert 600.0 < talk(line, 25, 8) <= 1_100.0


def test_nothing_is_learned_while_we_are_heard():
    """Pauses while the assistant is audible or held say nothing about the caller."""
    assert talk(Line(evolve(LIMITS, max_ms=30_000)), 10, 10, alone=False) == 600.0


def test_nothing_is_learned_when_it_is_switched_off():
    """Without adaptation the silence waited for is what the operator set."""
    assert talk(Line(evolve(FIXED, max_ms=30_000)), 10, 10) == 600.0


def taken_back(gap_ms, what_came):
    """A turn ends as complete; what comes then goes on with it after *gap_ms*. Return the waits that follow."""
    line = Line()
    line.feed(WORD + "." * 4)
    line.word(COMPLETE, 400.0)
    line.feed("." * 10 + "x")
    line.state = ep.resumed_after(line.state, gap_ms)
    line.feed(what_came)
    complete = Open(start_ms=0.0, last_ms=1.0, speech_ms=1.0, sounded=True, completeness=COMPLETE)
    return ep.hangover_ms(evolve(line.state, now=complete), LIMITS), ep.hangover_ms(ep.reset(line.state), LIMITS)


def test_taken_back_turn_is_remembered():
    """A turn that was answered too early makes the next silence of its kind longer, and only that."""
    complete_ms, unknown_ms = taken_back(420.0, WORD + "." * 4)
    assert 400.0 < complete_ms <= 600.0
    assert unknown_ms == 600.0


@pytest.mark.parametrize("what_came", ["." * 40, "xx"], ids=["a click", "too little yet"])
def test_click_after_a_turn_teaches_nothing(what_came):
    """What comes after a turn and is no speech does not make the caller a slow one."""
    assert taken_back(420.0, what_came) == (250.0, 600.0)


def test_new_thought_is_no_pause():
    """Who goes on only after a very long silence had finished."""
    assert taken_back(5_000.0, WORD + "." * 4) == (250.0, 600.0)


@given(st.lists(st.tuples(st.floats(0.0, 60_000.0), st.sampled_from(Completeness), st.booleans()), max_size=30))
def test_hangover_stays_between_its_limits(pauses):
    """Whatever is learned, each kind of silence stays between the numbers that the operator set."""
    pace = ep.Pace()
    for gap_ms, completeness, cut_short in pauses:
        pace = (pace.cut_short if cut_short else pace.paused)(gap_ms, completeness)
    limits = {"complete_ms": 250.0, "silence_ms": 600.0, "incomplete_ms": 1_100.0}
    assert 250.0 <= pace.hangover_ms(COMPLETE, **limits) <= 600.0
    assert 400.0 <= pace.hangover_ms(UNKNOWN, **limits) <= 1_100.0
    assert pace.hangover_ms(INCOMPLETE, **limits) == 1_100.0


# --- any order of things ---------------------------------------------------------------------------------------------

FRAMES = st.text(alphabet="xxxr.n", min_size=1, max_size=40)
STEPS = st.lists(
    st.one_of(
        FRAMES,
        st.sampled_from([15, 30, 60]).map(lambda n: "." * n),
        st.sampled_from(["stalled", "ignore", "reset", "resumed", *Completeness]),
    ),
    max_size=40,
)


@given(STEPS, st.sampled_from([LIMITS, FIXED, Endpointing(pause_ms=60.0), Endpointing(max_ms=1_000.0)]))
def test_effects_follow_each_other_in_order(steps, limits):
    """Whatever is heard: open, then pause and go on in turn, then one end, after enough silence and in time."""
    line, stage, opened_ms, pause_ms = Line(limits), "closed", None, None
    for step in steps:
        before = line.state
        match step:
            case "ignore" | "reset":
                line.state = ep.reset(before) if step == "reset" else ep.ignore(before, line.ms)
                stage = "closed"
                continue
            case "resumed":
                line.state = ep.resumed_after(before, 300.0)
                continue
            case "stalled":
                effects = line._take(ep.stalled(before, limits))
            case Completeness():
                effects = line.word(step, pause_ms if pause_ms is not None else 0.0)
            case _:
                effects = line.feed(step)
        for effect in effects:
            match effect:
                case Opened():
                    assert stage == "closed"
                    assert 0.0 <= effect.start_ms < line.ms
                    stage, opened_ms, pause_ms = "open", effect.start_ms, None
                case Paused():
                    assert stage == "open"
                    assert effect.start_ms == opened_ms < effect.end_ms
                    stage, pause_ms = "paused", effect.end_ms
                case WentOn():
                    assert stage == "paused"
                    assert effect.start_ms >= pause_ms
                    stage = "open"
                case Ended():
                    assert stage in {"open", "paused"}
                    assert effect.start_ms == opened_ms < effect.end_ms
                    assert stage == "open" or effect.end_ms == pause_ms
                    assert effect.end_ms - effect.start_ms <= limits.max_ms
                    assert (effect.hangover_ms is None) == (effect.reason != "silence")
                    assert effect.hangover_ms is None or effect.hangover_ms >= limits.complete_ms
                    stage = "closed"
                case Fragment():
                    assert stage == "open"
                    stage = "closed"
        assert (stage != "closed") == line.state.is_open


@given(FRAMES)
def test_silence_ends_everything(pattern):
    """After any sound, so much silence that the longest wait is over leaves no utterance open."""
    line = Line()
    line.feed(pattern + "." * 55)
    assert line.state.now == Silent()
