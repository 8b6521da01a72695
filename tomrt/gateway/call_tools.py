"""What a model may do with the call it is in: few tools, each with declared arguments that are checked here.

Whatever a caller talks a model into, this is all that can come of it: the people to be called are those of the
settings, files have names of our own making, and what a tool takes is compared with what it declares.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from attrs import define, field, frozen

from tomrt.errors import AccessDenied, EngineError, MisuseError, ProtocolError, SwitchError
from tomrt.events import Action
from tomrt.gateway.call_control import CallControl
from tomrt.gateway.control_link import Refused
from tomrt.gateway.transfer_targets import Target

__all__ = ["MAX_SUMMARY_CHARS", "TOOLS", "CallTools", "ToolArgument", "ToolSpec"]

MAX_SUMMARY_CHARS = 500
TELLING_S = 45.0
"""Longest time for speaking a summary, playing it and connecting the two, which have limits of their own."""
MOST_USES = 32
"""Of tools with effects, in one call; a caller who wants more wants something else."""


@frozen(kw_only=True)
class ToolArgument:
    """An argument of a tool: a text, which must match.

    Args:
        name: Its name.
        text: What it is for, to a model.
        pattern: A regular expression that the whole value matches.
        choices: The only values it may have; empty where the pattern says it all.
        required: Whether it must be there.
    """

    name: str
    text: str
    pattern: str
    choices: tuple[str, ...] = ()
    required: bool = True


@frozen(kw_only=True)
class ToolSpec:
    """A tool as a model is told of it.

    Args:
        name: Its name.
        text: What it does.
        arguments: What it takes.
        has_effects: Whether it changes anything.
    """

    name: str
    text: str
    arguments: tuple[ToolArgument, ...] = ()
    has_effects: bool = True


TOOLS = (
    ToolSpec(
        name="transfer",
        text="Put the caller through to a person. Ask the caller before.",
        arguments=(
            ToolArgument(
                name="to",
                text="Whom; without it the first person of the list.",
                pattern=r"[A-Za-z0-9_-]{1,32}",
                required=False,
            ),
            ToolArgument(
                name="how",
                text="attended: the person is called and told first. blind: the caller is handed over at once.",
                pattern=r"[a-z]{1,16}",
                choices=("attended", "blind"),
                required=False,
            ),
            ToolArgument(
                name="summary",
                text="For an attended transfer: one or two sentences on what the caller wants, for the person only.",
                pattern=rf"[^\x00-\x1f\x7f-\x9f]{{0,{MAX_SUMMARY_CHARS}}}",
                required=False,
            ),
        ),
    ),
    ToolSpec(name="hang_up", text="End the call. Say goodbye before."),
    ToolSpec(name="hold", text="Let the caller hear music."),
    ToolSpec(name="resume_call", text="Stop the music and talk to the caller again."),
    ToolSpec(
        name="send_digits",
        text="Press keys towards the caller's side.",
        arguments=(ToolArgument(name="digits", text="The keys.", pattern=r"[0-9*#A-D]{1,32}"),),
    ),
    ToolSpec(
        name="start_recording",
        text="Record the call. Only when the caller was asked and has agreed.",
        arguments=(
            ToolArgument(
                name="consent",
                text="What the caller said to being recorded.",
                pattern=r"[a-z]{1,3}",
                choices=("yes", "no"),
            ),
        ),
    ),
    ToolSpec(name="stop_recording", text="Stop recording the call."),
)
"""All tools there are, in the order in which a model is told of them."""

_SPECS = {spec.name: spec for spec in TOOLS}


@define(eq=False)
class CallTools:
    """The :class:`tomrt.ports.Tools` of one call under FreeSWITCH's control.

    Args:
        control: The call's controls.
        targets: Who may be called, by name in lower case; the first one is who "a person" is.
        voice: Speaks a text into a file that FreeSWITCH can read; ``None``: summaries are not told.
    """

    control: CallControl
    targets: Mapping[str, Target]
    voice: Callable[[str], Awaitable[Path]] | None = None
    _uses: int = field(default=0, init=False)
    _recordings: int = field(default=0, init=False)

    def has_effects(self, name: str) -> bool:
        """Whether the tool changes anything."""
        return name in _SPECS and _SPECS[name].has_effects

    def time_limit_s(self, name: str) -> float | None:
        """Return how long a transfer may take: an agent's phone rings, and the agent is told."""
        return self.control.settings.transfer_timeout_s + TELLING_S if name == "transfer" else None

    async def use(self, action: Action) -> str:
        """Use the tool named by *action* and say in a short English sentence what came of it.

        Raises:
            EngineError: there is no such tool, its arguments are wrong, or it failed.
        """
        spec = _SPECS.get(action.name)
        if spec is None:
            raise EngineError("there is no such tool")
        arguments = _checked(spec, action.arguments)
        self._count(spec)
        try:
            return await self._use(spec.name, arguments)
        except Refused as error:
            raise EngineError(_sentence_for(error)) from None
        except (SwitchError, AccessDenied) as error:
            raise EngineError(str(error)) from None
        except (ProtocolError, MisuseError):
            raise EngineError("the switch cannot be given these arguments") from None

    def _count(self, spec: ToolSpec) -> None:
        if spec.has_effects:
            self._uses += 1
        if self._uses > MOST_USES:
            raise EngineError(f"in one call tools are used {MOST_USES} times at most")

    async def _use(self, name: str, arguments: Mapping[str, str]) -> str:
        match name:
            case "transfer":
                return await self._transfer(arguments)
            case "hang_up":
                await self.control.hang_up()
                return "The call has ended."
            case "hold":
                await self.control.hold()
                return "The caller hears music."
            case "resume_call":
                await self.control.unhold()
                return "The caller can hear you again."
            case "send_digits":
                await self.control.send_dtmf(arguments["digits"])
                return "The keys were pressed."
            case "start_recording":
                return await self._start_recording(consent=arguments["consent"] == "yes")
            case _:
                await self.control.stop_recording()
                return "The call is not recorded."

    async def _transfer(self, arguments: Mapping[str, str]) -> str:
        target = self._target(arguments.get("to", ""))
        if arguments.get("how", "attended") == "blind":
            await self.control.transfer(target)
            return f"The caller was handed over to {target.name}."
        summary = await self._spoken(arguments.get("summary", ""))
        await self.control.attended_transfer(target, summary=summary)
        return f"The caller has been put through to {target.name}."

    def _target(self, name: str) -> Target:
        if not self.targets:
            raise EngineError("there is nobody to put the caller through to")
        target = self.targets.get(name.lower()) if name else next(iter(self.targets.values()))
        if target is None:
            raise EngineError(f"there is nobody of that name; there are: {', '.join(self.targets)}")
        return target

    async def _spoken(self, summary: str) -> Path | None:
        if not summary.strip() or self.voice is None:
            return None
        return await self.voice(summary)

    async def _start_recording(self, *, consent: bool) -> str:
        self._recordings += 1
        await self.control.record(f"{_file_word(self.control.uuid)}-{self._recordings}.wav", consent=consent)
        return "The call is being recorded."


def _checked(spec: ToolSpec, pairs: tuple[tuple[str, str], ...]) -> dict[str, str]:
    given = dict(pairs)
    known = {argument.name for argument in spec.arguments}
    if len(given) != len(pairs) or not given.keys() <= known:
        raise EngineError(f"{spec.name} takes {', '.join(sorted(known)) or 'no arguments'}, each once")
    for argument in spec.arguments:
        if argument.name not in given:
            if argument.required:
                raise EngineError(f"{spec.name} needs {argument.name}")
            continue
        _check(spec, argument, given[argument.name])
    return given


def _check(spec: ToolSpec, argument: ToolArgument, text: str) -> None:
    if argument.choices and text not in argument.choices:
        raise EngineError(f"{argument.name} of {spec.name} must be {' or '.join(argument.choices)}")
    if re.fullmatch(argument.pattern, text) is None:
        raise EngineError(f"{argument.name} of {spec.name} is not what it may be")


def _sentence_for(error: Refused) -> str:
    """Say that FreeSWITCH refused, without its words, which may hold numbers."""
    return "the call is over" if error.gone else "the switch refused to do that"


def _file_word(uuid: str) -> str:
    return re.sub(r"[^A-Za-z0-9-]", "", uuid)[:64] or "call"
