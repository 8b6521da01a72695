"""What a reply says, and where in its samples: so that the words heard can be told from the words meant."""

from __future__ import annotations

from attrs import Factory, define

__all__ = ["Spoken"]


@define
class _Said:
    text: str
    start: int
    words: list[tuple[int, int]] = Factory(list)  # (character, sample of the reply) at which a word begins


@define
class Spoken:
    """Sentences of one reply, each with the sample at which it begins; ``length`` is where the last one ends so far."""

    length: int = 0
    _sentences: list[_Said] = Factory(list)

    @property
    def text(self) -> str:
        """All that was meant to be said."""
        return " ".join(said.text for said in self._sentences)

    @property
    def starts(self) -> list[int]:
        """The samples at which sentences begin."""
        return [said.start for said in self._sentences]

    def sentence(self, text: str) -> None:
        """Begin a sentence at the present length."""
        self._sentences.append(_Said(text, self.length))

    def word(self, char: int, sample: int) -> None:
        """Within the sentence under way, the word at *char* begins *sample* samples after the sentence's first."""
        if self._sentences:
            said = self._sentences[-1]
            said.words.append((char, said.start + sample))

    def word_start(self, after: int, before: int) -> int:
        """Return the last sample behind *after* and not behind *before* at which a word begins, else *before*."""
        starts = [sample for said in self._sentences for _, sample in said.words if after < sample <= before]
        return max(starts, default=before)

    def heard(self, samples: int) -> str:
        """Return the text of the first *samples* samples, cut after the last word that was heard whole."""
        ends = [*self.starts, self.length][1:]
        parts = []
        for said, end in zip(self._sentences, ends, strict=True):
            if end == said.start:
                continue  # it has no voice yet
            if end <= samples and all(sample < end for _, sample in said.words):
                parts.append(said.text)
                continue
            if samples > said.start:
                parts.append(_part(said, end, samples))
            break
        return " ".join(part for part in parts if part)


def _part(said: _Said, end: int, samples: int) -> str:
    begun = [char for char, sample in said.words if sample < samples]
    if begun:
        return said.text[: begun[-1]].rstrip()  # the last word begun was cut within
    if said.words:
        return ""
    share = (samples - said.start) / (end - said.start)
    return said.text[: int(len(said.text) * share)].rpartition(" ")[0].rstrip()
