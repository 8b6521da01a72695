from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest
import trio

from tomrt._dsp.g711 import ulaw_decode, ulaw_encode
from tomrt._dsp.resample import Resampler
from tomrt.dialogue.closing import Declined, Rated, parse_rating
from tomrt.dialogue.grammar import HUM_PRONUNCIATIONS, OVERLAP, jsgf_grammars
from tomrt.dialogue.lexicon import load
from tomrt.dialogue.matching import Matcher
from tomrt.dialogue.script import built_in_script
from tomrt.engines.espeak import Espeak
from tomrt.engines.sphinx import Sphinx
from tomrt.errors import EngineError, MisuseError
from tomrt.events import Transcript, Voice

SCRIPT = built_in_script()
JFK = Path(__file__).parents[2].parent / "shared" / "speech" / "jfk_8k.wav"

SPOKEN = {
    "opening_hours": "what are your opening hours",
    "address": "what is your address",
    "book_appointment": "I would like an appointment on Tuesday at half past two",
    "cancel_appointment": "I want to cancel my appointment",
    "leave_message": "can I leave a message",
    "person": "I want to speak to someone",
    "help": "what can you do for me",
    "rate": "I would like to rate this call",
    "repeat": "can you repeat that",
    "stop": "I have changed my mind",
    "yes": "yes please",
    "no": "no thank you",
    "goodbye": "goodbye",
}


@pytest.fixture(scope="module")
def grammars():
    return jsgf_grammars(SCRIPT)


@pytest.fixture(scope="module")
def sphinx(grammars):
    """One recogniser for the file: its worker serves one Trio loop after another."""
    engine = Sphinx(grammars, "any", pronunciations={**HUM_PRONUNCIATIONS, **SCRIPT.pronunciations})
    yield engine
    trio.run(engine.aclose)


def through_line(pcm: bytes, rate_hz: int, *, ulaw: bool) -> bytes:
    """Return *pcm* as 16 kHz PCM that has been over a line of 8 kHz, with silence on both sides."""
    to_line, to_engine = Resampler(rate_hz, 8000), Resampler(8000, 16000)
    narrow = bytes(4000) + to_line.process(pcm) + to_line.flush() + bytes(4000)
    if ulaw:
        narrow = ulaw_decode(ulaw_encode(narrow))
    return to_engine.process(narrow) + to_engine.flush()


async def say(text: str, *, ulaw: bool = False) -> bytes:
    espeak = Espeak("en-us", 165)
    send, receive = trio.open_memory_channel(10_000)
    with send:
        await espeak.speak(text, send)
    pcm = b"".join([item.pcm async for item in receive if isinstance(item, Voice)])
    await espeak.aclose()
    return through_line(pcm, 22050, ulaw=ulaw)


@pytest.mark.parametrize("ulaw", [False, True])
@pytest.mark.parametrize(("intent", "text"), SPOKEN.items())
async def test_understands_a_sentence_of_each_intent(sphinx, intent: str, text: str, ulaw: bool):
    """A sentence spoken by the embedded voice over a line of 8 kHz, linear or mu-law, is understood as its intent."""
    expectation = "yes_no" if intent in {"yes", "no"} else "any"
    heard = await sphinx.transcribe(await say(text, ulaw=ulaw), hint=expectation)
    meant = Matcher(SCRIPT).understand(heard.text, expectation)
    assert meant is not None, heard
    assert meant.intent == intent


@pytest.mark.parametrize(
    ("hint", "text", "slot"),
    [
        ("day", "on Wednesday please", ("day", "wednesday")),
        ("hour", "at ten thirty", ("hour", "10:30")),
        ("topic", "about a prescription", ("topic", "a prescription")),
        ("rating", "I give you four stars", ("rating", "4")),
    ],
)
async def test_understands_answers_to_questions(sphinx, hint: str, text: str, slot: tuple[str, str]):
    """What was asked for is heard with the grammar that the hint names."""
    heard = await sphinx.transcribe(await say(text), hint=hint)
    meant = Matcher(SCRIPT).understand(heard.text, hint)
    assert meant is not None, heard
    assert slot in meant.slots


@pytest.mark.parametrize("text", ["okay", "right", "I see", "all right", "exactly", "fine", "great", "really"])
async def test_backchannels_over_a_reply(sphinx, text: str):
    """Said over a reply, a backchannel is heard as one."""
    heard = await sphinx.transcribe(await say(text, ulaw=True), hint=OVERLAP)
    assert load("en").is_backchannel(heard.text), heard
    assert heard.whole


@pytest.mark.parametrize("text", ["wait", "hold on", "one moment", "be quiet", "what", "no no", "a person please"])
async def test_taking_the_floor_from_a_reply(sphinx, text: str):
    """Said over a reply, other words are heard as such."""
    heard = await sphinx.transcribe(await say(text, ulaw=True), hint=OVERLAP)
    assert heard.text
    assert not load("en").is_backchannel(heard.text), heard


@pytest.mark.parametrize("text", ["exactly", "I want to cancel my appointment"])
async def test_cut_off_over_a_reply_is_not_trusted(sphinx, text: str):
    """Words that still go on are not told apart, but it is told that there was something."""
    audio = await say(text, ulaw=True)
    lead = 2 * 4000
    heard = await sphinx.transcribe(audio[: lead + 32 * 330], hint=OVERLAP)
    assert heard.text == ""
    assert heard.rejected


