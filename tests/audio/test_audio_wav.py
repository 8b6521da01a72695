"""WAV files in and out."""

from __future__ import annotations

import io
import struct
import wave

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tomrt.audio import Wav, alaw_encode, parse_wav, read_wav, ulaw_encode, write_wav
from tomrt.errors import MisuseError, ProtocolError

SAMPLES = np.array([0, 1, -1, 256, -256, 12800, -12800, 32512, -32768], dtype="<i2")


def riff(data, *, tag=1, channels=1, rate_hz=8000, bits=16, extra=b"", before=b"", claims=None):
    """Return the bytes of a WAV file."""
    width = channels * bits // 8
    layout = struct.pack("<HHIIHH", tag, channels, rate_hz, rate_hz * width, width, bits) + extra
    claims = len(data) if claims is None else claims
    body = before + struct.pack("<4sI", b"fmt ", len(layout)) + layout + struct.pack("<4sI", b"data", claims) + data
    return struct.pack("<4sI4s", b"RIFF", 4 + len(body), b"WAVE") + body


def test_round_trip(tmp_path):
    """What is written is read again, and the standard library agrees with it."""
    path = tmp_path / "sound.wav"
    write_wav(path, SAMPLES.tobytes(), 22050)
    assert Wav(SAMPLES.tobytes(), 22050) == read_wav(path) == read_wav(str(path))
    with wave.open(str(path)) as file:
        assert (1, 2, 22050, len(SAMPLES)) == file.getparams()[:4]


def test_write_to_a_file_object():
    """An open file is as good as a path, and stays open."""
    file = io.BytesIO()
    write_wav(file, SAMPLES.tobytes(), 8000)
    assert Wav(SAMPLES.tobytes(), 8000) == parse_wav(file.getvalue())


@pytest.mark.parametrize(
    ("data", "bits"),
    [
        (((SAMPLES.astype(int) >> 8) + 128).astype(np.uint8).tobytes(), 8),
        (SAMPLES.tobytes(), 16),
        (b"".join((int(s) * 256).to_bytes(3, "little", signed=True) for s in SAMPLES), 24),
        ((SAMPLES.astype("<i4") * 65536).tobytes(), 32),
    ],
)
def test_widths(data, bits):
    """PCM of 8, 16, 24 and 32 bits comes out as 16."""
    expected = SAMPLES.astype(int) >> 8 << 8 if bits == 8 else SAMPLES
    assert expected.tolist() == np.frombuffer(parse_wav(riff(data, bits=bits)).pcm, "<i2").tolist()


def test_wide_samples_are_rounded():
    """Of 24 and 32 bits the nearest 16 are kept, within the scale."""
    wide = riff(np.array([0x7FFFFFFF, 0x8000, 0x7FFF, -0x8001, -0x80000000], dtype="<i4").tobytes(), bits=32)
    assert np.frombuffer(parse_wav(wide).pcm, "<i2").tolist() == [32767, 1, 0, -1, -32768]


@pytest.mark.parametrize(("tag", "encode"), [(7, ulaw_encode), (6, alaw_encode)])
def test_companded(tag, encode):
    """Companded files are decoded; encoding the result gives the file again, but for mu-law's negative zero."""
    codes = encode(SAMPLES.tobytes())
    sound = parse_wav(riff(codes, tag=tag, bits=8, extra=b"\0\0"))
    assert codes.replace(b"\x7f", b"\xff") == encode(sound.pcm)
    assert sound.rate_hz == 8000
    assert sound.seconds == 9 / 8000


def test_extensible():
    """The extensible header says the real format further down."""
    extra = struct.pack("<HHIH", 22, 16, 0, 1) + bytes(14)
    assert SAMPLES.tobytes() == parse_wav(riff(SAMPLES.tobytes(), tag=0xFFFE, extra=extra)).pcm


def test_stereo():
    """Stereo becomes the mean, or the left channel where that is asked for; half a pair at the end is dropped."""
    pairs = riff(np.array([100, 200, -32768, -32768, 32767, 32767, 5], dtype="<i2").tobytes(), channels=2)
    assert np.frombuffer(parse_wav(pairs).pcm, "<i2").tolist() == [150, -32768, 32767]
    assert np.frombuffer(parse_wav(pairs, left_only=True).pcm, "<i2").tolist() == [100, -32768, 32767]


def test_other_chunks_are_passed_over():
    """Chunks of other kinds, with their padding byte, stand in nobody's way."""
    before = struct.pack("<4sI", b"LIST", 3) + b"abc\0"
    assert SAMPLES.tobytes() == parse_wav(riff(SAMPLES.tobytes(), before=before)).pcm


@pytest.mark.parametrize("claims", [0xFFFFFFFF, 1000, 18])
def test_streamed_files_end_where_they_end(claims):
    """A data chunk that claims more than there is, as a streamed or broken-off file does, ends with the file."""
    assert SAMPLES.tobytes() == parse_wav(riff(SAMPLES.tobytes(), claims=claims)).pcm


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "does not begin with RIFF"),
        (b"ID3\x04" + bytes(100), "does not begin with RIFF"),
        (riff(b"")[:12], "no format chunk"),
        (riff(b"")[:36], "no data chunk"),
        (b"RIFF\0\0\0\0WAVEfmt \4\0\0\0\1\0\1\0data\0\0\0\0", "format chunk of 4 bytes"),
        (riff(bytes(8), tag=3, bits=32), "format 3 with 32 bits"),
        (riff(bytes(8), tag=85, bits=0), "format 85 with 0 bits"),
        (riff(bytes(8), bits=12), "format 1 with 12 bits"),
        (riff(bytes(8), channels=6), "6 channels"),
        (riff(bytes(8), channels=0), "0 channels"),
        (riff(bytes(8), rate_hz=0), "0 samples per second"),
    ],
)
def test_refused_files(tmp_path, content, words):
    """What cannot be read is refused in one sentence that names the file and the fault."""
    path = tmp_path / "broken.wav"
    path.write_bytes(content)
    with pytest.raises(ProtocolError, match=f"broken.wav .*{words}"):
        read_wav(path)


@given(st.binary(max_size=120), st.integers(0, 60))
def test_any_bytes(noise, at):
    """No bytes make the reader fail in another way than it says."""
    content = riff(SAMPLES.tobytes())
    for broken in (noise, content[:at] + noise, content[:at] + noise + content[at + len(noise) :]):
        try:
            sound = parse_wav(broken)
        except ProtocolError:
            continue
        assert len(sound.pcm) % 2 == 0
        assert sound.rate_hz > 0


@pytest.mark.parametrize(("pcm", "rate_hz"), [(b"odd", 8000), (b"even", 0)])
def test_refused_sounds(tmp_path, pcm, rate_hz):
    """Half a sample or no rate is misuse, and no file is made."""
    with pytest.raises(MisuseError, match="not 16-bit PCM"):
        write_wav(tmp_path / "none.wav", pcm, rate_hz)
    assert list(tmp_path.iterdir()) == []
