"""What was meant, submitted and finished: the record that survives the process."""

from qrt_async.journal.records import (
    BudgetState,
    Intent,
    Lease,
    Owner,
    SessionEntry,
    Submission,
    SubmissionState,
)

__all__ = ["BudgetState", "Intent", "Lease", "Owner", "SessionEntry", "Submission", "SubmissionState"]
