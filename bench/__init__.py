"""Measurements of tomrt beside its peers, each run as ``python -m bench.NAME [--quick] [--json FILE] [--seed N]``."""
