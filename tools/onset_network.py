"""Gated recurrent units in numpy: what ``tomrt/_dsp/recurrent.pxd`` computes, its gradient, and how it is trained.

Names: *x* what the network is given, *h* its state, *z* the update gate, *r* the reset gate, *n* the candidate; T hops,
B calls side by side, U units. The gradient is back-propagation through windows of time, the step Adam's (Kingma and Ba,
2015), and the result a running mean of the weights.
"""

from __future__ import annotations

import numpy as np
from attrs import define, field
from numpy.typing import NDArray

__all__ = ["UNITS", "Network", "Trainer"]

UNITS = 24
Floats = NDArray[np.float32]


def squash(x: Floats) -> tuple[Floats, Floats]:
    """Return the kernel's approximation of the hyperbolic tangent, and its derivative."""
    x = np.clip(x, -3.0, 3.0)
    square = x * x
    below = 1.0 / (27.0 + 9.0 * square)
    value = x * (27.0 + square) * below
    return value, ((27.0 + 3.0 * square) - 18.0 * x * value) * below


@define
class Network:
    """The weights: ``input`` (F, 3U), ``state`` (U, 3U), ``bias`` (3U), ``output`` (U), ``output_bias`` (1)."""

    input: Floats
    state: Floats
    bias: Floats
    output: Floats
    output_bias: Floats

    @classmethod
    def fresh(cls, features: int, random: np.random.Generator) -> Network:
        """Return random weights, with update gates that remember."""

        def drawn(rows: int, columns: int) -> Floats:
            return random.normal(0, 1 / np.sqrt(rows), (rows, columns)).astype(np.float32)

        bias = np.zeros(3 * UNITS, np.float32)
        bias[:UNITS] = 1.0
        return cls(
            drawn(features, 3 * UNITS), drawn(UNITS, 3 * UNITS), bias, drawn(UNITS, 1)[:, 0], np.zeros(1, np.float32)
        )

    def parts(self) -> list[Floats]:
        """Return the arrays, to be changed in place."""
        return [self.input, self.state, self.bias, self.output, self.output_bias]

    def forward(self, x: Floats, h: Floats) -> tuple[Floats, list[Floats]]:
        """Return the log-odds (T, B) of *x* (T, B, F) from the state *h* (B, U), and what the gradient needs."""
        given = x @ self.input + self.bias
        count, calls = x.shape[:2]
        states = np.empty((count + 1, calls, UNITS), np.float32)
        gates = np.empty((count, calls, 3 * UNITS), np.float32)  # z, r, n
        slopes = np.empty((count, calls, 3 * UNITS), np.float32)
        turned = np.empty((count, calls, UNITS), np.float32)
        states[0] = h
        for t in range(count):
            u = h @ self.state
            value, slope = squash(0.5 * (given[t, :, : 2 * UNITS] + u[:, : 2 * UNITS]))
            gates[t, :, : 2 * UNITS] = 0.5 + 0.5 * value
            slopes[t, :, : 2 * UNITS] = 0.25 * slope
            turned[t] = u[:, 2 * UNITS :]
            pre = given[t, :, 2 * UNITS :] + gates[t, :, UNITS : 2 * UNITS] * turned[t]
            gates[t, :, 2 * UNITS :], slopes[t, :, 2 * UNITS :] = squash(pre)
            n = gates[t, :, 2 * UNITS :]
            h = n + gates[t, :, :UNITS] * (h - n)
            states[t + 1] = h
        return states[1:] @ self.output + self.output_bias, [states, gates, slopes, turned]

    def backward(self, x: Floats, error: Floats, kept: list[Floats]) -> list[Floats]:
        """Return the gradient of each part, given that of the log-odds (T, B)."""
        states, gates, slopes, turned = kept
        into = np.empty_like(gates)  # gradient of what comes from x
        across = np.empty_like(gates)  # gradient of what comes from h
        later = np.zeros_like(states[0])
        back = self.state.T.copy()
        for t in range(len(x) - 1, -1, -1):
            z, r, n = (gates[t, :, k * UNITS : (k + 1) * UNITS] for k in range(3))
            dh = later + error[t, :, None] * self.output
            dn = dh * (1.0 - z) * slopes[t, :, 2 * UNITS :]
            into[t, :, :UNITS] = dh * (states[t] - n) * slopes[t, :, :UNITS]
            into[t, :, UNITS : 2 * UNITS] = dn * turned[t] * slopes[t, :, UNITS : 2 * UNITS]
            into[t, :, 2 * UNITS :] = dn
            across[t] = into[t]
            across[t, :, 2 * UNITS :] = dn * r
            later = dh * z + across[t] @ back
        flat = into.reshape(-1, 3 * UNITS)
        return [
            x.reshape(len(flat), -1).T @ flat,
            states[:-1].reshape(-1, UNITS).T @ across.reshape(-1, 3 * UNITS),
            flat.sum(axis=0),
            states[1:].reshape(-1, UNITS).T @ error.ravel(),
            error.sum(keepdims=True).reshape(1),
        ]


@define
class Trainer:
    """Adam on a network, with a running mean of its weights."""

    network: Network
    rate: float = 4e-3
    steps: int = 0
    mean: list[Floats] = field(init=False)
    _first: list[Floats] = field(init=False)
    _second: list[Floats] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.mean = [part.copy() for part in self.network.parts()]
        self._first = [np.zeros_like(part) for part in self.network.parts()]
        self._second = [np.zeros_like(part) for part in self.network.parts()]

    def window(self, x: Floats, wanted: Floats, weight: Floats, h: Floats, progress: float) -> tuple[float, Floats]:
        """Take one step on a window of time; return the loss and the state behind it."""
        logits, kept = self.network.forward(x, h)
        likely = 1.0 / (1.0 + np.exp(-np.clip(logits, -30, 30)))
        share = weight / weight.sum()
        gradients = self.network.backward(x, (likely - wanted) * share, kept)
        self._step(gradients, self.rate * (0.02 + 0.98 * 0.5 * (1 + np.cos(np.pi * progress))))
        chosen = np.where(wanted > 0.5, likely, 1 - likely)
        return float(-np.sum(share * np.log(chosen + 1e-7))), kept[0][-1]

    def _step(self, gradients: list[Floats], rate: float) -> None:
        self.steps += 1
        size = float(np.sqrt(sum(float(np.sum(gradient**2)) for gradient in gradients)))
        calm = min(1.0, 0.5 / max(size, 1e-9))
        fix = np.sqrt(1 - 0.999**self.steps) / (1 - 0.9**self.steps)
        for part, gradient, first, second, mean in zip(
            self.network.parts(), gradients, self._first, self._second, self.mean, strict=True
        ):
            first[...] = 0.9 * first + 0.1 * calm * gradient
            second[...] = 0.999 * second + 0.001 * (calm * gradient) ** 2
            part[...] = part - (rate * fix) * first / (np.sqrt(second) + 1e-8)
            mean[...] = mean + max(0.005, 1 / self.steps) * (part - mean)
