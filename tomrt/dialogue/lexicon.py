"""The small words that decide whose turn it is, by language: backchannels, words that take the floor, open ends."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib import resources

from attrs import evolve, fields, frozen

from tomrt.dialogue.toml_table import Faults, Table
from tomrt.errors import SettingsError
from tomrt.events import Completeness, Transcript

__all__ = ["Lexicon", "load", "parse_lexicons", "words_of"]

Phrases = frozenset[tuple[str, ...]]

_WORD = re.compile(r"\d+(?:[:.,]\d+)*|[^\W\d_]+(?:'[^\W\d_]+)*")
_STRETCHED = re.compile(r"([^\W\d_])\1{2,}")
_HUM = re.compile(r"[mh]*m[mh]*$")
_HUMMED_YES = re.compile(r"m+h+m+[mh]*$")
_YEAR = re.compile(r"(19|20)\d\d$")
_TRAILING_OFF = re.compile(r"(\.{2,}|[…,;:‐-―-])[\s\"'”’»)]*$")
_FULL_STOP = re.compile(r"[.。][\s\"'”’»)]*$")
_CALLED_OUT = re.compile(r"[!?！？][\s\"'”’»)]*$")
_LONGEST_PHRASE = 5


def words_of(text: str) -> tuple[str, ...]:
    """Return the words of *text*, case-folded and without punctuation; ``"Mm-hmm, okaaay!"`` is ``mmhmm okay``.

    Numbers stay as they are written. Letters held for long ("jaaa") count once.
    """
    text = unicodedata.normalize("NFKC", text).replace("’", "'").casefold()
    text = re.sub(r"(?<=[mh])[-‐‑](?=[mh])", "", text)
    return tuple(word if _HUM.match(word) else _STRETCHED.sub(r"\1", word) for word in _WORD.findall(text))


@frozen(kw_only=True)
class Lexicon:
    """The words of one language; each phrase a tuple of words as :func:`words_of` gives them.

    Args:
        language: Two letters, ``""`` for one that nobody wrote a list for: only hums are known then.
        backchannels: Mean "go on".
        floor: Take the floor.
        answers: Are a whole turn on their own.
        hesitations: At the end, there is more to come.
        openers: At the end, leave a sentence open.
        closers: At the end, end a turn.
        digits: Single digits.
        numbers: Other numbers that are dictated.
        spelled_as: Stand between a letter and the word that explains it.
        initialisms: Single letters in a row that are a word.
    """

    language: str = ""
    backchannels: Phrases = frozenset()
    floor: Phrases = frozenset()
    answers: Phrases = frozenset()
    hesitations: Phrases = frozenset()
    openers: Phrases = frozenset()
    closers: Phrases = frozenset()
    digits: Phrases = frozenset()
    numbers: Phrases = frozenset()
    spelled_as: Phrases = frozenset()
    initialisms: Phrases = frozenset()

    def with_words(self, *, backchannels: Iterable[str] = (), floor: Iterable[str] = ()) -> Lexicon:
        """Return this with an operator's own words; they stand above the list of the other kind."""
        more, takes = _phrases(backchannels), _phrases(floor)
        return evolve(self, backchannels=(self.backchannels - takes) | more, floor=(self.floor - more) | (takes - more))

    def is_backchannel(self, text: str) -> bool:
        """Whether *text* is nothing but backchannels and hums, one or more."""
        words = words_of(text)
        return bool(words) and self._made_of(words, self.backchannels)

    def takes_floor(self, text: str) -> bool:
        """Whether something in *text* takes the floor."""
        words = words_of(text)
        ends = range(1, len(words) + 1)
        return any(_ends_with(words[:end], self.floor) for end in ends) and not self._made_of(words, self.backchannels)

    def completeness(self, transcript: Transcript, *, expects_digits: bool = False) -> Completeness:
        """Return whether the caller may have finished with *transcript*.

        Args:
            transcript: What was said so far.
            expects_digits: A number is being asked for, so that a single digit is the beginning of one.
        """
        words = words_of(transcript.text)
        if not words:
            return Completeness.UNKNOWN
        if self._is_dictating(words, expects_digits=expects_digits):
            return Completeness.INCOMPLETE
        if transcript.whole:
            return Completeness.COMPLETE
        if self._is_short_answer(words):
            return Completeness.INCOMPLETE if _TRAILING_OFF.search(transcript.text) else Completeness.COMPLETE
        return self._by_its_end(transcript.text, words)

    def _by_its_end(self, text: str, words: Sequence[str]) -> Completeness:
        if _TRAILING_OFF.search(text) or _ends_with(words, self.hesitations):
            return Completeness.INCOMPLETE
        if _CALLED_OUT.search(text) or (_ends_with(words, self.closers) and not _is_exactly(words, self.hesitations)):
            return Completeness.COMPLETE
        if _ends_with(words, self.openers):  # recognisers put a full stop behind anything
            return Completeness.INCOMPLETE
        return Completeness.COMPLETE if _FULL_STOP.search(text) else Completeness.UNKNOWN

    def _is_short_answer(self, words: Sequence[str]) -> bool:
        if all(_HUM.match(word) for word in words):  # "mhm" is yes, "hmm" is thinking
            return any(_HUMMED_YES.match(word) for word in words)
        said = self.backchannels | self.answers
        return self._made_of(words, said) and (_is_exactly(words, said) or not _ends_with(words, self.hesitations))

    def _made_of(self, words: Sequence[str], phrases: Phrases) -> bool:
        reached = [True] + [False] * len(words)  # by phrases that end before the word of this index
        for end in range(1, len(words) + 1):
            lengths = range(1, min(end, _LONGEST_PHRASE) + 1)
            by_phrase = any(reached[end - n] and tuple(words[end - n : end]) in phrases for n in lengths)
            reached[end] = by_phrase or (reached[end - 1] and _HUM.match(words[end - 1]) is not None)
        return reached[-1]

    def _is_dictating(self, words: Sequence[str], *, expects_digits: bool) -> bool:
        """Whether *words* end in the midst of a number or a spelling."""
        if _ends_with(words, self.initialisms):
            return False
        pieces, characters = 0, 0
        rest = tuple(words)
        while rest and (taken := self._dictated(rest, expects_digits=expects_digits)):
            written = rest[-1]
            pieces, characters = pieces + 1, characters + (len(written) if written.isdigit() else 1)
            rest = rest[:-taken]
        if expects_digits and pieces:
            return True
        if pieces == 1:  # one number: an hour, an amount, a year; longer ones are telephone numbers
            return words[-1].isdigit() and characters > 2 and not _YEAR.match(words[-1])
        return pieces >= 2

    def _dictated(self, words: Sequence[str], *, expects_digits: bool) -> int:
        """Return how many words at the end of *words* are one dictated piece; 0 when there is none."""
        last = words[-1]
        is_letter = len(last) == 1 and last.isalpha()
        if last.isdigit() or is_letter or (last,) in self.digits or (expects_digits and (last,) in self.numbers):
            return 1
        for link in self.spelled_as:  # "b as in berta"
            size = len(link) + 2
            if len(words) >= size and tuple(words[1 - size : -1]) == link and len(words[-size]) == 1:
                return size
        return 0


