"""What was meant, submitted and finished: the record that survives the process."""

from qrt_async.journal.journal import Journal
from qrt_async.journal.records import (
    BudgetState,
    Intent,
    Lease,
    Owner,
    SessionEntry,
    Submission,
    SubmissionState,
)
from qrt_async.journal.spool import Spool

__all__ = [
    "BudgetState",
    "Intent",
    "Journal",
    "Lease",
    "Owner",
    "SessionEntry",
    "Spool",
    "Submission",
    "SubmissionState",
]
