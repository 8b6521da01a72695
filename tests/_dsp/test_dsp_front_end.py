"""All of ingress in one call."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from signals import cuts_strategy, pcm, pieces, sine, vowel, white

from tomrt._dsp import g711
from tomrt._dsp.front_end import FrontEnd, Window
from tomrt._dsp.resample import Resampler
from tomrt._dsp.vad import Vad

RATES = pytest.mark.parametrize("rate_hz", [8000, 16000])


def field(report, at, bits):
    """Return one field of a packed report."""
    return report >> at & (1 << bits) - 1


def call(rate_hz, seed=0):
    """Return a second of a call: noise, a voice, noise."""
    parts = [white(-55, rate_hz, 0.4, seed), vowel(rate_hz, 0.3), white(-55, rate_hz, 0.31, seed + 1)]
    return pcm(np.concatenate(parts))


@RATES
def test_reports_are_the_detectors(rate_hz):
    """Decision, onset, offset and probability of a frame are those of its two hops."""
    data = call(rate_hz)
    hops, reports = Vad(rate_hz).push(data), FrontEnd(rate_hz).push(data)
    assert len(reports) == len(hops) // 2 == 50
    before = False
    for index, report in enumerate(reports):
        (first, early), (second, late) = hops[2 * index : 2 * index + 2]
        assert late == bool(field(report, 0, 1))
        assert (not before and (early or late)) == bool(field(report, 1, 1))
        assert ((before and not (early and late)) or (early and not late)) == bool(field(report, 2, 1))
        assert round(max(first, second) * 255) == field(report, 4, 8)
        before = late
    assert sum(field(report, 1, 1) for report in reports) == 1
    assert sum(field(report, 2, 1) for report in reports) == 1


def test_levels():
    """A frame's level and the floor are whole decibels below full scale, and clipping is seen."""
    tone = FrontEnd(8000).push(pcm(sine(1000, 8000, 0.02, 3276.7)))
    assert (field(tone[0], 12, 7), field(tone[0], 3, 1)) == (23, 0)
    (silence,) = FrontEnd(8000).push(bytes(320))
    assert (field(silence, 12, 7), field(silence, 19, 7)) == (127, 67)
    loud = FrontEnd(8000).push(pcm(sine(1000, 8000, 0.04, 40000.0)))
    assert [field(report, 3, 1) for report in loud] == [1, 1]
    noisy = FrontEnd(8000).push(pcm(white(-40, 8000, 2.0, 1)))
    assert abs(field(noisy[-1], 19, 7) - 41) <= 2


def test_ring_holds_the_resampled_line():
    """The ring has the line at 16 kHz, in its place, 3 ms behind; a 16 kHz line is kept as it is."""
    data = call(8000)
    front_end = FrontEnd(8000)
    front_end.push(data)
    stream = Resampler(8000, 16000)
    expected = stream.process(data)
    assert len(expected) // 2 == front_end.position == len(data) - 48
    assert (0, expected) == front_end.read(0, front_end.position)
    assert (1000, expected[2000:2468]) == front_end.read(1000, 1234)
    wide = FrontEnd(16000)
    wide.push(data)
    assert (0, data) == wide.read(0, 1 << 40)


def test_ring_forgets_the_oldest():
    """A full ring keeps its last seconds and says where they begin."""
    front_end = FrontEnd(16000, 0.1)
    data = pcm(np.arange(5000.0))
    front_end.push(data)
    assert (front_end.capacity, front_end.position, front_end.oldest) == (1600, 5000, 3400)
    assert (3400, data[6800:]) == front_end.read(0, 5000)
    assert (4000, data[8000:8002]) == front_end.read(4000, 4001)
    assert b"" == front_end.read(0, 3400)[1] == front_end.read(4000, 4000)[1] == front_end.read(9000, 9999)[1]
    assert front_end.read(4500, 4000)[1] == b""


def test_default_ring_holds_an_utterance():
    """Without saying so, one gets a ring for at least 32 s."""
    assert FrontEnd(8000).capacity >= 32 * 16000


@settings(max_examples=40)
@given(st.integers(0, 1000), cuts_strategy, st.sampled_from([8000, 16000]))
def test_chunked_equals_whole(seed, cuts, rate_hz):
    """Reports and ring are the same bits however the line was cut."""
    data = call(rate_hz, seed)
    whole, cut = FrontEnd(rate_hz, 0.5), FrontEnd(rate_hz, 0.5)
    assert whole.push(data) == [report for piece in pieces(data, cuts) for report in cut.push(piece)]
    assert (whole.frames, whole.position, whole.oldest) == (cut.frames, cut.position, cut.oldest)
    assert whole.read(0, 1 << 40) == cut.read(0, 1 << 40)