def _ends_with(words: Sequence[str], phrases: Phrases) -> bool:
    return any(tuple(words[-n:]) in phrases for n in range(1, min(len(words), _LONGEST_PHRASE) + 1))


def _is_exactly(words: Sequence[str], phrases: Phrases) -> bool:
    return tuple(words) in phrases


def _phrases(texts: Iterable[str]) -> Phrases:
    return frozenset(words for words in map(words_of, texts) if words)


# --- reading ---------------------------------------------------------------------------------------------------------


def parse_lexicons(text: str, source: str) -> Mapping[str, Lexicon]:
    """Read a file with one table for each language and return them by their two letters.

    Args:
        text: TOML, as in ``lexicon.toml``.
        source: The file's name, for messages.

    Raises:
        SettingsError: with every fault of the file, each as ``file:line: key: what is wrong``.
    """
    try:
        entries = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{source}: is not TOML: {error}") from None
    faults = Faults(source, text)
    lexicons = {name: _lexicon(name, table) for name, table in Table(faults, (), entries).tables()}
    if faults.found:
        raise SettingsError(*faults.found)
    return lexicons


def _lexicon(language: str, table: Table) -> Lexicon:
    names = [each.name for each in fields(Lexicon) if each.name != "language"]
    if not re.fullmatch(r"[a-z]{2}", language):
        table.note("", "must be the two small letters of a language")
    table.allow(names)
    kinds = {name: table.texts(name, required=False) for name in names}
    for name, texts in kinds.items():
        for each in texts:
            if not 0 < len(words_of(each)) <= _LONGEST_PHRASE:
                table.note(name, f"{each!r} must have from one to {_LONGEST_PHRASE} words")
    lexicon = Lexicon(language=language, **{name: _phrases(texts) for name, texts in kinds.items()})
    for phrase in sorted(lexicon.backchannels & lexicon.floor):
        table.note("floor", f"{' '.join(phrase)!r} is a backchannel too; it must be one or the other")
    return lexicon


def load(language: str) -> Lexicon:
    """Return the words of *language* (``de``, ``de-AT``); where there is no list, one that knows hums only."""
    return _built_in().get(language[:2].casefold(), Lexicon())


@cache
def _built_in() -> Mapping[str, Lexicon]:
    name = "lexicon.toml"
    return parse_lexicons(resources.files("tomrt.dialogue").joinpath(name).read_text("utf-8"), name)
