"""Puts ``tests/`` on the path, so that tests can import ``fakes``."""
