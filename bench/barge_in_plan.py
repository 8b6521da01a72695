"""Which sounds are made over the assistant's voice, in which noise and at which level: the trials of a run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import numpy as np
from attrs import frozen

from bench.barge_in_clocks import FRAME
from bench.call_script import Kind, Trial
from bench.caller_noises import KNOCKS, hum, knock, steady
from bench.caller_sounds import RATE_HZ, Said, Sound, Texts, at_level, babble, line_band, mu_law, people, spoken

__all__ = ["NOISE_S", "Material", "backchannels", "dealt", "dialogue", "floor", "listed", "material", "trials"]

FLOOR_DBFS = -65.0
FLOOR_S = 7.0
CALLER_DBFS = (-28.0, -18.0)
LEAD_S = 3.0
"""Noise and echo are there at least so long before the speech, so that it is the speech that is measured."""
GAP_FRAMES = 6
"""Between leaving the loop and the speech, lest the seam be taken for it."""
RAMP_S = 1.0
"""In which noise rises."""
BURST_S = (0.3, 1.5)
NOISE_S = 30.0
ECHO_S = 10.0
FADE = 40
"""Samples of the ramp on a sound that is cut out of its surroundings, at its end."""

VARIANTS = ("f4", "m2", "m5", "Annie", "Michael", "Marco", "zac", "shelby", "f1", "m3", "linda", "klatt3")
INTERRUPTIONS: Texts = {
    "en-us": (
        "Wait, stop.", "Sorry, one question.", "No, that is not what I meant.", "Hold on a second please.",
        "Excuse me, can I say something?", "Actually, I need a different day.", "Can you tell me the price?",
        "I already know that.", "Could you go back a bit?", "What about Saturday?", "Let me stop you there.",
        "That is wrong, my name is Miller.", "I would like to speak to somebody.", "How long will it take?",
    ),
    "de": (
        "Moment mal bitte.", "Nein, das meine ich nicht.", "Entschuldigung, eine Frage.", "Warten Sie kurz.",
        "Das habe ich schon gehört.", "Können Sie das abkürzen?", "Was kostet das denn?", "Ich möchte etwas anderes.",
        "Stopp, das stimmt nicht.", "Haben Sie am Freitag noch etwas frei?",
    ),
    "sv": (
        "Vänta lite.", "Nej, inte den dagen.", "Ursäkta, jag har en fråga.", "Kan du ta det en gång till?",
        "Stopp, det räcker.", "Vad kostar det egentligen?", "Jag vill prata med någon annan.",
    ),
    "en-gb": (
        "Hang on a moment.", "Never mind that.", "Sorry, who am I speaking to?", "Shall we make it Tuesday instead?",
    ),
}  # fmt: skip
BACKCHANNELS: Texts = {
    "en-us": ("uh-huh", "yeah", "okay", "right", "I see", "sure", "aha", "yes", "got it"),
    "de": ("ja", "genau", "aha", "stimmt", "ach so", "okay", "klar", "gut", "richtig"),
    "sv": ("ja", "precis", "okej", "just det", "jaha", "visst", "aha"),
}
HUMS = ((150.0,), (260.0,), (110.0, 160.0), (140.0, 220.0))

SENTENCES = (
    "The practice on Green Street is open from Monday to Friday between nine in the morning and six in the evening",
    "Patients who come for the first time are asked to bring a letter and a list of everything they take at home",
    "The entrance is on the left side of the yard right behind the bakery and there is a lift to the second floor",
    "Parking is possible in the garage under the market square where the first half hour does not cost anything",
    "The laboratory takes blood samples every weekday before ten so please do not eat anything on that morning",
    "Prescriptions can be ordered by telephone and are ready to be picked up on the afternoon of the following day",
    "Appointments that cannot be kept should be cancelled one day ahead so that somebody else may have the place",
    "Bus number twelve stops in front of the town hall and from there it is a walk of about four minutes uphill",
    "Children under the age of twelve are seen on Tuesday and on Thursday when the waiting room has toys and books",
    "Results are sent by letter within ten working days unless the doctor would rather talk to you in person",
    "During the summer holidays the office closes at noon and urgent cases are seen by the practice next door",
    "Visitors are kindly asked to leave wet umbrellas at the door because the floor of the hall gets very slippery",
    "The telephone is busiest early on Monday so a call later in the week will usually be answered much sooner",
    "New spectacles are adjusted without an appointment while repairs of older frames may take up to three weeks",
    "Whoever needs an interpreter should tell us beforehand which language is wanted and how long it may take",
    "The old building keeps cool even in August and there is fresh water for everybody beside the reception desk",
    "Invoices are written at the end of the quarter and may be paid in parts when that has been agreed upon before",
    "Vaccinations against the flu begin in the first week of October and last until the end of the whole year",
)


@frozen(kw_only=True)
class Material:
    """The sounds that trials are made of."""

    speech: tuple[Said, ...]
    short: tuple[Said, ...]
    knocks: tuple[Said, ...]
    crowd: tuple[Said, ...]


def dialogue() -> str:
    """Return a dialogue file by which the assistant talks nearly all the time, and always says the same."""
    text = ". ".join(SENTENCES) + "."
    said = json.dumps("{text}")
    one = ("greeting", "goodbye", "failure", "offer_person", "go_on", "stopped", "try_again", "rate_us", "consent")
    several = {"anything_else": 1, "pardon": 200, "still_there": 1}
    phrases = {
        "yes": 'meaning = "yes"\nphrases = ["affirmative proceed with exactly that arrangement immediately"]',
        "no": 'meaning = "no"\nphrases = ["negative discontinue precisely that arrangement altogether"]',
        "leave": 'phrases = ["disconnect this measurement telephone conversation permanently"]\n'
        f'answer = {said}\naction = "hang_up"',
        "person": 'phrases = ["transfer this measurement telephone conversation elsewhere"]\n'
        f'answer = {said}\naction = "transfer"',
    }
    lines = ['language = "en"', "[facts]", f"text = {json.dumps(text)}", "[prompts]"]
    lines += [f"{key} = {said}" for key in one]
    lines += [f"{key} = [{', '.join([said] * count)}]" for key, count in several.items()]
    for name, body in phrases.items():
        lines += [f"[intents.{name}]", body]
    return "\n".join(lines) + "\n"


def backchannels(count: int, random: np.random.Generator) -> list[Said]:
    """Return up to *count* backchannels of 150 to 700 ms in English, German and Swedish; a third is hummed."""
    said = spoken(BACKCHANNELS, VARIANTS, (130, 230), 150.0, 700.0, count - count // 3, random)
    said += [hum(HUMS[number % len(HUMS)], random) for number in range(count // 3)]
    return [said[at] for at in random.permutation(len(said))]


def material(count: int, random: np.random.Generator) -> Material:
    """Return sounds for about *count* trials of each situation, half of the speech of people where there is any."""
    recorded = people(600.0, 2500.0, count // 2, random)
    synthetic = spoken(INTERRUPTIONS, VARIANTS, (120, 210), 600.0, 2500.0, count - len(recorded), random)
    speech = recorded + synthetic
    names = tuple(KNOCKS)
    return Material(
        speech=tuple(speech[at] for at in random.permutation(len(speech))),
        short=tuple(backchannels(max(12, count), random)),
        knocks=tuple(knock(names[number % len(names)], random) for number in range(max(6, count))),
        crowd=tuple(speech[at] for at in random.permutation(len(speech))[:40]),
    )


def listed(said: Sequence[Said]) -> str:
    """Return what was said, with the shortest and longest of each in milliseconds."""
    by_words: dict[str, list[float]] = {}
    for one in said:
        by_words.setdefault(one.what, []).append(one.ms)
    return ", ".join(f"{what} {min(ms):.0f}–{max(ms):.0f}" for what, ms in sorted(by_words.items()))


def floor(random: np.random.Generator) -> Sound:
    """Return the noise of a line on which nothing happens, whole frames."""
    count = int(FLOOR_S * RATE_HZ)
    return at_level(line_band(random.normal(size=count)), FLOOR_DBFS)


def _noise(name: str, count: int, crowd: Sequence[Said], random: np.random.Generator) -> Sound:
    sound = babble(list(crowd), count, random) if name == "babble" else steady(name, random, count)
    ramp = min(count, int(RAMP_S * RATE_HZ))
    sound[:ramp] *= np.linspace(0.0, 1.0, ramp)
    return sound


@frozen(kw_only=True)
class _Setting:
    """A situation: what is heard beside the sound."""

    name: str
    kind: Kind
    noise: str = ""
    snr_db: float = 0.0
    echo: bool = False
    below_db: float = 0.0
    tail_s: float = 1.0
    wait_s: float = 1.5


class _Maker:
    """Puts sounds into surroundings.

    Args:
        crowd: Voices for babble.
        random: Chooses levels and places.
        patience: Scales the waits.
    """

    def __init__(self, crowd: Sequence[Said], random: np.random.Generator, patience: float) -> None:
        self._crowd = crowd
        self._random = random
        self._patience = patience
        self._floor = floor(random)

    def over(self, said: Said, setting: _Setting) -> Trial:
        """Return the trial in which *said* is said in *setting*."""
        random = self._random
        level = random.uniform(*CALLER_DBFS) - setting.below_db
        sound = at_level(said.sound, level)
        sound[-FADE:] *= np.linspace(1.0, 0.0, FADE)
        surrounded = setting.noise or setting.echo
        ramp, behind = (int(seconds * RATE_HZ) // FRAME for seconds in (RAMP_S, RAMP_S + LEAD_S))
        lead = ((behind + GAP_FRAMES) if surrounded else 2) * FRAME + int(random.integers(FRAME))
        count = lead + len(sound) + int(setting.tail_s * RATE_HZ)
        line = self._line(count, setting.noise, level - setting.snr_db)
        line[lead : lead + len(sound)] += sound
        return self._trial(line, lead, lead + len(sound), said, setting, (ramp, behind) if surrounded else (0, 0))

    def alone(self, setting: _Setting, seconds: float) -> Trial:
        """Return the trial in which nobody speaks: only the noise, *snr_db* below speech, or the echo."""
        level = float(np.mean(CALLER_DBFS)) - setting.snr_db
        line = self._line(int(seconds * RATE_HZ), setting.noise, level)
        what = Said(what=setting.noise or "echo", by="synthesised", sound=line[:0])
        return self._trial(line, 0, len(line), what, setting, (0, 0))

    def burst(self, setting: _Setting) -> Trial:
        """Return the trial of a noise that is there at once, and soon gone."""
        random = self._random
        name = ("white", "car", "music")[random.integers(3)]
        sound = steady(name, random, int(random.uniform(*BURST_S) * RATE_HZ))
        return self.over(Said(what=f"{name} burst", by="synthesised", sound=sound), setting)

    def _line(self, count: int, noise: str, dbfs: float) -> Sound:
        count = -(-count // FRAME) * FRAME
        line = np.resize(np.roll(self._floor, self._random.integers(len(self._floor))), count)
        if noise:
            line = line + 32768 * 10 ** (dbfs / 20) * _noise(noise, count, self._crowd, self._random)
        return line

    def _trial(self, line: Sound, onset: int, end: int, said: Said, setting: _Setting, loop: tuple[int, int]) -> Trial:
        return Trial(
            situation=setting.name,
            kind=setting.kind,
            what=said.what,
            by=said.by,
            pcm=mu_law(line),
            onset=onset,
            end=end,
            wait_s=self._patience * float(self._random.uniform(0.0, setting.wait_s)),
            echo=setting.echo,
            loop=loop,
        )


CLEAR = (
    _Setting(name="clean", kind=Kind.INTERRUPTION),
    _Setting(name="white 20 dB", kind=Kind.INTERRUPTION, noise="white", snr_db=20.0),
    _Setting(name="car 15 dB", kind=Kind.INTERRUPTION, noise="car", snr_db=15.0),
)
"""Real interruptions at 15 dB and better."""

LOUD = tuple(
    _Setting(name=f"{noise} 10 dB", kind=Kind.INTERRUPTION, noise=noise, snr_db=10.0) for noise in ("white", "car")
)
HARD = tuple(
    _Setting(name=f"{noise} {snr_db:g} dB", kind=Kind.INTERRUPTION, noise=noise, snr_db=snr_db)
    for noise in ("babble", "music")
    for snr_db in (10.0, 5.0)
)
ECHOED = _Setting(name="echo -25 dB", kind=Kind.INTERRUPTION, echo=True)
ECHO_ALONE = _Setting(name="echo alone", kind=Kind.NOISE, echo=True)
SHORT = _Setting(name="backchannel", kind=Kind.SHORT)
KNOCK = _Setting(name="cough, click, slam", kind=Kind.SHORT)
BURST = _Setting(name="noise burst", kind=Kind.SHORT, below_db=10.0)
ASIDE = _Setting(name="aside", kind=Kind.ASIDE, below_db=20.0)
ALONE = tuple(
    _Setting(name=f"{noise} alone", kind=Kind.NOISE, noise=noise, snr_db=snr_db, wait_s=0.5)
    for noise, snr_db in (("white", 10.0), ("car", 10.0), ("babble", 15.0), ("music", 15.0))
)


def trials(
    which: str,
    sounds: Material,
    count: int,
    random: np.random.Generator,
    *,
    noise_s: float = NOISE_S,
    patience: float = 1.0,
) -> list[Trial]:
    """Return the trials of a run, in random order.

    Args:
        which: ``"clear"`` for real interruptions at 15 dB and better alone; ``"mixed"`` for the same with
            backchannels, coughs and interruptions at 10 dB; ``"all"`` for everything.
        sounds: What they are made of.
        count: Trials of each situation.
        random: Chooses.
        noise_s: How long a noise without speech lasts.
        patience: Scales how long the assistant is let talk before a trial, beyond a second.
    """
    maker, made = _Maker(sounds.crowd, random, patience), []
    said = [sounds.speech[at % len(sounds.speech)] for at in range(20 * count)]
    talks: Mapping[str, tuple[_Setting, ...]] = {
        "clear": CLEAR,
        "mixed": (*CLEAR, *LOUD),
        "all": (*CLEAR, *LOUD, *HARD, ECHOED, ASIDE),
    }
    for number, setting in enumerate(talks[which]):
        share = count if setting in (*CLEAR, *LOUD) else max(1, count // 2)
        # Each situation begins elsewhere in the same sounds, so that few of them serve many.
        made += [maker.over(said[(at + 7 * number) % len(said)], setting) for at in range(share)]
    if which != "clear":
        made += [maker.over(sounds.short[at % len(sounds.short)], SHORT) for at in range(2 * count)]
        made += [maker.over(sounds.knocks[at % len(sounds.knocks)], KNOCK) for at in range(count)]
    if which == "all":
        made += [maker.burst(BURST) for _ in range(max(1, count // 2))]
        spells = max(1, count // 3)
        made += [maker.alone(setting, noise_s) for setting in ALONE for _ in range(spells)]
        made += [maker.alone(ECHO_ALONE, min(noise_s, ECHO_S)) for _ in range(spells)]
    return [made[at] for at in random.permutation(len(made))]


def dealt(made: Sequence[Trial], calls: int) -> tuple[tuple[Trial, ...], ...]:
    """Return the trials of each of so many calls, as even as cards are dealt."""
    return tuple(tuple(made[number::calls]) for number in range(calls))
