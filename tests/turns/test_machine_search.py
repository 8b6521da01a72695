"""Every reachable state of turn, reply and hold together, under any order of sounds, keys, words and failures.

The machines are the real ones; around them stands what the call does with their effects, without time or tasks. Time
is the five frames of 100 ms between a yield and its deadline, and whether a reply has just begun; turns are numbered
from the newest, and line times are before and after. What is checked are the invariants of turn and reply: the
numbers in ``check`` and ``World.do`` are those of the list that the simulation uses too.
"""

from collections import deque
from collections.abc import Iterator

import pytest
from attrs import evolve, frozen

from tomrt.events import Sound
from tomrt.happenings import ReplyOutcome
from tomrt.turns import reply as r
from tomrt.turns import turn as t
from tomrt.turns.barge_in import BargeIn, Words
from tomrt.turns.reply import Over, Stage

STEP_MS = 100.0
DEADLINE = 5  # steps
NEWEST = 5  # the newest turn's number, always
SILENT, OPEN, PAUSED, IGNORED = "silent", "open", "paused", "ignored"
LONG_AGO = float("-inf")
QUIET = Over(ReplyOutcome.COMPLETED)
SOUNDS = {
    "speech": Sound(speech=True, sounding=True),
    "hum": Sound(speech=True, sounding=True, hum=1.0),
    "silence": Sound(speech=False, sounding=False),
}


class BrokenInvariantError(AssertionError):
    """An invariant does not hold."""


def require(holds, sentence):
    if not holds:
        raise BrokenInvariantError(sentence)


