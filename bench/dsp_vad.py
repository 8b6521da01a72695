"""The onset detector beside webrtcvad and Silero v6: latency, false triggers, ROC area, cost, on the same calls.

Speech is recorded where recordings are there (Debian's ``asterisk-core-sounds-{en,es,fr,it}-wav`` and the clip in
``shared/speech``), and otherwise eSpeak's, from voices and languages that training never heard.
A detector's answer counts from the end of the 10 ms in which it had all the samples it needed.
"""

from __future__ import annotations

import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bench.report import Row, generator, interleaved
from tomrt._dsp.vad import Vad
from tomrt.audio import resample
from tomrt.audio.confirm import Confirm
from tools.onset_sounds import NOISES, RATE_HZ, Sound
from tools.onset_trial import Labelled, area_under_roc, figures, mixture, noise_only
from tools.onset_voices import TRIAL, utterances

try:
    import webrtcvad
except ImportError:
    webrtcvad = None

__all__ = ["rows"]

PROMPTS = Path("/usr/share/asterisk/sounds")
SPEAKERS = ("en_US_f_Allison", "es_MX_f_Allison", "fr_CA_f_June", "it_IT_m_Carlo")
CLIP = Path(__file__).parents[2] / "shared" / "speech" / "jfk_8k.wav"
CONDITIONS = (("clean", 0.0), ("white", 10.0), ("car", 10.0), ("babble", 10.0))
NO_SPEECH = {"tone", "beep", "silence", "monkeys", "dir-", "letters"}
SILERO_EARLY, SILERO_DEFAULT = 0.1, 0.5


def _read(path: Path) -> Sound:
    with wave.open(str(path)) as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(float)


