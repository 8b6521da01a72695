"""The scripted dialogue as a language model: the whole conversation is replayed from its history for each answer.

So the engine keeps nothing between turns: an answer that was cancelled or never heard leaves no trace in it, and the
same history always gives the same answer.
"""

from __future__ import annotations

from collections.abc import Sequence

import trio

from tomrt.dialogue.conversation import Conversation, Reply, State
from tomrt.dialogue.matching import Matcher
from tomrt.dialogue.script import Script
from tomrt.events import Action, Message, Signal, Style
from tomrt.ports import ToolUse

__all__ = ["ScriptedDialogue"]


class ScriptedDialogue:
    """A :class:`~tomrt.ports.LanguageModel` that follows a script.

    A message of the caller with empty text counts as one that was not understood; keys are messages like ``"5"``.

    Args:
        script: What is understood, asked and answered.
        style: The way of talking.
        closing: When the caller is asked for a rating; see :class:`~tomrt.dialogue.conversation.Conversation`.
        matcher: Of *script*, where dialogues of several styles share it.
    """

    def __init__(
        self,
        script: Script,
        *,
        style: Style = Style(),  # noqa: B008 - frozen
        closing: str = "after_actions",
        matcher: Matcher | None = None,
    ) -> None:
        self._conversation = Conversation(script, style=style, closing=closing, matcher=matcher)

    async def answer(
        self,
        history: Sequence[Message],
        out: trio.abc.SendChannel[str | Action | Signal],
        tools: ToolUse,  # noqa: ARG002 - the port's
    ) -> None:
        """Send the answer's text as one piece, then its actions and signals; no tool's result is needed for it."""
        _, reply = self._replay(history)
        await out.send(reply.text)
        for action in reply.actions:
            await out.send(action)
        for signal in reply.signals:
            await out.send(signal)

    def hint(self, history: Sequence[Message]) -> str:
        """Return which of ``Script.expectations()`` the caller is expected to give after *history*."""
        state, _ = self._replay(history)
        return self._conversation.expects(state)

    def _replay(self, history: Sequence[Message]) -> tuple[State, Reply]:
        state, reply = State(), Reply(self._conversation.greeting)
        for message in history:
            if message.role == "user":
                state, reply = self._conversation.step(state, message.text)
        return state, reply
