"""The database's file: made, brought up to date, refused, and what is said when it cannot be used."""

import sqlite3
from contextlib import closing

import pytest
from feedback_examples import NOW, decided, recorded, store_in, told

from tomrt.rl.errors import StoreError
from tomrt.rl.feedback import Signals
from tomrt.rl.store import FeedbackStore
from tomrt.rl.store_schema import APPLICATION_ID, MIGRATIONS, VERSION


def file_of_version(path, version):
    """Make a file as the program of that *version* did, with one call in it."""
    connection = sqlite3.connect(path)
    for statements in MIGRATIONS[:version]:
        for statement in statements:
            connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {version}")
    connection.execute(
        "INSERT INTO decisions (id, at, stored, call, subject, agent, profile, variant, propensity, policy, version,"
        " eligible, probabilities, context, traffic, independent) VALUES (?, 0, 0, 'aa:bb', '', 'main', 'kfz', 'base',"
        " 1.0, 'slots', 0, '[\"base\"]', '[1.0]', '{}', 'active', 1)",
        (f"{1:032x}",),
    )
    connection.execute("INSERT INTO feedback (decision, at, user_rating, observed) VALUES (1, 0, 4, '{}')")
    connection.commit()
    connection.close()


@pytest.mark.parametrize("version", range(1, VERSION + 1))
def test_older_files_are_brought_up_to_date(tmp_path, version):
    """A file of each earlier version keeps its rows and can do what the present one can."""
    path = tmp_path / "feedback.db"
    file_of_version(path, version)
    store = store_in(tmp_path)
    assert [episode.signals for episode in store.episodes()] == [Signals(user_rating=4)]
    recorded(store, 2)
    assert store.collect(told(2), now=NOW).seq == 2
    store.override("base", "active", by="x", why="y", now=NOW)
    assert store.collect(told(77), now=NOW).kind == "unknown"
    store.close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (VERSION,)
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_migration_that_fails_changes_nothing(tmp_path):
    """Where a step cannot be done, the file is as it was, and its rows can still be read by the older program."""
    path = tmp_path / "feedback.db"
    file_of_version(path, 1)
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE counts (other TEXT)")
    connection.commit()
    with pytest.raises(StoreError, match="cannot be used: table counts already exists"):
        store_in(tmp_path)
    assert connection.execute("PRAGMA user_version").fetchone() == (1,)
    assert connection.execute("SELECT name FROM sqlite_master WHERE name = 'overrides'").fetchall() == []
    connection.close()


def test_the_files_are_their_owners_alone(tmp_path):
    """Database, log and index can be read by nobody else, also where an older file could."""
    path = tmp_path / "learning" / "feedback.db"
    store = store_in(path.parent)
    recorded(store)
    assert {file.name for file in path.parent.iterdir()} == {"feedback.db", "feedback.db-wal", "feedback.db-shm"}
    assert {file.stat().st_mode & 0o777 for file in path.parent.iterdir()} == {0o600}
    assert path.parent.stat().st_mode & 0o777 == 0o700
    store.close()
    assert [file.name for file in path.parent.iterdir()] == ["feedback.db"]
    path.chmod(0o644)
    store_in(path.parent).close()
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_newer_file_is_left_alone(tmp_path):
    """A file of a later version is refused for writing and for reading, in a sentence."""
    path = tmp_path / "feedback.db"
    store_in(tmp_path).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    said = f"is of version {VERSION + 1}; this program knows {VERSION} at most"
    with pytest.raises(StoreError, match=said):
        store_in(tmp_path)
    with pytest.raises(StoreError, match=said):
        FeedbackStore.read_only(path)


def test_only_looking_does_not_migrate(tmp_path):
    """Who may not write says that the file is older, and that a service's start brings it up to date."""
    path = tmp_path / "feedback.db"
    with pytest.raises(StoreError, match="there is no feedback database at"):
        FeedbackStore.read_only(path)
    file_of_version(path, 1)
    with pytest.raises(StoreError, match=f"is of version 1; a service that starts brings it to {VERSION}"):
        FeedbackStore.read_only(path)


def test_other_files_are_refused(tmp_path):
    """Text, a database of something else, and a folder are not taken for one of feedback, and stay as they are."""
    path = tmp_path / "feedback.db"
    path.write_text("not a database, but long enough to be looked at" * 100)
    with pytest.raises(StoreError, match="is no database"):
        store_in(tmp_path)
    with pytest.raises(StoreError, match="is no database"):
        FeedbackStore.read_only(path)
    path.unlink()
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE calls (x)")
    other.commit()
    with pytest.raises(StoreError, match="is a database, but not one of feedback"):
        store_in(tmp_path)
    other.close()
    path.unlink()
    path.mkdir()
    with pytest.raises(StoreError, match="cannot be opened: Is a directory"):
        store_in(tmp_path)


def test_a_locked_database_is_told(tmp_path):
    """Where another process holds the lock for too long, one sentence says so; afterwards it goes on."""
    store = store_in(tmp_path, patience_s=0.0)
    recorded(store)
    other = sqlite3.connect(tmp_path / "feedback.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    for write in (
        lambda: recorded(store, 2),
        lambda: store.collect(told(), now=NOW),
        lambda: store.override("base", "active", by="x", why="y", now=NOW),
        lambda: store.clean_up(before=1e12),
        lambda: store.number_after(9),
    ):
        with pytest.raises(StoreError, match=rf"^the feedback database {store.path} is locked by another process$"):
            write()
    other.execute("ROLLBACK")
    other.close()
    assert store.collect(told(), now=NOW).kind == "new"
    store.close()


def test_a_full_disk_is_told(tmp_path):
    """Where the disk takes no more, one sentence says so, nothing is half stored, and what was stored can be read."""
    store = store_in(tmp_path)
    recorded(store)
    store._connection.execute("PRAGMA max_page_count = 12")
    with pytest.raises(StoreError, match=r"cannot grow: the disk is full$"):
        for number in range(2, 2000):
            recorded(store, number)
    known = store.statistics().decisions
    assert known == number - 1
    store._connection.execute("PRAGMA max_page_count = 100000")
    assert recorded(store, number) == number
    store.close()


def test_a_damaged_file_is_told(tmp_path):
    """Pages that were overwritten by something else are told in a sentence, whatever is asked."""
    store = store_in(tmp_path)
    for number in range(1, 200):
        recorded(store, number)
    store.close()
    path = tmp_path / "feedback.db"
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\x07" * (len(content) - 4096))
    store = store_in(tmp_path)
    with pytest.raises(StoreError, match="is damaged"):
        recorded(store, 500)
    store.close()


def test_a_closed_store_says_so(tmp_path):
    """Using a store that is closed is a fault of its own, not one of SQLite; closing twice is none."""
    store = store_in(tmp_path)
    store.close()
    store.close()
    with pytest.raises(StoreError, match="cannot be used: cannot operate on a closed database"):
        store.record(decided(), call_id="c", agent="main", profile="kfz", now=NOW)
