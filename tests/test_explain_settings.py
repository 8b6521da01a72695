"""The commented example file says what the settings are."""

from __future__ import annotations

import tomllib
from pathlib import Path

import attrs

from tomrt.settings import Auth, Gateway, Secret, Settings, explain, sections
from tomrt.settings_file import load
from tomrt.settings_meaning import meaning_of

EXAMPLE = Path(__file__).parents[1] / "deploy" / "tomrt.toml"


def test_the_example_file_is_the_explanation():
    """deploy/tomrt.toml is what --explain-settings prints, letter for letter."""
    assert EXAMPLE.read_text() == explain()


def test_the_example_file_is_the_defaults():
    """Loading the example file as it stands changes nothing."""
    assert load(EXAMPLE, {}) == Settings()


def test_every_setting_is_explained():
    """Each key stands in the explanation with its default, and each has a meaning that is a sentence."""
    tree = tomllib.loads(explain())
    for name, cls in sections():
        for each in attrs.fields(cls):
            shown = "" if isinstance(each.default, Secret) else each.default
            assert tree[name][each.name] == shown
            assert meaning_of(each).text.endswith(".")


def test_the_settings_in_force_are_shown_beside_the_defaults(tmp_path):
    """Given settings are shown with the default where it differs, can be loaded again, and hide the secret."""
    settings = Settings(gateway=Gateway(max_calls=7, host='q"\\'), auth=Auth(secret=Secret("k" * 40)))
    text = explain(settings)
    assert "# Default: 32\nmax_calls = 7\n" in text
    assert "# secret is set and not shown" in text
    path = tmp_path / "shown.toml"
    path.write_text(text)
    assert load(path, {"TOMRT_AUTH__SECRET": "k" * 40}) == settings


def test_lines_are_short_and_plain():
    """The explanation fits a terminal of 120 columns in plain ASCII."""
    assert explain().isascii()
    assert max(map(len, explain().splitlines())) <= 120
