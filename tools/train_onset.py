"""Train the network of the onset detector, on synthetic voices and generated noise alone.

``python -m tools.train_onset`` writes ``tomrt/_dsp/onset_weights.toml`` in a quarter of an hour with the defaults,
the same file for the same arguments, versions and processor. It needs only what tomrt itself needs. The network is
given what the kernel measures (``Vad.trace``), so what is trained is what will run.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from attrs import frozen

from tomrt._dsp.onset_weights import LAYOUT
from tomrt._dsp.vad import Vad
from tools.onset_network import Network, Trainer
from tools.onset_sounds import (
    NOISES,
    RATE_HZ,
    Sound,
    at_level,
    channel,
    companded,
    noise,
    reverberant,
)
from tools.onset_voices import TRAINING, babble, labels, utterances

HOP = RATE_HZ // 100
CALL_S = 14
WINDOW_HOPS = 100
WARM_UP_HOPS = 3
"""The kernel does not ask the network about these."""
SIDE_BY_SIDE = 64
WEIGHTS = Path(__file__).parents[1] / "tomrt" / "_dsp" / "onset_weights.toml"

Random = np.random.Generator


@frozen
class Call:
    """One synthetic call: what the network is given (hops, features), what is true of each hop, and how it counts."""

    given: np.ndarray
    speech: np.ndarray
    weight: np.ndarray


def line(random: Random) -> dict[str, float]:
    """Return the band edges and the tilt of a random line."""
    return {"low_hz": random.uniform(65, 330), "high_hz": random.uniform(2900, 3900), "tilt_db": random.normal(0, 2)}


def dialogue(spoken: list[Sound], random: Random) -> tuple[Sound, np.ndarray]:
    """Return a clean caller, who speaks and pauses, at no particular level, and where speech is."""
    clean, active = np.zeros(CALL_S * RATE_HZ), np.zeros(CALL_S * 100, bool)
    at = int(random.exponential(0.8) * 100) if random.random() < 0.87 else 0
    edges = line(random)
    room = random.random() < 0.4
    while True:
        voice = channel(spoken[random.integers(len(spoken))], **edges)
        voice = at_level(voice, random.normal(-20, 2))
        if room:
            # The tail belongs to the speech: a detector that cuts it off hears pauses where there are none.
            voice = reverberant(np.append(voice, np.zeros(RATE_HZ // 2)), random)
        count = len(voice) // HOP
        if at + count >= len(active):
            return clean, active
        clean[at * HOP : (at + count) * HOP] = voice[: count * HOP]
        active[at : at + count] = labels(voice)
        at += count + int(random.choice([random.uniform(5, 40), random.exponential(100)]))


def background(spoken: list[Sound], random: Random) -> Sound:
    """Return one or two noises, one of which may set in or go away, with an RMS of about 1."""
    count = CALL_S * RATE_HZ
    names = [*NOISES, "white", "white", "car", "car", "car", "street", "music", "music", "tones", *4 * ["babble"]]
    sound = np.zeros(count)
    for share in (1.0, random.choice([0.0, 0.0, 0.5])):
        if share:
            name = names[random.integers(len(names))]
            made = (
                babble(spoken, int(random.integers(3, 9)), count, random)
                if name == "babble"
                else noise(name, random, count)
            )
            sound += share * made / max(float(made.std()), 1e-9)
    if random.random() < 0.25:
        step = random.integers(count)
        sound[:step] *= 10 ** (random.uniform(-30, 10) / 20)
    if random.random() < 0.5:
        sound = channel(sound, **line(random))
    return sound


def incidents(sound: Sound, random: Random) -> Sound:
    """Return *sound* with what a line does by itself: offsets that jump, clicks, dropped packets."""
    kind = random.random()
    at = random.integers(len(sound))
    if kind < 0.08:
        sound[at:] += random.uniform(-8000, 8000)
    elif kind < 0.2:
        for _ in range(6):
            at = random.integers(len(sound) - 80)
            sound[at : at + random.integers(1, 60)] += random.normal(0, 4000)
    elif kind < 0.28:
        for at in random.integers(0, len(sound) - 800, 10):
            sound[at : at + 160 * random.integers(1, 4)] = 0.0
    return sound


def drowned(clean: Sound, behind: Sound) -> np.ndarray:
    """Return for each hop whether a voice is 10 dB below what is behind it, in its low and in its high part."""

    def powers(sound: Sound) -> np.ndarray:
        return np.asarray(np.mean(sound.reshape(-1, HOP) ** 2, axis=1))

    low = powers(clean) < 0.1 * powers(behind)
    return low & (powers(np.diff(clean, prepend=0.0)) < 0.1 * powers(np.diff(behind, prepend=0.0)))


def call(spoken: list[Sound], random: Random) -> Call:
    """Return one call: a caller, or nobody, in some noise at some level over some line."""
    clean, active = dialogue(spoken, random)
    if random.random() < 0.3:
        clean[:], active[:] = 0.0, False
    behind = np.zeros(len(clean))
    if random.random() < 0.88:
        behind = background(spoken, random) * 32768 * 10 ** ((-20 - random.uniform(-2, 32)) / 20)
    sound = clean + behind
    sound = incidents(sound * 10 ** (random.uniform(-20, 8) / 20), random)
    if random.random() < 0.3:
        sound = companded(sound)
    pcm = np.clip(np.round(sound), -32768, 32767).astype("<i2").tobytes()
    given = np.frombuffer(Vad(RATE_HZ).trace(pcm), "<f4").reshape(len(active), -1)
    weight = np.ones(len(active))
    for hop in np.flatnonzero(np.diff(active.astype(int), prepend=0) == 1):
        if not active[max(hop - 20, 0) : hop].any():
            weight[hop : hop + 8] = ONSET_WEIGHT  # what the detector is for: the first moments behind a pause
    weight[active & drowned(clean, behind)] *= DROWNED_WEIGHT
    weight[~active] = SILENCE_WEIGHT
    return Call(given[WARM_UP_HOPS:], active[WARM_UP_HOPS:], weight[WARM_UP_HOPS:])


ONSET_WEIGHT = 4.0
SILENCE_WEIGHT = 1.8
DROWNED_WEIGHT = 0.25
LEAN = np.float32(2.0)
"""Added to the log-odds, so that a probability of about one half is where speech is still held."""


def corpus(calls: int, random: Random) -> Call:
    """Return so many calls side by side: arrays of (hops, calls, ...)."""
    spoken = utterances(TRAINING, 3 * calls, random)
    made = [call(spoken, random) for _ in range(calls)]
    return Call(
        *(
            np.stack([getattr(one, name) for one in made], axis=1).astype(np.float32)
            for name in ("given", "speech", "weight")
        )
    )


def train(data: Call, epochs: int, random: Random) -> Network:
    """Return a network trained on *data*; it takes the features as the kernel gives them."""
    middle, width = data.given.mean(axis=(0, 1)), data.given.std(axis=(0, 1)) + 0.1
    x = (data.given - middle) / width
    hops, calls = x.shape[:2]
    trainer = Trainer(Network.fresh(x.shape[2], random))
    for epoch in range(epochs):
        losses = []
        order = random.permutation(calls)
        for batch in range(0, calls - SIDE_BY_SIDE + 1, SIDE_BY_SIDE):
            chosen = order[batch : batch + SIDE_BY_SIDE]
            h = np.zeros((SIDE_BY_SIDE, trainer.network.state.shape[0]), np.float32)
            for start in range(0, hops, WINDOW_HOPS):
                part = slice(start, start + WINDOW_HOPS)
                progress = (epoch + batch / calls) / epochs
                loss, h = trainer.window(
                    x[part, chosen], data.speech[part, chosen], data.weight[part, chosen], h, progress
                )
                losses.append(loss)
        sys.stdout.write(f"epoch {epoch + 1} of {epochs}: loss {np.mean(losses):.4f}\n")
        sys.stdout.flush()
    found = Network(*trainer.mean)
    found.bias -= (middle / width) @ found.input
    found.input /= width[:, None]
    found.output_bias += LEAN
    return found


def written(network: Network, arguments: str) -> str:
    """Return the weights as TOML."""
    lines = [f"# Made by: python -m tools.train_onset {arguments}".rstrip(), f"layout = {LAYOUT}"]
    for name in ("input", "state", "bias", "output", "output_bias"):
        rows = np.atleast_2d(getattr(network, name))
        lines += [f"{name} = [", *(f"  [{', '.join(f'{number:.6g}' for number in row)}]," for row in rows), "]"]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Train and write, as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tools.train_onset", description=__doc__.partition("\n")[0])
    parser.add_argument("--calls", type=int, default=3840, help=f"synthetic calls of {CALL_S} s (default %(default)s)")
    parser.add_argument("--epochs", type=int, default=45, help="passes over them (default %(default)s)")
    parser.add_argument("--seed", type=int, default=3, help="of everything random (default %(default)s)")
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="file to write (default %(default)s)")
    chosen = parser.parse_args()
    random = np.random.default_rng(chosen.seed)
    data = corpus(chosen.calls, random)
    network = train(data, chosen.epochs, random)
    arguments = f"--calls {chosen.calls} --epochs {chosen.epochs} --seed {chosen.seed}"
    chosen.out.write_text(written(network, arguments), encoding="ascii")


if __name__ == "__main__":
    main()