@given(st.lists(st.integers(0, 700), max_size=30), st.integers(-10, 20_000), st.integers(-10, 20_000))
def test_ring_is_the_end_of_the_line(counts, start, stop):
    """Whatever was pushed and is asked for, the ring answers with exactly what it should still hold."""
    front_end, line = FrontEnd(16000, 0.1), b""
    for number, count in enumerate(counts):
        data = pcm(np.full(count, float(number)))
        front_end.push(data)
        line += data
    first, heard = front_end.read(start, stop)
    oldest = max(len(line) // 2 - 1600, 0)
    assert max(start, oldest) == first
    assert line[2 * first : max(2 * stop, 0)] == heard


@pytest.mark.parametrize("codec", ["ulaw", "alaw"])
@RATES
def test_codecs(rate_hz, codec):
    """A line of G.711 codes is heard as the PCM that they mean, however it is cut, also at odd bytes."""
    codes = getattr(g711, f"{codec}_encode")(call(rate_hz))
    coded, plain = FrontEnd(rate_hz, 2.0, codec), FrontEnd(rate_hz, 2.0)
    heard = [report for at in range(0, len(codes), 333) for report in coded.push(codes[at : at + 333])]
    assert heard == plain.push(getattr(g711, f"{codec}_decode")(codes))
    assert coded.read(0, 1 << 40) == plain.read(0, 1 << 40)
    assert (coded.codec, coded.received, coded.speech) == (codec, len(codes), plain.speech)


def test_view_is_the_ring_itself():
    """A view copies nothing, cannot be written, spans the ring's end, and stays readable without its front end."""
    front_end = FrontEnd(16000, 0.1)
    data = pcm(np.arange(4000.0))
    front_end.push(data)
    first, view = front_end.view(2500, 3900)
    assert (first, view.format, view.shape, view.readonly) == (2500, "h", (1400,), True)
    assert data[5000:7800] == view.tobytes()
    with pytest.raises(TypeError):
        view[0] = 1
    assert np.shares_memory(np.asarray(view), np.asarray(front_end.view(3000, 3100)[1]))
    front_end.push(pcm(np.full(1600, 7.0)))
    assert set(view) == {7}
    del front_end
    assert len(view.tobytes()) == 2800


def test_views_of_nothing():
    """Where nothing is held there is an empty view."""
    front_end = FrontEnd(8000)
    first, view = front_end.view(0, 99)
    assert (first, view.tobytes()) == (0, b"")
    front_end.push(bytes(3200))
    for start, stop in ((500, 400), (1 << 40, 1 << 41), (-9, -3)):
        assert len(front_end.view(start, stop)[1]) == 0


def test_windows_are_only_looked_at():
    """Nobody makes a window up, and nobody may write to one."""
    with pytest.raises(TypeError):
        Window()


@pytest.mark.parametrize("codec", ["", "g722", "PCM16"])
def test_refused_codecs(codec):
    """A codec that is not known is refused."""
    with pytest.raises(ValueError, match="pcm16, ulaw or alaw, not"):
        FrontEnd(8000, 1.0, codec)


@pytest.mark.parametrize("arguments", [(44100,), (0,), (8000, 0.0), (8000, float("nan")), (8000, 1e9), (8000, -1.0)])
def test_refused_arguments(arguments):
    """Rates that are no line's and rings without sense are refused."""
    with pytest.raises(ValueError, match=r"8000 or 16000|0\.1 to 3600"):
        FrontEnd(*arguments)


def test_nothing_is_taken_of_a_bad_push():
    """An odd piece leaves the front end as it was."""
    data = call(8000)
    front_end, other = FrontEnd(8000), FrontEnd(8000)
    front_end.push(data[:700])
    with pytest.raises(ValueError, match="even number"):
        front_end.push(data[700:1401])
    assert other.push(data)[2:] == front_end.push(data[700:])


def test_evidence_is_the_networks():
    """Evidence is in every report: little for silence, all there is for a vowel, and more than one unsure hop has."""
    quiet = FrontEnd(8000).push(bytes(16000))
    assert {field(report, 26, 6) for report in quiet} == {0}
    front_end = FrontEnd(8000)
    front_end.push(pcm(white(-60, 8000, 1.0, 1)))
    loud = front_end.push(pcm(vowel(8000, 0.3)))
    assert max(field(report, 26, 6) for report in loud) > 4 * (8 + 3)
    assert all(report < 1 << 32 for report in loud)


def test_timbre():
    """A vowel is periodic, noise is not, and six bands around their mean say where the energy is."""
    front_end = FrontEnd(8000)
    front_end.push(pcm(vowel(8000, 0.3)))
    *bands, periodicity, change = front_end.timbre
    assert len(bands) == 6
    assert abs(sum(bands)) < 0.01
    assert periodicity > 0.7
    assert 0 <= change <= 1
    front_end.push(pcm(white(-30, 8000, 0.3, 1)))
    assert front_end.timbre[6] < 0.6
    assert max(front_end.timbre[:6]) < 6
