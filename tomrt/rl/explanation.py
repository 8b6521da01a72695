"""What a bandit believes of its arms, for people."""

from __future__ import annotations

from attrs import frozen

from tomrt.rl.table import as_html, as_text

__all__ = ["ArmExplanation", "Explanation"]

_HEAD = ("variant", "rewards", "mean", "90 % from", "to", "best with")


@frozen(kw_only=True)
class ArmExplanation:
    """What is believed of one arm.

    Args:
        arm: Its name.
        pulls: Rewards that were learned.
        mean: The expected reward, from -1 to 1, over the contexts there were.
        low: Lower end of the 90 % credible interval of the mean.
        high: Upper end.
        p_best: Probability that no other arm has a higher expected reward; without the floor of the rules.
    """

    arm: str
    pulls: int
    mean: float
    low: float
    high: float
    p_best: float


@frozen(kw_only=True)
class Explanation:
    """What is believed of all arms; prints as a table.

    Args:
        kind: Of the bandit.
        arms: In the bandit's order.
        exploration_rate: Probability that Thompson sampling would not choose the most probable arm: 1 - max p_best.
        noise_sd: Standard deviation of a reward around its expectation, as estimated; ``None`` for ``"beta"``, which
            has no such number.
    """

    kind: str
    arms: tuple[ArmExplanation, ...]
    exploration_rate: float
    noise_sd: float | None

    @property
    def recommended(self) -> str:
        """The arm with the highest mean."""
        return max(self.arms, key=lambda arm: arm.mean).arm

    def __str__(self) -> str:
        return f"{as_text(_HEAD, self._rows())}\n{self._summary()}"

    def _repr_html_(self) -> str:
        return f"{as_html(_HEAD, self._rows())}<p>{self._summary()}</p>"

    def _rows(self) -> list[tuple[str, ...]]:
        return [
            (
                arm.arm,
                str(arm.pulls),
                f"{arm.mean:+.3f}",
                f"{arm.low:+.3f}",
                f"{arm.high:+.3f}",
                f"{100 * arm.p_best:.1f} %",
            )
            for arm in sorted(self.arms, key=lambda arm: -arm.mean)
        ]

    def _summary(self) -> str:
        noise = "" if self.noise_sd is None else f"; noise of a reward {self.noise_sd:.2f}"
        return f"bandit {self.kind!r}: explores with {100 * self.exploration_rate:.1f} %{noise}"
