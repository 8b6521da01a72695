"""The caller while we speak: heard at once, over our own echo too, and not in noise."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from attrs import evolve
from caller_lines import LEAD_S, after, caller, listen, noise, samples, sixteen_bits
from spoken_sentences import OURS, THEIRS, spoken

from tomrt.audio import SENSITIVITIES, Ingress, Overhearing, resample, sensitivity
from tomrt.errors import MisuseError


def onset_s() -> float:
    """Return where the sentence of :func:`caller` begins."""
    sentence = np.frombuffer(spoken(THEIRS), "<i2")
    return LEAD_S + float(np.flatnonzero(np.abs(sentence) > 300)[0]) / 8000


@pytest.mark.parametrize("floor_dbfs", [-60.0, -42.0, -37.0, -32.0])
def test_a_caller_is_heard_soon(floor_dbfs):
    """A sentence is found within 80 ms of the arrival of its first frame, down to 10 dB over white noise."""
    pcm = caller(floor_dbfs=floor_dbfs)
    heard = listen(pcm)
    assert not any(sound.speech for sound in heard.sounds[: int(50 * LEAD_S)])
    assert heard.first_ms(onset_s()) <= 80


def test_at_sixteen_kilohertz():
    """A line of 16 kHz is heard as soon."""
    pcm = caller()
    assert listen(resample(pcm, 8000, 16000), rate_hz=16000).first_ms(onset_s()) <= 80


@pytest.mark.parametrize("dbfs", [-60.0, -45.0, -30.0])
def test_steady_noise_is_nobody(dbfs):
    """Half a minute of white noise is not speech, and does not sound."""
    heard = listen(sixteen_bits(noise(dbfs, 30.0)))
    assert heard.yields == 0
    assert not any(sound.sounding for sound in heard.sounds)


def test_our_own_echo_is_nobody():
    """The bot's voice given back 25 dB fainter, late and band-limited by mu-law is not the caller's."""
    ours = samples(spoken(OURS), -18.0)
    for delay_ms in (20, 140, 300):
        back = after(ours * 10 ** (-25 / 20), delay_ms / 1000, len(ours) / 8000)
        line = sixteen_bits(back + noise(-66.0, len(back) / 8000 + 1)[: len(back)])
        heard = listen(line, ours.astype("<i2").tobytes())
        assert heard.yields == 0, delay_ms
        assert np.median([sound.echo for sound in heard.sounds if sound.echo]) > 0.6


def test_a_caller_over_our_echo():
    """Who speaks over the bot's echo is heard."""
    ours = np.tile(samples(spoken(OURS), -18.0), 2)[: 5 * 8000]
    back = after(ours * 10 ** (-25 / 20), 0.14, 5.0)
    line = sixteen_bits(after(samples(spoken(THEIRS), -22.0), LEAD_S, 5.0) + back + noise(-60.0, 5.0))
    heard = listen(line, ours.astype("<i2").tobytes())
    assert not any(sound.speech for sound in heard.sounds[: int(50 * LEAD_S)])
    assert heard.first_ms(onset_s()) <= 120


def test_the_end_of_a_word():
    """Sound is over within 60 ms of the end of a word, speech within 200 ms, and not before the sound."""
    word = samples(spoken(THEIRS), -22.0)
    stop = int(np.flatnonzero(np.abs(word[:6400]) > 2000)[-1])  # cut off while it is loud
    heard = listen(sixteen_bits(after(word[:stop], LEAD_S, 4.0) + noise(-60.0, 4.0)))
    end = int(50 * (LEAD_S + stop / 8000)) + 1
    sounding = [sound.sounding for sound in heard.sounds]
    speech = [sound.speech for sound in heard.sounds]
    assert speech[end]
    assert not any(sounding[end + 3 :])
    assert not any(speech[end + 10 :])
    assert all(spoken_too for sounds, spoken_too in zip(sounding, speech, strict=True) if sounds)


