"""The DSP core beside the libraries that do the same work; every row asserts its quality in the same run."""

from __future__ import annotations

import sys

from bench import dsp_kernels, dsp_loss, dsp_tones, dsp_vad
from bench.report import main

PEERS = ("soxr", "samplerate", "av", "webrtcvad", "webrtcvad-wheels", "onnxruntime", "faster-whisper", "pesq", "scipy")

if __name__ == "__main__":
    sys.exit(
        main(
            "dsp",
            {
                "Kernels and the fused front end, per 20 ms frame": dsp_kernels.rows,
                "Voice activity on labelled mixtures": dsp_vad.rows,
                "Concealment and jitter buffer on seeded traces": dsp_loss.rows,
                "DTMF and echo reference": dsp_tones.rows,
            },
            packages=PEERS,
        )
    )
