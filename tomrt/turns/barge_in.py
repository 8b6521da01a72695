"""Is it an interruption?  Decided from what was heard since the bot fell silent.

The bot is silent while this is open, so waiting costs the caller nothing: what is clear is decided at once, all else at
the deadline; silence behind a word is not clear, since the next word may follow ("no, I meant"). In the order of their
weight: words that take the floor; sounds that are nobody's turn (our own echo, what is no voice, a hum); an answer to a
question that was nearly out; backchannels by their words; and for the rest how long it was, and whether it still goes
on.
"""

from __future__ import annotations

from enum import Enum

from attrs import evolve, frozen

from tomrt.events import Sound

__all__ = [
    "ANSWER_SPEECH_MS",
    "ASK_BEFORE_MS",
    "QUIET_MS",
    "BargeIn",
    "Evidence",
    "Judgement",
    "Reason",
    "Verdict",
    "Words",
    "asked",
    "decide",
    "remembered_ms",
    "tuned",
    "wants_words",
    "weigh",
    "worded",
]

ANSWER_SPEECH_MS = 120.0
"""Less speech than this does not answer even a question that was nearly out: a click or a breath."""

HUM_ANSWER_MS = 250.0
"""A hum with more than this left to say is a backchannel; with less the question was out, and it means yes."""

QUIET_MS = 100.0
"""After so much silence the burst may be over, which is time to look at its words; stops within words are shorter."""

STILL_MS = 0.0
"""After no more silence than this the caller counts as still speaking: the closures of stops sound already."""

CLICK_MS = 150.0
"""What is over and shorter is no word, and need not be waited for."""

LATE_SPEECH_MS = 200.0
"""Speech that still goes on at the deadline interrupts if it is at least this much: it may have begun after a click."""

OVER_FACTOR = 1.5
"""What is over must have been this much longer to be an interruption, unless it is the second burst in a row."""

AGAIN_SPEECH_MS = 80.0
"""A second burst counts from this much speech on."""

ASK_BEFORE_MS = 120.0
"""What still goes on so long before the deadline is looked at for its words as far as they are."""

STALE_MS = 80.0
"""Words of which more was said than this since they were looked at are no longer known to be a backchannel."""

CLEAR_SNR_DB = 20.0
"""A recogniser that chooses among a few phrases takes every third backchannel for another word at 15 dB."""

RELEASE_MS = 120.0
"""Silence is not longer than this while speech is flagged (the flag has some 80 ms of release); and shorter silence,
as in the stops of words, belongs to the speech around it."""


class Words(Enum):
    """What is known of the words."""

    UNKNOWN = "unknown"
    """Nobody told."""
    NOTHING = "nothing"
    """The recogniser heard no words."""
    BACKCHANNEL = "backchannel"
    FLOOR = "floor"
    """Words that are no backchannel, or that take the floor: stop, wait, no but."""


class Verdict(Enum):
    """What to do with the held reply."""

    WAIT = "wait"
    COMMIT = "commit"
    RESUME = "resume"


class Reason(Enum):
    """By what it was decided."""

    UNDECIDED = "undecided"
    """It was not."""
    WORDS = "words"
    """Interruption: words that take the floor."""
    SPEECH = "speech"
    """Interruption: so much speech."""
    ANSWER = "answer"
    """Interruption: our question was nearly out."""
    KEY = "key"
    """Interruption: a key was pressed."""
    ECHO = "echo"
    NOT_A_VOICE = "not_a_voice"
    HUM = "hum"
    BACKCHANNEL = "backchannel"
    NO_WORDS = "no_words"
    TOO_SHORT = "too_short"


@frozen
class Judgement:
    """A verdict and its reason."""

    verdict: Verdict
    reason: Reason


_WAIT = Judgement(Verdict.WAIT, Reason.UNDECIDED)

_DOUBT = {Words.FLOOR: 0.75, Words.BACKCHANNEL: 1.25}
"""What the words of a recogniser that cannot be trusted do to the length that speech needs."""


@frozen(kw_only=True)
class BargeIn:
    """Thresholds of the decision.

    Args:
        enabled: Whether the caller may interrupt at all.
        commit_speech_ms: So much speech in two bursts is an interruption. A single one that is over must have been
            ``OVER_FACTOR`` times as long, since only its words tell it from a backchannel; one that goes on when it is
            decided need not be long.
        resume_silence_ms: After this much silence what is clearly no interruption, or no more than a click, is resumed,
            and what answers a question that was nearly out is the answer.
        decide_ms: Decided at the latest this long after the yield.
        nearly_done_ms: With less than this left to say, speech is an answer rather than a backchannel.
        echo_similarity: Sound this like our own, 0 to 1, is our echo.
        hum_likeness: Sound this like a hum, 0 to 1, is one. What goes on at the deadline has a quarter of the doubt.
        voice_least: What was at no time this surely a voice, 0 to 1, is none.
        words_trusted: The recogniser can be believed: it tells words from noise, and one word from another. One that
            has to choose among a few phrases cannot.
    """

    enabled: bool = True
    commit_speech_ms: float = 400.0
    resume_silence_ms: float = 200.0
    decide_ms: float = 500.0
    nearly_done_ms: float = 800.0
    echo_similarity: float = 0.6
    hum_likeness: float = 0.6
    voice_least: float = 0.2
    words_trusted: bool = False