@frozen(kw_only=True)
class World:
    """One call, as far as its floor goes.

    ``job`` is what waits to be voiced or is being understood: ``say``, ``draft`` or ``answer``. ``opened`` is a turn
    under way, ``owed`` one that was committed and has no outcome. ``fresh`` is a draft that knows all that was said.
    """

    turn: t.State = t.Idle(NEWEST)
    reply: r.State = QUIET
    job: str = ""
    line: str = SILENT
    steps: int = 0
    keys: bool = False
    opened: bool = False
    owed: bool = False
    fresh: bool = False
    overheard: bool = False

    @property
    def now(self):
        return self.steps * STEP_MS / 1000.0

    # --- what the call does -------------------------------------------------------------------------------------------

    def step(self, event, knobs):
        """Give *event* to the turn machine and do what it asks for, as ``call/turntaking.py`` does."""
        before = self.turn
        after, effects = t.step(before, event, self.now, knobs)
        world = evolve(self, turn=after)
        for effect in effects:
            world = world.do(effect)
        if isinstance(after, t.Idle) and not isinstance(before, t.Idle):
            world = evolve(world, line=SILENT)
        elif isinstance(before, t.Held) and isinstance(after, t.Listening) and world.line == PAUSED:
            return world.step(t.SpeechPaused(1.0), knobs)
        return world

    def do(self, effect):
        match effect:
            case t.NewTurn():
                require(not self.opened, "5: a turn is opened within another")
                return evolve(self, opened=True)
            case t.Draft():
                require(not self.job and not r.is_alive(self.reply), "1: a draft beside a living reply")
                return evolve(self, job="draft", fresh=True)
            case t.Drop():
                return self.cut()
            case t.Supersede():
                require(not self.owed or effect.turn is not None, "5: a turn is dropped without a word")
                require(self.reply not in {Stage.AUDIBLE, Stage.PAUSED}, "3: what was heard is cut, not superseded")
                return evolve(self, owed=False).cut()
            case t.Cut():
                require(self.reply in {Stage.AUDIBLE, Stage.PAUSED}, "2: cut what is not heard")
                return self.cut()
            case t.Commit():
                return self.commit(effect)
            case t.Withdraw():
                return evolve(self, line=IGNORED, opened=False)
            case t.Yield():
                require(self.reply is Stage.AUDIBLE, "8: yielded what is not heard")
                return evolve(self, reply=r.step(self.reply, r.Event.HELD), overheard=False)
            case t.Resume():
                require(self.reply is Stage.PAUSED, "9: resumed what is not held")
                return evolve(self, reply=r.step(self.reply, r.Event.RESUMED))
            case t.Overhear():
                return evolve(self, overheard=True)
        return self

    def commit(self, effect):
        require(not self.owed, "5: a turn is committed before the last one has its outcome")
        require(self.reply not in {Stage.AUDIBLE, Stage.PAUSED, Stage.DUE}, "4: the cut precedes the commit")
        keys = self.keys or effect.reason == "keys"
        world = evolve(self, owed=True, opened=False, keys=False)
        if effect.end_ms is None and self.line in {OPEN, PAUSED}:
            world = evolve(world, line=IGNORED)  # the keys are the turn, what is being said with them is not
        if effect.drafted and (self.job == "draft" or self.reply is Stage.DRAFT):
            require(self.fresh, "6: a reply to a stale text")
            if not keys:
                reply = r.step(self.reply, r.Event.CONFIRMED)
                return evolve(world, reply=reply, job="answer" if self.job else "")
            world = evolve(world.cut(), owed=True)
        require(not r.is_alive(world.reply) and not world.job, "1: a second live reply")
        return evolve(world, job="answer")

    def cut(self):
        """Interrupt the reply under way and what was asked for."""
        return evolve(self, job="", fresh=False).ended(r.Event.INTERRUPTED)

    def ended(self, event):
        """Move the reply; whatever way it ends, a turn that was committed has its outcome then."""
        after = r.step(self.reply, event)
        owed = self.owed and not (isinstance(after, Over) and r.is_alive(self.reply))
        return evolve(self, reply=after if r.is_alive(after) else QUIET, owed=owed)

    # --- what can happen ----------------------------------------------------------------------------------------------

    def happenings(self, knobs) -> Iterator[tuple[str, "World"]]:
        """Yield everything that can happen next, and what comes of it."""
        yield from self.line_happens(knobs)
        yield from self.keys_happen(knobs)
        yield from self.reply_happens(knobs)
        if isinstance(self.turn, t.Speaking):
            yield "time passes", evolve(self, turn=evolve(self.turn, since=LONG_AGO))
        goodbye = evolve(self.cut(), turn=t.Idle(NEWEST), line=SILENT, opened=False, owed=False)
        yield "we take the floor", evolve(goodbye.step(t.ReplyAlive(guarded=True), knobs), job="say")
        if isinstance(self.turn, t.Held):
            yield from self.hold_happens(knobs)

    def line_happens(self, knobs):
        if self.line in {SILENT, IGNORED}:
            for remaining_ms in (5_000.0, 500.0):
                for recent_ms in (0.0, 300.0):
                    began = t.SpeechBegan(0.0, remaining_ms, recent_ms)
                    yield f"speech begins, {remaining_ms:g} left", evolve(self, line=OPEN).step(began, knobs)
        if self.line == IGNORED:
            yield "the ignored sound is over", evolve(self, line=SILENT)
        if self.line == OPEN:
            yield "pause", evolve(self, line=PAUSED).step(t.SpeechPaused(1.0), knobs)
            yield "a click", evolve(self, line=SILENT).step(t.SpeechWasNone(), knobs)
        if self.line == PAUSED:
            yield "goes on", evolve(self, line=OPEN, fresh=False).step(t.SpeechWentOn(), knobs)
        if self.line in {OPEN, PAUSED}:
            yield "speech ends", evolve(self, line=SILENT).step(t.SpeechEnded(0.0, 1.0), knobs)

    def keys_happen(self, knobs):
        yield "key", evolve(self, keys=True).step(t.Digit(), knobs)
        if self.keys:
            yield "keys are complete", evolve(self.step(t.Keyed(), knobs), keys=False)

    def reply_happens(self, knobs):
        if isinstance(self.turn, t.Idle):
            for guarded in (False, True):
                yield "something to say", evolve(self.step(t.ReplyAlive(guarded), knobs), job="say")
        if self.job:
            require(not r.is_alive(self.reply), "1: a second live reply")
            stage = Stage.DRAFT if self.job == "draft" else Stage.DUE
            yield f"{self.job} begins", evolve(self, job="", reply=stage)
        if self.job == "draft":
            yield "nothing to draft", evolve(self, job="").step(t.DraftFailed(), knobs)
        match self.reply:
            case Stage.DRAFT:
                yield "draft fails", self.ended(r.Event.FAILED).step(t.DraftFailed(), knobs)
            case Stage.DUE:
                yield "first sample", self.ended(r.Event.SOUNDED).step(t.ReplyHeard(), knobs)
        if self.reply in {Stage.DUE, Stage.AUDIBLE, Stage.PAUSED}:
            yield "reply fails", self.ended(r.Event.FAILED).step(t.ReplyOver(), knobs)
        if self.reply in {Stage.DUE, Stage.AUDIBLE}:
            yield "reply is out", self.ended(r.Event.FINISHED).step(t.ReplyOver(), knobs)

    def hold_happens(self, knobs):
        later = evolve(self, steps=self.steps + 1)
        for name, sound in SOUNDS.items():
            yield name, later.step(t.Frame(sound, STEP_MS), knobs)
        yield "deadline", evolve(self, steps=DEADLINE).step(t.Tick(), knobs)
        for words in Words if self.overheard else ():
            yield f"words: {words.value}", evolve(self, overheard=False).step(t.WordsHeard(NEWEST, words), knobs)
        stale = self.step(t.WordsHeard(NEWEST - 1, Words.FLOOR), knobs)
        require(stale == self, "6: words of another turn decide")


