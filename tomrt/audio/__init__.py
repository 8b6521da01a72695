"""Audio in plain calls: what comes in, what goes out, and what is done to either.

The confirming stage of voice activity stands apart, in ``tomrt.audio.confirm``: whoever makes one loads onnxruntime.
"""

from tomrt._dsp.g711 import alaw_decode, alaw_encode, ulaw_decode, ulaw_encode
from tomrt._dsp.meter import Level, Meter, measure
from tomrt.audio.concealment import Concealer
from tomrt.audio.dtmf import Digit, DtmfDetector, dtmf
from tomrt.audio.echo import EchoReference, Similarity
from tomrt.audio.fading import fade_in, fade_out, fade_samples, gain
from tomrt.audio.framing import FRAME_MS, Framer, frame_bytes
from tomrt.audio.ingress import LISTEN_HZ, Codec, FrameReport, Ingress, Timbre
from tomrt.audio.jitter import JitterBuffer, JitterCounts
from tomrt.audio.overlap import SENSITIVITIES, Overhearing, Sensitivity, SensitivityName, sensitivity
from tomrt.audio.packets import PacketIngress
from tomrt.audio.quality import Quality, analyse
from tomrt.audio.resampling import Resampler, resample
from tomrt.audio.wav import Wav, parse_wav, read_wav, write_wav

__all__ = [
    "FRAME_MS",
    "LISTEN_HZ",
    "SENSITIVITIES",
    "Codec",
    "Concealer",
    "Digit",
    "DtmfDetector",
    "EchoReference",
    "FrameReport",
    "Framer",
    "Ingress",
    "JitterBuffer",
    "JitterCounts",
    "Level",
    "Meter",
    "Overhearing",
    "PacketIngress",
    "Quality",
    "Resampler",
    "Sensitivity",
    "SensitivityName",
    "Similarity",
    "Timbre",
    "Wav",
    "alaw_decode",
    "alaw_encode",
    "analyse",
    "dtmf",
    "fade_in",
    "fade_out",
    "fade_samples",
    "frame_bytes",
    "gain",
    "measure",
    "parse_wav",
    "read_wav",
    "resample",
    "sensitivity",
    "ulaw_decode",
    "ulaw_encode",
    "write_wav",
]