_TUNING = {
    "sehr_niedrig": (1.2, 0.25, 0.45, 0.35),
    "niedrig": (1.1, 0.5, 0.5, 0.3),
    "mittel": (1.0, 1.0, 0.6, 0.2),
    "hoch": (0.65, 1.5, 0.75, 0.1),
}
"""By sensitivity: factors of ``commit_speech_ms`` and ``nearly_done_ms``, then ``hum_likeness`` and ``voice_least``."""


def tuned(knobs: BargeIn, sensitivity: str) -> BargeIn:
    """Return *knobs* for a *sensitivity* of ``sehr_niedrig``, ``niedrig``, ``mittel`` or ``hoch``.

    Raises:
        KeyError: there is no such sensitivity.
    """
    speech, nearly_done, hum_likeness, voice_least = _TUNING[sensitivity]
    return evolve(
        knobs,
        commit_speech_ms=min(knobs.commit_speech_ms * speech, knobs.decide_ms),
        nearly_done_ms=knobs.nearly_done_ms * nearly_done,
        hum_likeness=hum_likeness,
        voice_least=voice_least,
    )


@frozen(kw_only=True)
class Evidence:
    """What was heard since the yield.

    Args:
        since: Clock time of the yield, seconds.
        remaining_ms: What the bot had left to say then.
        recent_ms: Speech that was judged no interruption within the last second (``remembered_ms``).
        speech_ms: Speech since the yield, as long as it sounded, with its short stops.
        silence_ms: Since it last sounded.
        sounded: ``sounding`` was seen, so it can be believed.
        peak_snr_db: The loudest frame of speech.
        mean_snr_db: All frames of speech.
        voice: The surest that one of them was a voice.
        hum: How like a hum the latest of them made the burst.
        echo: How like our own sound they are on average.
        words: What is known of the words.
        looked_ms: ``speech_ms`` when the words were last asked for; ``None`` before.
        asked_over: They were asked for when the burst seemed over.
        asked_late: They were asked for ahead of the deadline.
    """

    since: float
    remaining_ms: float
    recent_ms: float = 0.0
    speech_ms: float = 0.0
    silence_ms: float = 0.0
    sounded: bool = False
    peak_snr_db: float = 0.0
    mean_snr_db: float = 0.0
    voice: float = 0.0
    hum: float = 0.0
    echo: float = 0.0
    words: Words = Words.UNKNOWN
    looked_ms: float | None = None
    asked_over: bool = False
    asked_late: bool = False

    @property
    def standing_words(self) -> Words:
        """What is known of the words, unless more was said since."""
        looked_ms = self.speech_ms if self.looked_ms is None else self.looked_ms
        stale = self.speech_ms - looked_ms > STALE_MS and self.words is not Words.FLOOR
        return Words.UNKNOWN if stale else self.words


def weigh(evidence: Evidence, sound: Sound, frame_ms: float) -> Evidence:
    """Add one frame of *frame_ms*."""
    sounded = evidence.sounded or sound.sounding
    if not sound.speech:
        return evolve(evidence, silence_ms=evidence.silence_ms + frame_ms, sounded=sounded)
    if not sound.sounding and sounded:
        return evolve(evidence, silence_ms=min(evidence.silence_ms + frame_ms, RELEASE_MS), sounded=sounded)
    stop_ms = evidence.silence_ms if evidence.speech_ms and evidence.silence_ms <= RELEASE_MS else 0.0
    speech_ms = evidence.speech_ms + stop_ms + frame_ms
    share = frame_ms / speech_ms
    return evolve(
        evidence,
        speech_ms=speech_ms,
        silence_ms=0.0,
        sounded=sounded,
        peak_snr_db=max(evidence.peak_snr_db, sound.snr_db),
        mean_snr_db=evidence.mean_snr_db + share * (sound.snr_db - evidence.mean_snr_db),
        voice=max(evidence.voice, sound.voice),
        hum=sound.hum,
        echo=evidence.echo + share * (sound.echo - evidence.echo),
    )


def wants_words(evidence: Evidence, now: float, knobs: BargeIn) -> bool:
    """Whether to have the words looked at now: when the burst seems over, and ahead of the deadline; once each.

    What was looked at is not looked at again unless more was said.
    """
    if evidence.speech_ms <= (evidence.looked_ms or 0.0):
        return False
    if evidence.silence_ms >= QUIET_MS:
        return not evidence.asked_over
    return not evidence.asked_late and _left_ms(evidence, now, knobs) <= ASK_BEFORE_MS


