"""The face that all benchmarks share."""

from __future__ import annotations

import json

import pytest

from bench.report import BenchmarkError, Row, generator, interleaved, main, show, to_json


@pytest.mark.parametrize(
    ("row", "ratio", "met", "aimed"),
    [
        (Row("a", 2, "µs", peer="p", peer_value=4, bound=0.5, aim=0.4), 0.5, True, False),
        (Row("a", 3, "µs", peer="p", peer_value=4, bound=0.5), 0.75, False, None),
        (Row("a", 3, "µs", peer="absent", bound=0.5), None, None, None),
        (Row("a", 3, "ms", bound=3), None, True, None),
        (Row("a", 3, "dB", bound=4, aim=3, better="higher"), None, False, True),
        (Row("a", 3, "ms", peer="p", peer_value=1, bound=4, compare="value"), 3, True, None),
        (Row("a", 3, "ms", peer="absent", bound=4, compare="value"), None, True, None),
        (Row("a", 0, "digits", peer="p", peer_value=0, bound=0, compare="value"), None, True, None),
        (Row("a", 3, "ms"), None, None, None),
    ],
)
def test_rows(row, ratio, met, aimed):
    """Bounds limit the ratio where there is a peer, else the value; where the peer is absent nothing is said."""
    assert (row.ratio, row.met, row.aimed) == (ratio, met, aimed)


def test_json():
    """The JSON has the members that it is documented to have, null where there is nothing."""
    rows = [Row("a", 2, "µs", peer="p", peer_value=4, bound=0.5), Row("b", 1, "ms", peer="absent", aim=2)]
    document = json.loads(to_json(rows, seed=3, packages={"numpy": "1"}))
    assert list(document) == ["machine", "versions", "seed", "rows"]
    assert (document["seed"], document["versions"]) == (3, {"numpy": "1"})
    assert document["machine"]["cores"] > 0
    assert document["rows"][0] == {
        "name": "a", "value": 2, "unit": "µs", "peer": "p", "peer_value": 4,
        "ratio": 0.5, "bound": 0.5, "aim": None, "met": True,
    }  # fmt: skip
    assert [document["rows"][1][key] for key in ("peer", "peer_value", "ratio", "met")] == [None] * 4


def test_table():
    """The table says which peer is missing and which bound is missed."""
    table = show([Row("fast", 1, "µs", peer="that", bound=2), Row("slow", 5, "ms", bound=2)]).splitlines()
    assert "that (not installed)" in table[1]
    assert table[2].endswith("NO")


def test_interleaved():
    """Candidates take turns, after one call each that is not timed."""
    calls = []
    times = interleaved({name: lambda name=name: calls.append(name) for name in "ab"}, repeats=3, inner=2)
    assert "".join(calls) == "ab" + "aabb" * 3
    assert set(times) == {"a", "b"}
    assert all(seconds > 0 for seconds in times.values())


@pytest.mark.parametrize(("value", "code"), [(1, 0), (3, 1)])
def test_main(value, code, tmp_path, capsys):
    """A run prints what it measured, writes JSON, hands on its seed and tells by its exit code whether bounds hold."""
    path, drawn = tmp_path / "run.json", []

    def rows(quick):
        drawn.append((quick, generator().integers(1000)))
        return [Row("thing", value, "ms", bound=2)]

    assert main("x", {"One": rows, "Two": rows}, arguments=["--quick", "--seed", "5", "--json", str(path)]) == code
    assert drawn[0] == drawn[1]
    assert drawn[0][0] is True
    assert len(json.loads(path.read_text())["rows"]) == 2
    assert main("x", {"One": rows, "Two": rows}, arguments=["--only", "two"]) == code
    assert len(drawn) == 3
    assert "thing" in capsys.readouterr().out


def test_a_benchmark_has_arguments_of_its_own(capsys):
    """A benchmark may add arguments, and make its sections of them."""
    code = main(
        "none",
        lambda chosen: {f"Times {chosen.times}": lambda _: [Row("a", chosen.times, "ms", bound=3)]},
        options=lambda parser: parser.add_argument("--times", type=int),
        arguments=["--times", "4"],
    )
    assert code == 1
    assert "Times 4" in capsys.readouterr().out


def test_nothing_could_be_measured(capsys):
    """A benchmark that fails says so in one sentence, and its exit code differs from that of a missed bound."""

    def fails(_):
        raise BenchmarkError("The service did not start.")

    assert main("none", {"Section": fails}, arguments=[]) == 2
    assert capsys.readouterr().err == "bench.none: Section: The service did not start.\n"
