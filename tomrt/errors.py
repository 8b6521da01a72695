"""One tree of errors, by who is at fault."""

from __future__ import annotations

__all__ = ["AccessDenied", "EngineError", "MisuseError", "ProtocolError", "SettingsError", "SwitchError", "TomrtError"]


class TomrtError(Exception):
    """Everything tomrt raises on purpose."""


class SettingsError(TomrtError):
    """The operator's settings are wrong.

    Args:
        faults: One sentence for each fault, all of them at once.
    """

    def __init__(self, *faults: str) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


class ProtocolError(TomrtError):
    """The peer sent bytes that its protocol does not allow."""


class AccessDenied(TomrtError):  # noqa: N818 - reads as the fact it states
    """The peer is not allowed to do this."""


class EngineError(TomrtError):
    """A model or a provider failed.

    Args:
        message: What failed, in one sentence.
        retryable: Whether the same request may succeed when it is tried again.
    """

    def __init__(self, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.retryable = retryable


class SwitchError(TomrtError):
    """The switch refused or failed to do what it was asked to, or cannot be reached.

    Args:
        message: What failed, in one sentence.
        gone: The call, or the connection to the switch, does not exist any more.
    """

    def __init__(self, message: str, *, gone: bool = False) -> None:
        super().__init__(message)
        self.gone = gone


class MisuseError(TomrtError):
    """Our own code called something in a way it does not allow."""
