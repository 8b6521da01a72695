"""Keeps what takes minutes out of the normal run: ``python -m pytest -m "slow or planted" tests/simulation``."""

MARKERS = {
    "slow": "takes minutes; runs when asked for with -m slow",
    "planted": "runs the simulation against a package with a bug planted in it; runs when asked for with -m planted",
}


def pytest_configure(config):
    for name, meaning in MARKERS.items():
        config.addinivalue_line("markers", f"{name}: {meaning}")


def pytest_collection_modifyitems(config, items):
    asked = config.option.markexpr
    kept, left = [], []
    for item in items:
        unasked = any(item.get_closest_marker(name) and name not in asked for name in MARKERS)
        (left if unasked else kept).append(item)
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = kept
