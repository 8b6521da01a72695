"""Cutting a streamed answer into sentences, so that the first is voiced while the rest is still being written.

A sentence ends at ``.``, ``!``, ``?`` or ``…``, with any closing quotes and brackets, before white space; not when what
follows begins with a small letter, nor when the full stop belongs to an abbreviation, an initial, a list number or,
outside English, an ordinal. An empty line ends a sentence too. A cut too few makes one longer sentence, a cut too many
an odd pause inside a name: in doubt it does not cut.
"""

from __future__ import annotations

import re
from enum import Enum

__all__ = ["MAX_SENTENCE_CHARS", "SentenceSplitter"]

MAX_SENTENCE_CHARS = 300
"""Longest piece: some 20 s of speech. What has no end by then is cut at a clause or a space."""

_LOOKAHEAD = 4
"""Characters behind a possible end and its white space that may decide about it: quotes and brackets, then a letter."""

_SLICE = 256
"""Text is taken in slices of this many characters, so that one large push costs no more than many small ones."""

# Words, in small letters and without their last full stop, after which a sentence always goes on: titles, and what
# stands before a name, a number or an explanation. Words that often end a sentence ("etc.", "a.m.") are not here.
_GOES_ON_AFTER = frozenset(
    [
        *("dr", "prof", "mr", "mrs", "ms", "mx", "messrs", "st", "mt", "gen", "col", "capt", "sgt", "rev", "hon"),
        *("approx", "dept", "ext", "fig", "tel", "vol", "vs", "e.g", "i.e", "cf", "jan", "feb", "aug", "sept", "oct"),
        *("hr", "fr", "frl", "dipl", "geb", "bzw", "ca", "ggf", "inkl", "exkl", "evtl", "vgl", "sog", "nr", "str"),
        *("z.b", "d.h", "u.a", "v.a", "i.d.r", "z.t", "o.ä", "o.g", "okt", "nov", "dez", "dec"),
        *("bl.a", "t.ex", "d.v.s", "dvs", "f.n", "s.k", "kl", "resp", "tr", "tfn"),
    ]
)
_GOES_ON_BEFORE_DIGIT = frozenset({"no", "nos", "p", "pp", "s", "sec", "art", "abs", "min", "max", "ch", "rm"})

_CLOSERS = "\"'”’“»«›)]"
_OPENERS = " \"'“„‚«»‹›([¿¡-–—"
_CLAUSE_MARKS = ",;:–—"
_END = re.compile(rf"[.!?…]++[{re.escape(_CLOSERS)}]*+(?=\s)|(?=\n)")
_CLAUSE_END = re.compile(rf"[{_CLAUSE_MARKS}](?=\s)")
_RUN = re.compile(r"\s+|\S+")


class _Verdict(Enum):
    CUT = "cut"
    GO_ON = "go on"
    WAIT = "wait for more text"


class SentenceSplitter:
    """Takes text in any pieces and gives whole sentences as soon as the text behind them leaves no doubt.

    The sentences depend on the text alone, not on how it came in pieces. Nothing but white space is lost: a run of it
    becomes one space, and none is left around a sentence. The buffer is bounded.

    Args:
        language: Begins with two letters; outside ``"en"`` a full stop after one or two digits marks an ordinal
            ("am 3. Mai").
    """

    def __init__(self, language: str = "en") -> None:
        self._has_ordinals = language[:2].lower() != "en"
        self._buffer = ""
        self._gap = False
        self._newlines = 0

    def push(self, text: str) -> list[str]:
        """Take more *text*; return the sentences that are now complete, each of 1 to 300 characters."""
        sentences: list[str] = []
        for start in range(0, len(text), _SLICE):
            self._append(text[start : start + _SLICE])
            sentences += self._take_sentences(final=False)
        return sentences

    def finish(self) -> list[str]:
        """Return what is left, as one or more sentences, and begin anew."""
        sentences = self._take_sentences(final=True)
        if self._buffer:
            sentences.append(self._take(len(self._buffer)))
        self._gap, self._newlines = False, 0
        return sentences

    def _append(self, text: str) -> None:
        # White space is held back until something follows it, so that a run of it is judged whole.
        for run in _RUN.findall(text):
            if run.isspace():
                self._gap = True
                self._newlines = min(2, self._newlines + run.count("\n"))
                continue
            if self._gap and self._buffer:
                self._buffer += "\n" if self._newlines == 2 else " "
            self._gap, self._newlines = False, 0
            self._buffer += run

    def _take_sentences(self, *, final: bool) -> list[str]:
        sentences: list[str] = []
        while (end := self._next_end(final=final)) is not None:
            sentences.append(self._take(end))
        return sentences

    def _take(self, end: int) -> str:
        sentence, self._buffer = self._buffer[:end], self._buffer[end:].lstrip()
        return sentence.replace("\n", " ").rstrip()

    def _next_end(self, *, final: bool) -> int | None:
        """Find where the first sentence in the buffer ends, or ``None`` while that is not known."""
        for match in _END.finditer(self._buffer):
            if match.end() > MAX_SENTENCE_CHARS:
                break
            verdict = self._judge(match)
            if verdict is _Verdict.CUT:
                return match.end()
            if verdict is _Verdict.WAIT and not final:
                return None
        # Only once all that may decide about the last possible end is there, so that chunking makes no difference.
        enough = MAX_SENTENCE_CHARS if final else MAX_SENTENCE_CHARS + 1 + _LOOKAHEAD
        return self._forced_end() if len(self._buffer) > enough else None

    def _judge(self, match: re.Match[str]) -> _Verdict:
        sentence, mark = self._buffer[: match.start()], match.group()
        if not any(char.isalnum() for char in sentence):
            return _Verdict.GO_ON
        if self._buffer[match.end()] == "\n":
            return _Verdict.CUT
        following = self._buffer[match.end() + 1 : match.end() + 1 + _LOOKAHEAD]
        ahead = following.lstrip(_OPENERS)[:1]
        if not ahead:
            return _Verdict.WAIT if len(following) < _LOOKAHEAD else _Verdict.CUT
        goes_on = ahead.islower() or (mark == "." and self._belongs_to_word(sentence, ahead))
        return _Verdict.GO_ON if goes_on else _Verdict.CUT

    def _belongs_to_word(self, sentence: str, ahead: str) -> bool:
        """Whether a full stop after *sentence*, before the character *ahead*, does not end a sentence."""
        before, _, word = sentence.replace("\n", " ").rpartition(" ")
        word = word.lstrip(_OPENERS).lower()
        if word in _GOES_ON_AFTER:
            return True
        if ahead.isdigit() and (word in _GOES_ON_BEFORE_DIGIT or word.endswith("str")):  # "Hauptstr. 5"
            return True
        if word.isdigit() and len(word) <= 2:
            return not before or (self._has_ordinals and ahead.isalpha())
        return len(word) == 1 and word.isalpha() and word != "i"

    def _forced_end(self) -> int:
        clauses = _CLAUSE_END.finditer(self._buffer, MAX_SENTENCE_CHARS // 2, MAX_SENTENCE_CHARS + 1)
        ends = [match.end() for match in clauses]
        spaces = max(self._buffer.rfind(space, 1, MAX_SENTENCE_CHARS + 1) for space in " \n")
        return ends[-1] if ends else spaces if spaces > 0 else MAX_SENTENCE_CHARS
