"""Whole calls in virtual time, with everything that can go wrong: ``python -m tomrt sim`` replays any seed."""