def normal(world):
    """Return *world* with the numbers that do not matter taken out."""
    steps = world.steps if isinstance(world.turn, t.Held) else 0
    overheard = world.overheard and isinstance(world.turn, t.Held)
    return evolve(world, turn=evolve(world.turn, turn=NEWEST), steps=steps, overheard=overheard)


def check(world, knobs):
    """Check what must hold in every state."""
    turn, reply, job = world.turn, world.reply, world.job
    speaks, guarded = world.line in {OPEN, PAUSED}, getattr(turn, "guarded", False) or not knobs.enabled
    require(not (job and r.is_alive(reply)), "1: a reply is alive and another is asked for")
    require(world.opened == isinstance(turn, t.Listening | t.Held), "5: a turn is open, or was, and nobody was told")
    match turn:
        case t.Idle():
            require(not job and not r.is_alive(reply), "2: idle, and a reply is alive")
            require(not speaks, "4: the caller speaks and no turn is open")
            require(not world.owed, "5: idle, and a turn is not answered")
        case t.Listening():
            require(speaks, "4: a turn is open and nobody speaks")
            require(reply in {QUIET, Stage.DRAFT} and job in {"", "draft"}, "6: a reply is due while the caller speaks")
            require(not world.owed, "5: a turn is not answered and the next one is open")
            drafting = bool(job) or reply is Stage.DRAFT
            require(turn.drafted == drafting, "6: the machine and the reply disagree on the draft")
            require(not drafting or (world.fresh and world.line == PAUSED), "6: a draft while the caller goes on")
        case t.Thinking():
            require(job in {"answer", "say"} or reply is Stage.DUE, "5: thinking, and nobody is at work")
            require(not speaks or guarded, "4: the caller speaks and no turn is open")
        case t.Speaking():
            require(reply is Stage.AUDIBLE, "3: speaking, and nothing is heard")
            require(not speaks or guarded, "8: the caller speaks over the reply and it goes on")
        case t.Held():
            require(reply is Stage.PAUSED, "9: held, and no reply is paused")
            require(speaks, "4: a turn is open and nobody speaks")
            require(world.steps < DEADLINE, "9: held past the deadline")


def search(knobs):
    """Visit every reachable state; return them with those that follow, and the number of transitions."""
    begin = normal(World())
    came: dict[World, tuple[World | None, str]] = {begin: (None, "")}
    follow: dict[World, set[World]] = {}
    todo, transitions = deque([begin]), 0
    while todo:
        world = todo.popleft()
        follow[world] = set()
        name = "before anything"
        try:
            for name, outcome in world.happenings(knobs):
                after = normal(outcome)
                check(after, knobs)
                transitions += 1
                follow[world].add(after)
                if after not in came:
                    came[after] = (world, name)
                    todo.append(after)
        except BrokenInvariantError as broken:
            raise BrokenInvariantError(f"{broken}\n{story(came, world)}\n  {name}") from None
    return follow, transitions


def story(came, world):
    """Tell how *world* came about."""
    lines = []
    while came[world][0] is not None:
        before, name = came[world]
        lines.append(f"  {name}: {world.turn}, {world.reply}, job {world.job or '-'}, line {world.line}")
        world = before
    return "\n".join(reversed(lines))


def calm_from(follow):
    """Return the states from which the call can come to rest."""
    before: dict[World, set[World]] = {world: set() for world in follow}
    for world, afters in follow.items():
        for after in afters:
            before[after].add(world)
    calm = {world for world in follow if isinstance(world.turn, t.Idle)}
    todo = list(calm)
    while todo:
        for world in before[todo.pop()] - calm:
            calm.add(world)
            todo.append(world)
    return calm


@pytest.mark.parametrize(
    "knobs",
    [BargeIn(), BargeIn(words_trusted=True), BargeIn(enabled=False)],
    ids=["as set", "words trusted", "no barge-in"],
)
def test_every_reachable_state_keeps_the_invariants(knobs, capsys):
    """In whatever order things happen, no invariant of turn, reply and hold is ever broken, and rest can be reached."""
    follow, transitions = search(knobs)
    with capsys.disabled():
        print(f"[{len(follow)} states, {transitions} transitions]", end=" ")
    assert calm_from(follow) == set(follow)
    assert len(follow) > 50
