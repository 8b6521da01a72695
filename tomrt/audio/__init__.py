"""Audio in plain calls: ingress, resampling, framing, fades, companding, WAV files and quality."""

from tomrt._dsp.g711 import alaw_decode, alaw_encode, ulaw_decode, ulaw_encode
from tomrt._dsp.meter import Level, Meter, measure
from tomrt.audio.fading import fade_in, fade_out, fade_samples
from tomrt.audio.framing import FRAME_MS, Framer, frame_bytes
from tomrt.audio.ingress import LISTEN_HZ, FrameReport, Ingress
from tomrt.audio.quality import Quality, analyse
from tomrt.audio.resampling import Resampler, resample
from tomrt.audio.wav import Wav, parse_wav, read_wav, write_wav

__all__ = [
    "FRAME_MS",
    "LISTEN_HZ",
    "FrameReport",
    "Framer",
    "Ingress",
    "Level",
    "Meter",
    "Quality",
    "Resampler",
    "Wav",
    "alaw_decode",
    "alaw_encode",
    "analyse",
    "fade_in",
    "fade_out",
    "fade_samples",
    "frame_bytes",
    "measure",
    "parse_wav",
    "read_wav",
    "resample",
    "ulaw_decode",
    "ulaw_encode",
    "write_wav",
]