def asked(evidence: Evidence, now: float, knobs: BargeIn) -> Evidence:
    """Take note that the words are being looked at."""
    late = _left_ms(evidence, now, knobs) <= ASK_BEFORE_MS
    over = evidence.silence_ms >= QUIET_MS
    return evolve(
        evidence,
        looked_ms=evidence.speech_ms,
        asked_over=evidence.asked_over or over,
        asked_late=evidence.asked_late or late,
    )


def worded(evidence: Evidence, words: Words) -> Evidence:
    """Take what the words were when they were last asked for."""
    looked_ms = evidence.speech_ms if evidence.looked_ms is None else evidence.looked_ms
    return evolve(evidence, words=words, looked_ms=looked_ms)


def decide(evidence: Evidence, now: float, knobs: BargeIn) -> Judgement:
    """Return the verdict on *evidence* at clock time *now* (seconds), with its reason."""
    words = evidence.standing_words
    if not knobs.words_trusted and evidence.mean_snr_db < CLEAR_SNR_DB:
        words = Words.UNKNOWN
    if words is Words.FLOOR and knobs.words_trusted:
        return Judgement(Verdict.COMMIT, Reason.WORDS)
    due = _left_ms(evidence, now, knobs) <= 0.0
    if due or (evidence.silence_ms >= knobs.resume_silence_ms and _is_clear(evidence, words, knobs)):
        return _settle(evidence, words, knobs)
    if evidence.silence_ms >= QUIET_MS and words is Words.BACKCHANNEL and knobs.words_trusted:
        return _settle(evidence, words, knobs)
    return _WAIT


def remembered_ms(evidence: Evidence, reason: Reason) -> float:
    """Return the speech that adds up with a burst that follows soon, after *evidence* was resumed for *reason*."""
    return evidence.speech_ms if reason is Reason.TOO_SHORT else 0.0


def _settle(evidence: Evidence, words: Words, knobs: BargeIn) -> Judgement:
    """Judge what is over, or must be judged as it is."""
    still = evidence.silence_ms <= STILL_MS
    if nobody := _nobodys_turn(evidence, knobs, still=still):
        return Judgement(Verdict.RESUME, nobody)
    no_words = words is Words.NOTHING and knobs.words_trusted and not still
    if evidence.remaining_ms < knobs.nearly_done_ms and evidence.speech_ms >= ANSWER_SPEECH_MS and not no_words:
        return Judgement(Verdict.COMMIT, Reason.ANSWER)
    if no_words:
        return Judgement(Verdict.RESUME, Reason.NO_WORDS)
    if words is Words.BACKCHANNEL and not still and knobs.words_trusted:
        return Judgement(Verdict.RESUME, Reason.BACKCHANNEL)
    needed_ms = _needed_ms(evidence, words, knobs, still=still)
    if evidence.speech_ms + evidence.recent_ms >= needed_ms:
        return Judgement(Verdict.COMMIT, Reason.SPEECH)
    return Judgement(Verdict.RESUME, Reason.BACKCHANNEL if words is Words.BACKCHANNEL else Reason.TOO_SHORT)


def _is_clear(evidence: Evidence, words: Words, knobs: BargeIn) -> bool:
    """Whether there is nothing to wait for once it is silent: no word that another may follow."""
    told = knobs.words_trusted and words is not Words.UNKNOWN
    nearly_done = evidence.remaining_ms < knobs.nearly_done_ms
    short = evidence.speech_ms < CLICK_MS
    return told or nearly_done or short or _nobodys_turn(evidence, knobs, still=False) is not None


def _needed_ms(evidence: Evidence, words: Words, knobs: BargeIn, *, still: bool) -> float:
    """Return the speech, with what is remembered of a burst before, that interrupts."""
    if still:
        return min(LATE_SPEECH_MS, knobs.commit_speech_ms)
    again = evidence.recent_ms > 0.0 and evidence.speech_ms >= AGAIN_SPEECH_MS
    return knobs.commit_speech_ms * (1.0 if again else OVER_FACTOR) * _DOUBT.get(words, 1.0)


def _nobodys_turn(evidence: Evidence, knobs: BargeIn, *, still: bool) -> Reason | None:
    if not evidence.speech_ms:
        return Reason.TOO_SHORT
    if evidence.echo >= knobs.echo_similarity:
        return Reason.ECHO
    if evidence.voice < knobs.voice_least:
        return Reason.NOT_A_VOICE
    hum_likeness = (3.0 + knobs.hum_likeness) / 4.0 if still else knobs.hum_likeness
    if evidence.hum >= hum_likeness and evidence.remaining_ms > HUM_ANSWER_MS and not evidence.recent_ms:
        return Reason.HUM
    return None


def _left_ms(evidence: Evidence, now: float, knobs: BargeIn) -> float:
    return round(knobs.decide_ms - (now - evidence.since) * 1000.0, 6)  # the clock is a float
