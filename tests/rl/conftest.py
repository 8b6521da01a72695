"""Keeps what takes long out of the normal run: ``python -m pytest -m slow tests/rl``."""


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: takes minutes; runs when asked for with -m slow")


def pytest_collection_modifyitems(config, items):
    if "slow" in config.option.markexpr:
        return
    left = [item for item in items if item.get_closest_marker("slow")]
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if item not in left]
