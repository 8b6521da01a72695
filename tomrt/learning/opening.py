"""Opens learning as the settings ask for it: the variants, the folder, and the policy as it was."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from tomrt.errors import SettingsError
from tomrt.events import Style
from tomrt.learning.archive import Archive
from tomrt.learning.keeper import Keeper
from tomrt.learning.recall import recall
from tomrt.learning.router import Router
from tomrt.ports import Tap
from tomrt.rl.audit import AuditLog
from tomrt.rl.errors import InvalidVariants, LearningError
from tomrt.rl.key_ring import KeyRing
from tomrt.rl.learning_folder import AUDIT, CANDIDATES, FEEDBACK, KEYS, POLICY
from tomrt.rl.state_file import StateFile
from tomrt.rl.store import FeedbackStore
from tomrt.rl.variants import Catalogue, load
from tomrt.settings import Learning as Settings

__all__ = ["open_learning", "read_catalogue", "styles_of"]

log = logging.getLogger("tomrt.learning")

DAY_S = 86_400.0


def read_catalogue(settings: Settings) -> Catalogue:
    """Read the variants, with the candidates that training has added.

    Candidates that do not fit the variants any more are left out, with a line in the log.

    Raises:
        SettingsError: with every fault of the file of variants.
    """
    own = Path(settings.variants) if settings.variants else None
    candidates = Path(settings.folder) / CANDIDATES
    try:
        catalogue = load(own)
        if not candidates.exists():
            return catalogue
    except InvalidVariants as error:
        raise SettingsError(*(f"learning.variants: {fault}" for fault in error.faults)) from error
    try:
        return load(own, candidates=candidates)
    except InvalidVariants as error:
        log.warning("candidates are left out: %s", error)
        return catalogue


def styles_of(catalogue: Catalogue, language: str) -> Mapping[str, Style]:
    """Return the style of each variant in *language*, a BCP 47 tag."""
    language = language.partition("-")[0].lower()
    styles = {}
    for name in catalogue.variants:
        wording = catalogue.wording(name, language)
        styles[name] = Style(
            name=name,
            greeting=wording.greeting,
            closing_question=wording.closing_question,
            closing_again=wording.closing_again,
            acknowledge=wording.acknowledge,
            length="short" if wording.length == "short" else "normal",
            inquiry="guided" if wording.inquiry == "guided" else "open",
            sensitivity=wording.sensitivity,
            escalate_after=wording.escalate_after,
            instructions=wording.instructions,
        )
    return styles


def open_learning(
    settings: Settings,
    language: str,
    tap: Tap,
    *,
    rng: np.random.Generator | None = None,
    clock: Callable[[], float] | None = None,
) -> Keeper | None:
    """Open what calls teach.

    Args:
        settings: What to do; ``folder`` is not empty.
        language: Of the dialogue, a BCP 47 tag.
        tap: Takes what happens in learning.
        rng: Where all randomness comes from; ``None`` takes it from the system.
        clock: Gives the time in seconds since 1970; ``None`` takes the system's at the start, and counts on from there.

    Returns:
        ``None``, with a line in the log, where the folder cannot be used now: calls are answered all the same.

    Raises:
        SettingsError: the variants are wrong, or there is no such profile.
    """
    catalogue = read_catalogue(settings)
    if settings.profile.strip() not in catalogue.profiles:
        known = ", ".join(catalogue.profiles)
        raise SettingsError(f"learning.profile: must be one of {known}, not {settings.profile!r}")
    clock = clock or _steady_clock()
    rng = rng or np.random.default_rng()
    try:
        return _open(settings, catalogue, styles_of(catalogue, language), tap, rng, clock)
    except (LearningError, OSError) as error:
        log.error("nothing is learned: %s; all calls have the base variant", error)
        return None


def _open(  # noqa: PLR0917 - each of them once
    settings: Settings,
    catalogue: Catalogue,
    styles: Mapping[str, Style],
    tap: Tap,
    rng: np.random.Generator,
    clock: Callable[[], float],
) -> Keeper:
    folder = Path(settings.folder)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    state = StateFile(folder / POLICY)
    state.lock()
    keys = KeyRing.open(folder / KEYS, clock(), rotate_days=settings.key_days, keep_days=settings.keep_days)
    store = FeedbackStore.open(folder / FEEDBACK, keys, profiles=catalogue.profiles)
    recalled = recall(catalogue, state, store, rng, clock())
    router = Router(
        policy=recalled.policy,
        styles=styles,
        tap=tap,
        agent=settings.agent.strip(),
        profile=settings.profile.strip(),
        explore=settings.explore,
        clock=clock,
        keys=keys,
    )
    router.changes = recalled.changes
    return Keeper(
        router=router,
        archive=Archive(store, state, AuditLog(folder / AUDIT), keys, settings.keep_days * DAY_S),
        seq=recalled.seq,
        override_seq=recalled.override_seq,
    )


def _steady_clock() -> Callable[[], float]:
    """Return a clock that shows the system's time of now, and is not moved by whoever sets that."""
    offset = time.time() - time.monotonic()
    return lambda: offset + time.monotonic()
