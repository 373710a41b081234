"""The parts of the command that are plain functions."""

from __future__ import annotations

import datetime as dt
import json
import math
from typing import Any

import numpy as np
import pytest

from qrt_async import (
    BitArray,
    EstimatorData,
    InvalidOption,
    JobDetails,
    JobStatus,
    NotFound,
    PrimitiveResult,
    PubResult,
    QuotaTimeout,
    RequestTimeout,
    SamplerData,
    UnknownJobStatus,
    WaitTimeout,
)
from qrt_async.cli.app import run_app
from qrt_async.cli.documents import document
from qrt_async.cli.exit import ExitStatus, status_of
from qrt_async.cli.histogram import histogram
from qrt_async.cli.jobs import age
from qrt_async.cli.output import cell, printable
from qrt_async.cli.run import declared_qubits
from qrt_async.cli.watch import Watched
from qrt_async.secret import Secret

NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    "command",
    ["", "run", "jobs", "job", "result", "cancel", "watch", "sessions", "sessions close-all", "usage", "account save"],
)
def test_help(command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command explains itself within the width of the terminal."""
    monkeypatch.setenv("COLUMNS", "80")

    assert run_app([*command.split(), "--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"Usage: qrt {command}".rstrip())
    assert [line for line in lines if len(line) > 80] == []


@pytest.mark.parametrize(
    ("program", "qubits"),
    [
        ("qubit[2] q;", 2),
        ("qreg a[3]; qreg b[4];", 7),
        ("qubit a; qubit [ 5 ] b;", 6),
        ("const int n = 3; qubit[n] q;", 1),
        ("x $0;", 1),
    ],
)
def test_declared_qubits(program: str, qubits: int) -> None:
    """A program's own declarations tell how many qubits a backend needs at least."""
    assert declared_qubits(program) == qubits


def test_a_histogram_of_many() -> None:
    """Of many bitstrings the most frequent are shown, and the rest is counted."""
    lines = histogram({format(i, "05b"): i + 1 for i in range(20)}, most=2).splitlines()

    assert [line.split()[:2] for line in lines[:2]] == [["10011", "20"], ["10010", "19"]]
    assert lines[2] == "and 18 more"


def test_a_histogram_of_wide_registers() -> None:
    """A bitstring that is wider than a terminal is shown in hexadecimal, all its bits counted."""
    [line] = histogram({"0" * 150 + "11": 4}).splitlines()

    assert line.startswith("0x" + "0" * 37 + "3  4  ")
    assert len(line) <= 80


def test_a_histogram_of_nothing() -> None:
    """A register without shots has no bars."""
    assert histogram({}) == ""


def sampled(array: Any, bits: int) -> PrimitiveResult[SamplerData]:
    """Return the result of one PUB with one register."""
    register = BitArray(np.asarray(array, dtype=np.uint8), bits)
    return PrimitiveResult((PubResult(SamplerData({"c": register}), {"spans": object(), "shots": 2}),))


def test_a_sweep_keeps_its_shape() -> None:
    """The counts of a sweep are nested as its parameter values are."""
    found = document(sampled([[[1], [1]], [[0], [3]]], 2))

    assert found["pubs"][0]["data"]["c"]["counts"] == [{"01": 2}, {"00": 1, "11": 1}]
    assert found["pubs"][0]["metadata"] == {"shots": 2}


def test_no_number_is_null() -> None:
    """What JSON cannot say is null or a pair, at any depth."""
    evs = np.array([1.5, math.nan, math.inf])
    data = EstimatorData({"evs": evs, "stds": None, "raw": np.array([1 + 2j])})
    found = document(PrimitiveResult((PubResult(data, {}),)))

    assert json.loads(json.dumps(found, allow_nan=False))["pubs"][0]["data"] == {
        "evs": [1.5, None, None],
        "stds": None,
        "raw": [[1.0, 2.0]],
    }


def test_a_secret_is_in_no_document() -> None:
    """A secret that gets into a document by mistake stops it."""
    with pytest.raises(TypeError):
        document({"key": Secret("x")})


def test_control_characters_are_replaced() -> None:
    """What could steer a terminal is shown as unprintable; line ends stay."""
    assert printable("a\x1b[2J\x07\nb\u009bc") == "a�[2J�\nb�c"


@pytest.mark.parametrize(
    ("value", "text"), [(None, "-"), ("", "-"), (True, "yes"), (0.00381, "0.00381"), (195000.0, "195000"), (0, "0")]
)
def test_cells(value: object, text: str) -> None:
    """A table shows what there is, and a dash where there is nothing."""
    assert cell(value).plain == text


@pytest.mark.parametrize(("seconds", "text"), [(0, "0s"), (59, "59s"), (60, "1m"), (7200, "2h"), (200_000, "2d")])
def test_ages(seconds: int, text: str) -> None:
    """An age is told in its largest unit."""
    assert age(NOON - dt.timedelta(seconds=seconds), NOON) == text


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InvalidOption("x"), ExitStatus.USAGE),
        (NotFound("x", operation="o", status=404), ExitStatus.REFUSED),
        (RequestTimeout("x", operation="o"), ExitStatus.NO_ANSWER),
        (UnknownJobStatus("j", "Pondering"), ExitStatus.NO_ANSWER),
        (WaitTimeout("x"), ExitStatus.TIMEOUT),
        (QuotaTimeout(2.0, 1.0), ExitStatus.TIMEOUT),
    ],
)
def test_exit_statuses(error: Exception, status: ExitStatus) -> None:
    """Each branch of the tree of errors has its exit status."""
    assert status_of(error) is status


def test_watching_knows_what_is_news() -> None:
    """A job is news when it is new or its status changed, and counts as waiting until it is over."""
    seen = Watched()
    job = JobDetails(id="j", status=JobStatus.QUEUED, program="sampler", created=NOON)

    assert (seen.see(job), seen.see(job), seen.waiting, seen.since) == (True, False, {"j"}, NOON)
    assert seen.see(JobDetails(id="j", status=JobStatus.COMPLETED, program="sampler"))
    assert (seen.waiting, seen.since) == (set(), None)
