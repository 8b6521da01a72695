"""The scripted dialogue as a language model: the whole conversation is replayed from its history for each answer.

So the engine keeps nothing between turns: an answer that was cancelled or never heard leaves no trace in it, and the
same history always gives the same answer.
"""

from __future__ import annotations

from collections.abc import Sequence

import trio

from tomrt.dialogue.conversation import Conversation, Reply, State
from tomrt.dialogue.script import Script
from tomrt.events import Action, Message
from tomrt.ports import ToolUse

__all__ = ["ScriptedDialogue"]


class ScriptedDialogue:
    """A :class:`~tomrt.ports.LanguageModel` that follows a script.

    A message of the caller with empty text counts as one that was not understood; keys are messages like ``"5"``.

    Args:
        script: What is understood, asked and answered.
    """

    def __init__(self, script: Script) -> None:
        self._conversation = Conversation(script)

    async def answer(
        self,
        history: Sequence[Message],
        out: trio.abc.SendChannel[str | Action],
        tools: ToolUse,  # noqa: ARG002 - the port's
    ) -> None:
        """Send the answer's text as one piece, then its actions; no tool's result is needed for it."""
        _, reply = self._replay(history)
        await out.send(reply.text)
        for action in reply.actions:
            await out.send(action)

    def hint(self, history: Sequence[Message]) -> str:
        """Return which of ``Script.expectations()`` the caller is expected to give after *history*."""
        state, _ = self._replay(history)
        return self._conversation.expects(state)

    def _replay(self, history: Sequence[Message]) -> tuple[State, Reply]:
        state, reply = State(), Reply(self._conversation.script.prompts.greeting)
        for message in history:
            if message.role == "user":
                state, reply = self._conversation.step(state, message.text)
        return state, reply
