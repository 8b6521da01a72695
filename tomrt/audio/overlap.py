"""The caller while we speak: is that a voice that wants to be heard, and what is it like?

Evidence is the onset detector's. How much of it begins speech depends on where the call takes place: on a line with
nothing or a steady noise little is enough; where the level comes and goes without the caller (talk, music, tones) it
must be surer, and also just after the caller spoke, when the detector still expects more. What stands out of a steady
noise and is not speech to the detector is shown to Silero all the same. What is like our own voice is none. A burst of
sound is described by Silero and by its timbre: that tells a cough or an "mhm" from an interruption.
"""

from __future__ import annotations

from collections import deque
from typing import Literal

from attrs import define, field, frozen

from tomrt.audio.burst import UNKNOWN_VOICE, Burst
from tomrt.audio.confirm import Confirm
from tomrt.audio.framing import FRAME_MS
from tomrt.audio.ingress import FrameReport, Ingress
from tomrt.audio.own_voice import OwnVoice
from tomrt.errors import EngineError, MisuseError
from tomrt.events import Sound

__all__ = ["SENSITIVITIES", "Overhearing", "Sensitivity", "SensitivityName", "sensitivity"]

SensitivityName = Literal["sehr_niedrig", "niedrig", "mittel", "hoch"]

BLOCK_FRAMES, BLOCKS = 5, 15
"""A background is known by the levels of its last 15 tenths of a second in which the caller was silent ..."""

LOUDEST_BLOCKS = 2
"""... without the loudest of them, which are a knock ..."""

UNSTEADY_DB, STEADY_DB = 0.95, 0.65
"""... and is unsteady if these are on average so far from their median, until they are nearer: 19 of 20 times
a car is at 0.8 at most and white noise at 0.3, and talk and music are at 1.0 at least."""

TAIL_FRAMES = 15
"""So long after speech a room still sounds of it."""

EXPECTING_FRAMES, EXPECTING = 75, 1.0
"""For so long after speech so much more evidence is needed."""

FIRST_FRAMES = 25
"""As much more is needed before the noise of a call is known."""

RELEASE_FRAMES = 5
BURST_FRAMES = 10
"""Sound and speech end after so many frames without any."""

LIKELY = 0.5
CALM_DEPTH_DB, UNSTEADY_DEPTH_DB = 28.0, 15.0
"""What is so far below the loudest frame of a burst is no longer the burst."""

FORGET_DB = 0.2

MURMUR, CLOSURE_FRAMES = 0.2, 6
"""A burst also sounds for 120 ms after such a frame while the detector does not rule speech out: in the closure of a
stop it does not, behind a last word it does at once ..."""

LOUD_DB, AFTERGLOW_FRAMES = 3.0, 6
"""... but not for longer than 120 ms without a frame so far above the background, of which it may not be as sure."""

STANDS_OUT_DB, STANDS_OUT_FRAMES, SURELY = 8.0, 4, 0.5
"""On a steady line Silero is asked about what stands out by so much for 80 ms and is not speech to the detector; if it
is so sure of a voice, that is believed."""

LATE_FRAMES = 8
"""What has stood out for longer before it was like speech is rather music, or noise, that begins."""

NO_VOICE, JUDGED_FRAMES = 0.3, 25
"""What Silero was not so sure of within 500 ms is nobody, however long it goes on ..."""

STRIKES, STRIKE_KEPT = 2.4, 0.9990
WARNED_FRAMES = 2250
"""... and after three such sounds within some ten seconds the line is restless for 45 s, ..."""

RECENTLY_FRAMES = 500
"""... or after one within ten seconds of its being unsteady, as music is whose notes pass for speech and whose pauses
are steady; ..."""

PLAIN_VOICE = 0.8
"""... until there is a voice of which Silero is so sure."""


@frozen(kw_only=True)
class Sensitivity:
    """How easily a sound is taken for the caller's voice.

    Args:
        calm: Evidence that begins speech on a line with nothing or a steady noise in the background, natural log-odds
            from -8 to 7.75.
        restless: The same where talk, music or tones go on there.
        voice: How sure Silero must be by then that it is a human voice, 0 to 1; 0 does not wait for it. Asked only
            while the bot can be heard.
        restless_voice: The same where talk, music or tones go on in the background.
        echo: Similarity with what we sent from which a sound is our own echo, 0 to 1.
    """

    calm: float
    restless: float
    restless_voice: float
    voice: float = 0.0
    echo: float = 0.5


SENSITIVITIES: dict[SensitivityName, Sensitivity] = {
    "sehr_niedrig": Sensitivity(calm=5.0, restless=6.0, restless_voice=0.5, voice=0.5, echo=0.4),
    "niedrig": Sensitivity(calm=4.0, restless=5.0, restless_voice=0.4, voice=0.2, echo=0.45),
    "mittel": Sensitivity(calm=2.0, restless=4.0, restless_voice=0.3),
    "hoch": Sensitivity(calm=1.0, restless=3.0, restless_voice=0.15),
}
"""The operator's setting ``barge_in_sensitivity``."""


