"""Compiled signal-processing kernels, one per module.

Every kernel takes any bytes-like object of signed 16-bit little-endian mono PCM (or of G.711 codes), keeps its state in
C, and gives the same bits however the signal is cut into pieces. The rest of tomrt reaches them through
``tomrt.audio``.
"""