def speech(count: int, random: np.random.Generator) -> list[Sound]:
    """Return about *count* utterances of people, or of held-out synthetic voices where no recordings are installed."""
    found: list[Sound] = []
    for speaker in SPEAKERS:
        paths = sorted(
            path
            for path in (PROMPTS / speaker).rglob("*.wav")
            if not any(word in path.name for word in NO_SPEECH) and 8_000 < path.stat().st_size < 80_000
        )
        found += [_read(paths[at]) for at in random.permutation(len(paths))[: count // len(SPEAKERS)]]
    if found and CLIP.exists():
        found.append(_read(CLIP))
    return found or utterances(TRIAL, count, random)


def silero(trial: Labelled) -> np.ndarray:
    """Return Silero's probability at the end of each 10 ms, from the hops of 32 ms that were complete by then."""
    likely = [0.0, *Confirm().push(resample(trial.pcm, RATE_HZ, 16000))]
    complete = np.arange(1, len(trial.speech) + 1) * 160 // 512
    return np.asarray(likely)[np.minimum(complete, len(likely) - 1)]


def onset(trial: Labelled) -> tuple[np.ndarray, np.ndarray]:
    """Return the onset detector's probability and its decision per 10 ms."""
    heard = np.array(Vad(RATE_HZ).push(trial.pcm))
    return heard[:, 0], heard[:, 1].astype(bool)


def webrtc(trial: Labelled) -> np.ndarray | None:
    """Return webrtcvad's decision (mode 3, frames of 20 ms) per 10 ms, or ``None`` where it is not installed."""
    if webrtcvad is None:
        return None
    vad = webrtcvad.Vad(3)
    frames = [trial.pcm[at : at + 320] for at in range(0, len(trial.pcm) - 319, 320)]
    heard = [vad.is_speech(frame, RATE_HZ) for frame in frames]
    # The first half of a frame does not know yet.
    return np.array(
        [decision for before, now in zip([False, *heard[:-1]], heard, strict=True) for decision in (before, now)]
    )


def _condition(name: str, snr_db: float, spoken: list[Sound], random: np.random.Generator) -> list[Row]:
    """Return the rows of one noise."""
    trial = mixture(spoken, name, snr_db, random)
    likely, decided = onset(trial)
    probability = silero(trial)
    ours, early = figures(trial, decided), figures(trial, probability >= SILERO_EARLY)
    slow = figures(trial, probability >= SILERO_DEFAULT)
    title = name if name == "clean" else f"{name} {snr_db:.0f} dB"
    promised = name in {"white", "car"}
    noisy = name != "babble"
    made = [
        Row(f"onset p50, {title}", ours.p50_ms, "ms", peer="Silero v6 at .1", peer_value=early.p50_ms),
        Row(
            f"onset p95, {title}", ours.p95_ms, "ms", peer="Silero v6 at .1", peer_value=early.p95_ms,
            bound=1.0 if promised else None, aim=0.6 if promised else None,
        ),
        Row(f"onset p95, {title}, default", ours.p95_ms, "ms", peer="Silero v6 at .5", peer_value=slow.p95_ms),
        Row(
            f"false triggers, {title}", ours.false_per_minute, "1/min", peer="Silero v6 at .1",
            peer_value=early.false_per_minute, bound=1.0 if promised else None, compare="value" if promised else "",
        ),
        Row(f"false triggers, {title}, default", ours.false_per_minute, "1/min", peer="Silero v6 at .5",
            peer_value=slow.false_per_minute),
        Row(f"on in pauses, {title}", 100 * ours.false_share, "%", peer="Silero v6 at .1",
            peer_value=100 * early.false_share),
        Row(
            f"ROC area, {title}", area_under_roc(trial, likely), "", peer="Silero v6",
            peer_value=area_under_roc(trial, probability), better="higher", compare="value",
            aim=0.97 if promised else None, bound=0.9 if noisy else None,
        ),
    ]  # fmt: skip
    rival = webrtc(trial)
    theirs = None if rival is None else figures(trial, rival)
    pairs = (
        ("onset p95", "ms", ours.p95_ms, "p95_ms"),
        ("false triggers", "1/min", ours.false_per_minute, "false_per_minute"),
    )
    for what, unit, value, field in pairs:
        peer_value = None if theirs is None else float(getattr(theirs, field))
        made.append(Row(f"{what}, {title}, webrtc", value, unit, peer="webrtcvad m3", peer_value=peer_value))
    return made


def _noise_alone(seconds: float, random: np.random.Generator) -> list[Row]:
    """Return the triggers per minute in noises at -32 dBFS in which nobody speaks."""
    made = []
    for name in NOISES:
        trial = noise_only(name, seconds, random)
        stationary = name in {"white", "pink", "brown", "car", "hum"}
        made.append(
            Row(
                f"false triggers, {name} alone", figures(trial, onset(trial)[1]).false_per_minute, "1/min",
                peer="Silero v6 at .1", peer_value=figures(trial, silero(trial) >= SILERO_EARLY).false_per_minute,
                bound=1.0 if stationary else None, compare="value",
            )
        )  # fmt: skip
    return made


def _cost(trial: Labelled, quick: bool) -> list[Row]:
    """Return the time per 20 ms of speech in noise, from Python."""
    frames = [trial.pcm[at : at + 320] for at in range(0, min(len(trial.pcm), 320_000) - 319, 320)]
    vad, confirm = Vad(RATE_HZ), Confirm()
    wide = [bytes(640) for _ in frames[:64]]

    def over(push: Callable[[bytes], object], pieces: list[bytes]) -> Callable[[], None]:
        def all_of_them() -> None:
            for piece in pieces:
                push(piece)

        return all_of_them

    candidates = {"onset": over(vad.push, frames), "silero": over(confirm.push, wide)}
    if webrtcvad is not None:
        rival = webrtcvad.Vad(3)
        candidates["webrtcvad"] = over(lambda frame: rival.is_speech(frame, RATE_HZ), frames)
    seconds = interleaved(candidates, repeats=5 if quick else 15, inner=1)
    micro = {name: 1e6 * took / len(wide if name == "silero" else frames) for name, took in seconds.items()}
    return [
        Row("onset detector", micro["onset"], "µs/20 ms", peer="webrtcvad m3", peer_value=micro.get("webrtcvad"),
            bound=5.0, aim=2.0, compare="value"),
        Row("confirming detector", micro["silero"], "µs/20 ms", peer="onset", peer_value=micro["onset"]),
    ]  # fmt: skip


def rows(quick: bool) -> list[Row]:
    """Measure: five minutes of calls per noise, or one and a half with *quick*."""
    random = generator()
    spoken = speech(60 if quick else 240, random)
    made = [row for name, snr_db in CONDITIONS for row in _condition(name, snr_db, spoken, random)]
    made += _noise_alone(30.0 if quick else 120.0, random)
    return made + _cost(mixture(spoken[:20], "white", 10.0, random), quick)
