"""What the service says no with, before a host's own shape is put around it."""

from __future__ import annotations


class Refusal(Exception):
    """A request the service refuses: HTTP status, the service's code (None where none is known), words.

    Codes are those of IBM's error registry page; `solution` may be empty. A `bare` one has nothing but its message.
    """

    def __init__(
        self, status: int, code: int | str | None, message: str, solution: str = "", *, bare: bool = False
    ) -> None:
        super().__init__(message)
        self.status: int = status
        self.code: int | str | None = code
        self.message: str = message
        self.solution: str = solution
        self.bare: bool = bare


def bad_body(problem: str) -> Refusal:
    """Refuse a request body; `problem` names the path that is wrong."""
    return Refusal(
        400, 1208, f"The request body is not valid: {problem}.", "Correct the request body and send it again."
    )


def bad_query(problem: str) -> Refusal:
    """Refuse a query parameter; `problem` names it."""
    return Refusal(400, 1208, f"The request query is not valid: {problem}.", "Correct the query and send it again.")


def invalid_credentials() -> Refusal:
    """Refuse a missing, unknown, revoked or expired credential."""
    return Refusal(401, 1201, "Invalid credentials.", "Verify your credentials and try again.")


def unknown_job(job_id: str) -> Refusal:
    """Refuse a job id that is unknown, or known to another tenant only."""
    return Refusal(
        404,
        1291,
        f"Job not found. Job ID: {job_id}",
        "Verify the job ID is correct and that you have the correct access permissions.",
    )


def unknown_session(session_id: str) -> Refusal:
    """Refuse a session id that is unknown, or known to another tenant only."""
    return Refusal(
        404,
        None,
        f"Session not found. Session ID: {session_id}",
        "Verify the session ID is correct and that you have the correct access permissions.",
    )


def unknown_backend(name: str) -> Refusal:
    """Refuse the name of a backend that the emulator does not offer."""
    return Refusal(404, 1216, f"Backend not found: {name}", "Choose one of the backends you have access to.")


def unknown_instance(crn: str) -> Refusal:
    """Refuse an instance of another region (404 and code 1279, seen live)."""
    return Refusal(404, 1279, f"Instance {crn} not found", "Verify the CRN and the region of your instance.")


def no_custom_calibrations() -> Refusal:
    """Refuse a `calibration_id` on a plan without custom calibrations (the words are near those seen live)."""
    return Refusal(
        403,
        1200,
        "You are not authorized to use custom calibrations with your current service plan.",
        "Leave calibration_id out.",
    )
