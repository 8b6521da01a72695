"""What a call hears."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tomrt.audio import Ingress, alaw_decode, alaw_encode, resample, ulaw_decode, ulaw_encode
from tomrt.errors import MisuseError


def buzz(rate_hz, seconds):
    """Return a voice of sorts: a 110 Hz pulse train through two resonances."""
    time = np.arange(int(rate_hz * seconds)) / rate_hz
    voice = sum(
        np.sin(2 * np.pi * 110 * k * time) / (1 + ((110 * k - 700) / 150) ** 2)
        + np.sin(2 * np.pi * 110 * k * time) / (1 + ((110 * k - 1900) / 200) ** 2)
        for k in range(1, 31)
    )
    return (6000 * voice / np.abs(voice).max()).astype("<i2").tobytes()


def line(rate_hz):
    """Return half a second of silence, 400 ms of voice, and half a second of silence."""
    silence = bytes(rate_hz)
    return silence + buzz(rate_hz, 0.4) + silence


@pytest.mark.parametrize("rate_hz", [8000, 16000])
def test_a_turn_is_heard(rate_hz):
    """Reports count frames from 0, and mark where the voice begins and ends."""
    ingress = Ingress(rate_hz)
    reports = ingress.push(line(rate_hz))
    assert list(range(70)) == [report.index for report in reports]
    (onset,) = [report.index for report in reports if report.onset]
    (offset,) = [report.index for report in reports if report.offset]
    assert 25 <= onset <= 27
    assert 48 <= offset <= 51
    assert [onset <= report.index < offset for report in reports] == [report.speech for report in reports]
    assert reports[35].probability > 0.9
    assert -30 < reports[35].level_dbfs < -10
    assert (
        reports[5].probability,
        reports[5].level_dbfs,
        reports[5].noise_dbfs,
        reports[5].clipped,
    ) == (0.0, -127.0, -67.0, False)
    assert ingress.received_ms == 1400.0


def test_utterance_is_the_line_at_16_khz():
    """An utterance is the line's span at 16 kHz, wherever the pieces were cut."""
    data = line(8000)
    ingress = Ingress(8000)
    for at in range(0, len(data), 334):
        ingress.push(data[at : at + 334])
    whole = resample(data, 8000, 16000)
    assert whole[500 * 32 : 900 * 32] == ingress.utterance(500, 900)
    assert whole[: len(whole) - 3 * 32] == ingress.utterance(-1e12, 1e12)
    assert ingress.utterance(5000, 6000) == b""
    assert ingress.utterance(100, 100) == b""


def test_utterance_is_clamped_to_the_ring():
    """What the ring no longer holds is left out."""
    ingress = Ingress(16000, ring_s=0.5)
    data = line(16000)
    ingress.push(data)
    assert ingress.oldest_ms == 900.0
    assert data[900 * 32 :] == ingress.utterance(0, 1400)


@settings(max_examples=30)
@given(st.lists(st.integers(0, 700), min_size=1, max_size=60), st.sampled_from([8000, 16000]))
def test_chunked_equals_whole(counts, rate_hz):
    """Reports and audio do not depend on how the network cut the line."""
    data, whole, cut = line(rate_hz), Ingress(rate_hz), Ingress(rate_hz)
    reports, at = [], 0
    for count in counts:
        reports += cut.push(data[at : at + 2 * count])
        at += 2 * count
    assert whole.push(data[:at]) == reports
    assert whole.received_ms == cut.received_ms
    assert whole.utterance(0, 2000) == cut.utterance(0, 2000)


@pytest.mark.parametrize(("codec", "encode"), [("ulaw", ulaw_encode), ("alaw", alaw_encode)])
def test_codecs(codec, encode):
    """A line of G.711 codes gives the reports and the audio of its PCM."""
    data = encode(line(8000))
    coded, plain = Ingress(8000, codec=codec), Ingress(8000)
    decode = {"ulaw": ulaw_decode, "alaw": alaw_decode}[codec]
    assert plain.push(decode(data)) == coded.push(data[:111]) + coded.push(data[111:])
    assert coded.received_ms == plain.received_ms == 1400.0
    assert plain.utterance(0, 1400) == coded.utterance(0, 1400)


def test_view_shows_the_utterance():
    """A view has the samples of the utterance, without a copy."""
    ingress = Ingress(8000)
    ingress.push(line(8000))
    view = ingress.view(500, 900)
    assert ingress.utterance(500, 900) == view.tobytes()
    assert (len(view), view.readonly) == (6400, True)


def test_signal_to_noise():
    """A frame stands out of the noise floor by the difference of their levels, and silence does not."""
    ingress = Ingress(8000)
    reports = ingress.push(line(8000))
    assert reports[35].snr_db == reports[35].level_dbfs - reports[35].noise_dbfs > 20
    assert reports[5].snr_db == 0.0


@pytest.mark.parametrize("wrong", [b"odd", "text", None])
def test_refused_pieces(wrong):
    """What is not whole samples is misuse, and nothing of it counts."""
    ingress = Ingress(8000)
    with pytest.raises(MisuseError):
        ingress.push(wrong)
    assert ingress.received_ms == 0.0


@pytest.mark.parametrize("arguments", [(11025,), (8000, 0.0), (8000, 1e6), (8000, 1.0, "opus")])
def test_refused_arguments(arguments):
    """Rates that are no line's and rings without sense are misuse."""
    with pytest.raises(MisuseError):
        Ingress(*arguments)


@pytest.mark.parametrize("span", [(2.0, 1.0), (float("nan"), 1.0)])
def test_refused_spans(span):
    """A span that ends before it begins is misuse."""
    with pytest.raises(MisuseError, match="does not end before it begins"):
        Ingress(8000).utterance(*span)