async def test_phrase_at_the_very_end_may_not_be_whole(sphinx):
    """A phrase with silence behind it is whole; with sound up to the end of the audio there may be more to come."""
    audio = await say("goodbye", ulaw=True)
    assert await sphinx.transcribe(audio) == Transcript("goodbye", whole=True)
    samples = np.abs(np.frombuffer(audio, "<i2").astype(int))
    end = int(np.flatnonzero(samples > samples.max() // 4)[-1])
    assert not (await sphinx.transcribe(audio[: 2 * end])).whole


async def test_same_audio_same_text(sphinx):
    """A result does not depend on what was recognised before, or with which grammar."""
    texts = ["what are your opening hours", "goodbye", "I want to speak to someone"]
    audio = [await say(text) for text in texts]
    first = [await sphinx.transcribe(pcm) for pcm in audio]
    await sphinx.transcribe(audio[0][::-1], hint="rating")
    again = [await sphinx.transcribe(pcm) for pcm in reversed(audio)]
    assert first == again[::-1]


async def test_incomplete_sentence_is_rejected(sphinx):
    """Half a sentence is no transcript; what was heard stays visible."""
    heard = await sphinx.transcribe(await say("I would like to"))
    assert heard.text == ""


@pytest.mark.parametrize("audio", [b"", b"\0", bytes(640), bytes(3201), bytes(64_000)])
async def test_silence_is_nothing(sphinx, audio: bytes):
    """Silence of any length, odd ones included, is an empty transcript, also over a reply."""
    assert await sphinx.transcribe(audio) == Transcript("")
    assert await sphinx.transcribe(audio, hint=OVERLAP) == Transcript("")


async def test_noise_is_nothing(sphinx):
    """Steady noise is not taken for words; over a reply, where it may be a vowel that was cut out, it is told of."""
    noise = np.random.default_rng(2).normal(0, 800, 32_000).astype("<i2").tobytes()
    assert await sphinx.transcribe(noise) == Transcript("")
    over_reply = await sphinx.transcribe(noise, hint=OVERLAP)
    assert (over_reply.text, over_reply.rejected) == ("", "...")


@pytest.mark.skipif(not JFK.exists(), reason=f"the human recording {JFK} is not there")
async def test_other_speech_is_rejected(sphinx):
    """A human who speaks of something else is not understood."""
    with wave.open(str(JFK)) as recording:
        pcm = recording.readframes(recording.getnframes())
    heard = await sphinx.transcribe(through_line(pcm, 8000, ulaw=False))
    assert heard.text == ""
    assert heard.rejected


async def test_cancelling_frees_the_worker(sphinx):
    """A cancelled transcription ends, and the next one is not disturbed."""
    audio = await say("what are your opening hours")
    with trio.move_on_after(0):
        await sphinx.transcribe(audio * 5)
    with trio.fail_after(20):
        assert (await sphinx.transcribe(audio)).text == "what are your opening hours"


async def test_unknown_hint_is_the_default(sphinx):
    """A hint that names no grammar is as good as none."""
    audio = await say("goodbye")
    assert await sphinx.transcribe(audio, hint="nothing") == await sphinx.transcribe(audio)


def test_missing_words_are_named():
    """Words without a pronunciation are refused at load, all at once; with one they are taken."""
    grammar = "#JSGF V1.0;\ngrammar any;\npublic <utterance> = call (xyzzyx | zyzzyva) | goodbye;\n"
    with pytest.raises(EngineError, match="lacks 'xyzzyx', 'zyzzyva'"):
        Sphinx({"any": grammar}, "any")


async def test_pronunciations_are_added():
    """A word from the pronunciation table is in the dictionary."""
    grammar = "#JSGF V1.0;\ngrammar any;\npublic <utterance> = call xyzzyx;\n"
    engine = Sphinx({"any": grammar}, "any", pronunciations={"xyzzyx": "Z IH Z IY K S"})
    await engine.aclose()


def test_bad_use_is_told():
    """A broken grammar, a bad pronunciation and a missing default are told apart."""
    with pytest.raises(EngineError, match="does not take the grammar 'any'"):
        Sphinx({"any": "#JSGF V1.0;\ngrammar any;\npublic <u> = ((call;\n"}, "any")
    with pytest.raises(EngineError, match="does not load"):
        Sphinx({"any": "#JSGF V1.0;\ngrammar any;\npublic <u> = call;\n"}, "any", pronunciations={"x": "QQ"})
    with pytest.raises(MisuseError, match="no grammar 'some'"):
        Sphinx({}, "some")


@pytest.mark.parametrize(
    ("text", "meant"),
    [("two", Rated(2)), ("three", Rated(3)), ("I would say four", Rated(4)), ("five out of five", Rated(5)),
     ("two please", Rated(2)), ("it was great", Rated(5)), ("no thank you", Declined()),
     ("I would rather not", Declined())],
)  # fmt: skip
async def test_the_closing_question_can_be_answered_by_voice(sphinx, text: str, meant: Rated | Declined):
    """Numbers, verdicts and refusals, spoken by the embedded voice over a line, are taken as such."""
    heard = await sphinx.transcribe(await say(text, ulaw=True), hint="rating")
    assert parse_rating(heard.text, "en") == meant, heard