def test_a_restless_background_is_learnt():
    """Talk in the background makes the detector careful: far fewer of it passes than on a line that seems calm."""
    crowd = np.zeros(20 * 8000)
    for number in range(6):
        voice = samples(spoken(THEIRS if number % 2 else OURS, f"en-us+{'mf'[number % 2]}{1 + number // 2}"), -40.0)
        crowd += np.roll(np.tile(voice, 60)[: len(crowd)], 7919 * number)
    line = sixteen_bits(crowd + noise(-66.0, 20.0))
    assert listen(line).yields <= 3


def test_a_knock_makes_no_line_restless():
    """Who speaks after two knocks in noise is heard as soon as without them."""
    knock = np.random.default_rng(5).normal(0, 9000, 400) * np.exp(-np.arange(400) / 60)
    line = np.frombuffer(caller(floor_dbfs=-45.0), "<i2").astype(float)
    for at_s in (0.8, 1.3):
        line[int(8000 * at_s) :][:400] += knock
    assert listen(sixteen_bits(line)).first_ms(onset_s()) <= 80


def test_a_closure_sounds():
    """The closure of a stop within a word is no silence: what goes on behind it still sounds."""
    word = samples(spoken(THEIRS), -22.0)[:6400]
    begin = int(np.flatnonzero(np.abs(word) > 300)[0])
    stop = begin + 1600 + int(np.argmax(np.abs(word[begin + 1600 : begin + 3200])))
    gapped = np.concatenate([word[:stop], word[stop : stop + 400] * 0.02, word[stop:]])
    heard = listen(sixteen_bits(after(gapped, LEAD_S, 4.0) + noise(-45.0, 4.0)))
    frame = int(50 * (LEAD_S + stop / 8000))
    assert all(sound.sounding for sound in heard.sounds[frame - 2 : frame + 5])


def test_silero_is_asked_about_what_stands_out():
    """A voice that the detector takes for nothing is found by Silero, which costs it 300 ms at most."""
    pytest.importorskip("onnxruntime", reason="needs onnxruntime")
    pytest.importorskip("faster_whisper.vad", reason="needs the model in faster-whisper")
    deaf = evolve(sensitivity("mittel"), calm=9.0, restless=9.0)
    ingress = Ingress(8000)
    overhearing, pcm = Overhearing(ingress, sensitivity=deaf), caller()
    speech = []
    for at in range(0, len(pcm), 320):
        (report,) = ingress.push(pcm[at : at + 320])
        overhearing.sent(bytes(320))
        speech.append(overhearing.frame(report, pcm[at : at + 320], bot_audible=True).speech)
    found_ms = 20 * (speech.index(True) - int(onset_s() * 50))
    assert 0 < found_ms <= 300


@pytest.mark.parametrize("word", ["sehr_niedrig", "niedrig", "mittel", "hoch"])
def test_sensitivities(word):
    """Every word of the operator's setting hears a clear sentence within its first 400 ms."""
    pcm = caller()
    assert listen(pcm, word=word).first_ms(onset_s()) <= 400


def test_sensitivities_are_in_order():
    """The more sensitive, the less evidence is asked for."""
    knobs = [SENSITIVITIES[word] for word in ("hoch", "mittel", "niedrig", "sehr_niedrig")]
    for more, less in pairwise(knobs):
        assert (more.calm, more.restless, more.restless_voice) < (less.calm, less.restless, less.restless_voice)
        assert more.calm < more.restless
        assert more.voice <= less.voice


def test_no_such_sensitivity():
    """Another word is a mistake, and the sentence names the four."""
    with pytest.raises(MisuseError, match="sehr_niedrig, niedrig, mittel, hoch"):
        sensitivity("medium")


@pytest.mark.parametrize("pcm", [b"", bytes(318), b"odd", "text"])
def test_what_is_no_frame(pcm):
    """What is not 20 ms of samples is refused."""
    ingress = Ingress(8000)
    overhearing = Overhearing(ingress, silero=False)
    (report,) = ingress.push(bytes(320))
    with pytest.raises(MisuseError):
        overhearing.frame(report, pcm, bot_audible=True)


def test_nobody_looked():
    """Without Silero the voice is unknown, and everything else goes on."""
    heard = listen(caller())
    assert {sound.voice for sound in heard.sounds} == {0.5}
    assert heard.yields