def sensitivity(name: str) -> Sensitivity:
    """Return the thresholds of an operator's word.

    Raises:
        MisuseError: the word is none of ``sehr_niedrig``, ``niedrig``, ``mittel`` and ``hoch``.
    """
    for word, found in SENSITIVITIES.items():
        if word == name:
            return found
    raise MisuseError(f"A sensitivity is one of {', '.join(SENSITIVITIES)}, not {name!r}.")


@define
class _Background:
    """How restless the line is when the caller is silent."""

    unsteady: bool = False
    median_db: float = 0.0
    since_unsteady: int = RECENTLY_FRAMES
    strikes: float = 0.0
    warned: int = 0
    _sum_db: float = 0.0
    _frames: int = 0
    _blocks_db: deque[float] = field(factory=lambda: deque(maxlen=BLOCKS))

    def add(self, snr_db: float) -> None:
        """Take the next frame without the caller."""
        self._sum_db += snr_db
        self._frames += 1
        if self._frames < BLOCK_FRAMES:
            return
        self._blocks_db.append(self._sum_db / BLOCK_FRAMES)
        self._sum_db, self._frames = 0.0, 0
        levels_db = sorted(self._blocks_db)[:-LOUDEST_BLOCKS]
        if len(levels_db) > LOUDEST_BLOCKS:
            self.median_db = levels_db[len(levels_db) // 2]
            off_db = sum(abs(level_db - self.median_db) for level_db in levels_db)
            self.unsteady = off_db > (STEADY_DB if self.unsteady else UNSTEADY_DB) * len(levels_db)
            self.since_unsteady = 0 if self.unsteady else self.since_unsteady

    def pass_by(self) -> None:
        """Let a frame's time go by."""
        self.warned = max(self.warned - 1, 0)
        self.strikes *= STRIKE_KEPT
        self.since_unsteady += 1

    def strike(self) -> None:
        """Take note of a sound that was believed, and was no voice."""
        self.strikes += 1
        if self.strikes >= STRIKES or self.since_unsteady < RECENTLY_FRAMES:
            self.warned = WARNED_FRAMES

    def voiced(self, voice: float) -> None:
        """Take note of a sound that was a voice, so surely."""
        self.strikes = 0.0
        if voice >= PLAIN_VOICE:
            self.warned = 0

    @property
    def restless(self) -> bool:
        return self.warned > 0 or self.unsteady


@define
class Overhearing:
    """One call's ears for the caller, with what the bot says at the same time in mind.

    Args:
        ingress: The call's ingress, which has just taken a frame when :meth:`frame` is called for it.
        sensitivity: How easily a sound is taken for the caller's voice.
        silero: Whether to ask Silero what is a human voice, if its model and onnxruntime are installed.
    """

    ingress: Ingress
    sensitivity: Sensitivity = SENSITIVITIES["mittel"]
    silero: bool = True
    _ours: OwnVoice = field(init=False)
    _model: Confirm | None = field(init=False, default=None)
    _background: _Background = field(factory=_Background, init=False)
    _burst: Burst | None = field(init=False, default=None)
    _speech: bool = field(init=False, default=False)
    _wanted: bool = field(init=False, default=False)
    _quiet: int = field(init=False, default=0)
    _indistinct: int = field(init=False, default=0)
    _faint: int = field(init=False, default=0)
    _standing_out: int = field(init=False, default=0)
    _since_speech: int = field(init=False, default=1000)
    _since_voice: int = field(init=False, default=1000)

    def __attrs_post_init__(self) -> None:
        self._ours = OwnVoice(self.ingress.rate_hz, self.sensitivity.echo)
        if self.silero:
            try:
                self._model = Confirm()
            except EngineError:
                self._model = None  # the sound is described without it, for the whole call

    def sent(self, pcm: bytes) -> None:
        """Note what went out on the line: a frame of 16-bit mono PCM at the line's rate, of silence in a pause.

        Raises:
            MisuseError: *pcm* is not bytes, or an odd number of them.
        """
        self._ours.sent(pcm)

    def frame(self, report: FrameReport, pcm: bytes, *, bot_audible: bool) -> Sound:
        """Judge the caller's next frame.

        Args:
            report: The ingress's report of it.
            pcm: The frame itself, 20 ms of 16-bit mono PCM at the line's rate.
            bot_audible: Whether the caller can hear the bot, or could within the last half second.

        Raises:
            MisuseError: *pcm* is not 20 ms of 16-bit PCM.
        """
        echo, ours = self._ours.heard(pcm, report.level_dbfs) if bot_audible else (0.0, False)
        snr_db = report.snr_db
        needed = self._needed(report.index)
        above_db = snr_db - self._background.median_db
        self._standing_out = self._standing_out + 1 if above_db >= STANDS_OUT_DB else 0
        self._faint = 0 if above_db >= LOUD_DB else self._faint + 1
        if ours and self._ours.known and report.probability >= LIKELY:
            self._since_speech = 0  # the detector heard speech, whosever it was
        if not self._speech:
            self._since_speech += 1
            if self._since_speech > TAIL_FRAMES and not ours:
                self._background.add(snr_db)
        begins = not ours and (report.evidence >= needed or self._is_vouched_for)
        distinct = begins or (not ours and self._is_distinct(report))
        sounding = distinct or (not ours and self._murmurs(report))
        asks = bot_audible and not ours and self._is_remarkable
        self._follow(report, sounding or asks, distinct, look=bot_audible)
        self._decide(begins, asked=bot_audible)
        burst = self._burst
        sounding = sounding and burst is not None
        voice, hum = (UNKNOWN_VOICE, 0.0) if burst is None else (burst.voice, burst.hum)
        return Sound(speech=self._speech, sounding=sounding, snr_db=snr_db, voice=voice, hum=hum, echo=echo)

    def _needed(self, index: int) -> float:
        """Return the evidence that begins speech now."""
        needed = self.sensitivity.restless if self._is_careful else self.sensitivity.calm
        if self._since_speech < EXPECTING_FRAMES or index < FIRST_FRAMES:
            needed += EXPECTING
        return needed

    @property
    def _is_careful(self) -> bool:
        """Whether more evidence is asked for: on a restless line, and when what is heard did not begin as a voice."""
        return self._background.restless or self._standing_out > LATE_FRAMES

    @property
    def _is_remarkable(self) -> bool:
        """Whether Silero should look at what stands out now."""
        if self._model is None or self._background.unsteady or not self._standing_out:
            return False
        return self._standing_out == STANDS_OUT_FRAMES or (self._burst is not None and self._burst.remarkable)

    @property
    def _is_vouched_for(self) -> bool:
        """Whether Silero knows a voice in what stands out."""
        burst = self._burst
        return self._standing_out > 0 and burst is not None and burst.remarkable and burst.voice >= SURELY

    def _is_distinct(self, report: FrameReport) -> bool:
        """Whether the burst clearly goes on in this frame."""
        burst = self._burst
        if burst is None or report.probability < LIKELY:
            return False
        if self._background.unsteady:
            return report.level_dbfs >= burst.peak_dbfs - UNSTEADY_DEPTH_DB
        return report.level_dbfs >= burst.peak_dbfs - CALM_DEPTH_DB and self._faint <= AFTERGLOW_FRAMES

    def _murmurs(self, report: FrameReport) -> bool:
        """Whether the burst may go on behind this frame."""
        if self._burst is None or self._background.unsteady or report.probability < MURMUR:
            return False
        return self._indistinct < CLOSURE_FRAMES and self._faint <= AFTERGLOW_FRAMES

    def _follow(self, report: FrameReport, sounding: bool, distinct: bool, *, look: bool) -> None:
        """Begin, continue or forget the burst."""
        end_ms = (report.index + 1) * FRAME_MS
        self._quiet = 0 if sounding else self._quiet + 1
        self._indistinct = 0 if distinct else self._indistinct + 1
        self._background.pass_by()
        self._since_voice += 1
        if self._quiet >= BURST_FRAMES or self._is_nobody(end_ms):
            self._forget()
        elif sounding and self._burst is None:
            self._burst = Burst(self.ingress, end_ms, remarkable=not distinct)
        burst = self._burst
        if burst is None:
            return
        if distinct:
            burst.sounded()
        burst.peak_dbfs = max(report.level_dbfs, burst.peak_dbfs - FORGET_DB)
        if look and self._model is not None:
            burst.look(self._model)
        burst.follow(end_ms)

    def _is_nobody(self, end_ms: float) -> bool:
        """Whether what counts as speech has gone on for long enough to know that it is no voice."""
        burst = self._burst
        return burst is not None and end_ms - burst.began_ms >= JUDGED_FRAMES * FRAME_MS and burst.voice < NO_VOICE

    def _forget(self) -> None:
        """Let go of the burst; take it for a warning if it was believed and was no voice."""
        if self._burst is not None and self._burst.voice < NO_VOICE:
            if self._burst.believed and self._since_voice > EXPECTING_FRAMES:
                self._background.strike()
            self._quiet = BURST_FRAMES
        elif self._burst is not None:
            self._since_voice = 0
            self._background.voiced(self._burst.voice)
        self._burst = None

    def _decide(self, begins: bool, *, asked: bool) -> None:
        """Begin or end speech."""
        self._wanted = (self._wanted or begins) and self._quiet < RELEASE_FRAMES
        if self._speech:
            self._since_speech = 0
        wanted = self.sensitivity.restless_voice if self._is_careful else self.sensitivity.voice
        known = self._burst is not None and self._burst.voice >= wanted
        self._speech = self._wanted and (self._speech or known or not asked or self._model is None)
        if self._speech and self._burst is not None:
            self._burst.believed = True
