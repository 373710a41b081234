"""`qrt jobs`, `job`, `cancel`, `watch`, `sessions` and `usage`: what became of what was begun."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import LONG, LONG_SHOTS, WRONG, Qrt, valid

pytestmark = pytest.mark.timeout(180)  # dozens of processes, on machines that have others to run


def test_jobs_are_listed_by_what_they_are(qrt: Qrt) -> None:
    """Filters narrow the list, newest first; the table fits the terminal and the document has the same jobs."""
    first, second = qrt.submit("--tag=one", "--tag=both"), qrt.submit("--tag=two", "--tag=both")
    assert qrt("watch", first, second, "--interval=1").status == 0

    def found(*arguments: str) -> list[str]:
        jobs = qrt("jobs", "--json", *arguments).document("jobs")["jobs"]
        return [job["id"] for job in jobs]

    assert found("--tag=both", "--finished") == [second, first]
    assert found("--limit=1", "--after=2020-01-01", "--backend=ibm_fez", "--program=sampler") == [second]
    assert found("--before=2020-01-01") == []
    table = qrt("jobs", "--tag=one")
    assert table.out.splitlines()[0].split() == ["ID", "STATUS", "BACKEND", "PROGRAM", "AGE", "SECONDS", "TAGS"]
    assert table.out.splitlines()[1].split()[:4] == [first, "Completed", "ibm_fez", "sampler"]
    nothing = qrt("jobs", "--pending")
    assert (nothing.status, nothing.out, nothing.err) == (0, "", "There are no such jobs.\n")


def test_a_job_tells_its_reason_and_what_to_do(qrt: Qrt) -> None:
    """A failed job shows reason, code and solution; one that is over has no queue any more."""
    job = qrt.submit(program=WRONG)
    assert qrt("watch", job, "--interval=1").status == 1

    shown = qrt("job", job)
    found = qrt("job", job, "--json").document("job")
    assert found["job"]["status"] == "Failed"
    assert found["backend_queue"] is None
    said = " ".join(shown.out.split())
    for words in (found["job"]["reason"], str(found["job"]["code"]), found["job"]["solution"]):
        assert " ".join(words.split()) in said


def test_a_waiting_job_tells_its_queue(qrt: Qrt) -> None:
    """While a job waits or runs, the length of its backend's queue is told; `cancel` ends it, once."""
    job = qrt.submit(f"--shots={LONG_SHOTS}", program=LONG)

    shown = qrt("job", job)
    assert "jobs wait for ibm_fez" in shown.out
    ended = qrt("cancel", job, "--json").document("cancel")
    assert ended == {"jobs": [{"id": job, "cancelled": True, "error": None}]}
    again = qrt("cancel", job)
    assert (again.status, "was over already" in again.out) == (0, True)


def test_cancelling_by_tag(qrt: Qrt) -> None:
    """With a tag all jobs are cancelled that have it, and no other."""
    spared = qrt.submit(f"--shots={LONG_SHOTS}", "--tag=spared", program=LONG)
    meant = qrt.submit(f"--shots={LONG_SHOTS}", "--tag=meant", program=LONG)

    assert qrt("cancel", "--tag=meant", "--json").document("cancel")["jobs"][0]["id"] == meant
    pending = qrt("jobs", "--pending", "--json").document("jobs")["jobs"]
    assert [job["id"] for job in pending] == [spared]
    assert qrt("cancel", spared).status == 0


def test_one_unknown_job_among_others(qrt: Qrt) -> None:
    """What became of each job is told, and one that could not be cancelled makes the status 1."""
    job = qrt.submit(f"--shots={LONG_SHOTS}", program=LONG)
    done = qrt("cancel", "no-such-job", job, "--json")

    assert done.status == 1
    unknown, known = valid("cancel", done.out)["jobs"]
    assert (unknown["cancelled"], "404" in unknown["error"]) == (False, True)
    assert known == {"id": job, "cancelled": True, "error": None}


def test_watching_tells_every_change(qrt: Qrt) -> None:
    """Without a terminal each change is a line, with --json a document, until all jobs are over."""
    jobs = {qrt.submit(), qrt.submit(program=WRONG)}
    done = qrt("watch", *jobs, "--interval=1", "--json")

    assert done.status == 1
    seen = [valid("watch", line)["job"] for line in done.out.splitlines()]
    last = {job["id"]: job["status"] for job in seen}
    assert set(last) == jobs
    assert sorted(last.values()) == ["Completed", "Failed"]


def test_watching_ends_with_its_time(qrt: Qrt) -> None:
    """A --timeout ends the watching with status 4, and the jobs go on."""
    job = qrt.submit(f"--shots={LONG_SHOTS}", program=LONG)
    done = qrt("watch", "--interval=1", "--timeout=0")
    waited = qrt("result", job, "--timeout=1")
    cancelled = qrt("cancel", job)

    assert (done.status, done.out.split()[0]) == (4, job)
    assert (waited.status, "goes on" in " ".join(waited.err.split())) == (4, True)
    assert cancelled.status == 0
    nothing = qrt("watch")
    assert (nothing.status, nothing.err) == (0, "No such job waits or runs.\n")


def test_closing_all_sessions(qrt: Qrt) -> None:
    """Nothing is ended unasked; with --yes every open session takes no more jobs, and the list is empty."""
    job = qrt.submit("--session", f"--shots={LONG_SHOTS}", program=LONG)
    [open_one] = qrt("sessions", "--json").document("sessions")["sessions"]
    assert open_one["mode"] == "session"
    assert open_one["id"] in qrt("sessions").out

    unasked = qrt("sessions", "close-all")
    assert (unasked.status, "--yes" in unasked.err) == (2, True)
    ended = qrt("sessions", "close-all", "--yes", "--now", "--json").document("sessions close-all")
    assert ended == {"sessions": [{"id": open_one["id"], "error": None}]}
    qrt("cancel", job)
    assert qrt("sessions").err == "No session is open.\n"


def test_usage(qrt: Qrt) -> None:
    """What the instance used is told in seconds."""
    job = qrt.submit()
    qrt("result", job)
    charged = qrt("job", job, "--json").document("job")["job"]["qpu_seconds"]
    found = qrt("usage", "--json").document("usage")

    assert found["platform"] == "ibm_quantum"
    assert found["usage"]["consumed_seconds"] == charged > 0
    assert f"{charged:g} s" in qrt("usage").out


def test_documents_are_json_even_where_numbers_are_none(qrt: Qrt) -> None:
    """What no JSON number can say is null: standard parsers read every answer."""
    done = qrt("usage", "--json")

    assert json.loads(done.out, parse_constant=lambda name: f"{name} is no JSON")["usage"]["limit_seconds"] is None
