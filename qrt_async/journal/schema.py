"""The tables of the journal."""

from __future__ import annotations

TABLES = (
    "CREATE TABLE settings (name text PRIMARY KEY, value text NOT NULL)",
    """
    CREATE TABLE runs (
        number integer PRIMARY KEY, id text NOT NULL UNIQUE, owner text NOT NULL, expires double precision NOT NULL,
        expected integer NOT NULL, delivered integer NOT NULL
    )
    """,
    """
    CREATE TABLE submissions (
        number integer PRIMARY KEY, tag text NOT NULL UNIQUE, run integer NOT NULL, tenant text NOT NULL, key text,
        digest text NOT NULL, program text NOT NULL, backend text NOT NULL, private integer NOT NULL, session_id text,
        positions text NOT NULL, state text NOT NULL, created double precision NOT NULL, job_id text, status text,
        reason text, UNIQUE (tenant, key)
    )
    """,
    "CREATE INDEX submissions_of_run ON submissions (run, number)",
    "CREATE INDEX submissions_by_job ON submissions (job_id)",
    """
    CREATE TABLE pubs (
        run integer NOT NULL, position integer NOT NULL, digest blob NOT NULL, delivered integer NOT NULL,
        PRIMARY KEY (run, position)
    )
    """,
    "CREATE TABLE spools (job_id text PRIMARY KEY, whole integer NOT NULL)",
    """
    CREATE TABLE chunks (
        job_id text NOT NULL, number integer NOT NULL, data blob NOT NULL, PRIMARY KEY (job_id, number)
    )
    """,
    """
    CREATE TABLE sessions (
        token text PRIMARY KEY, run integer NOT NULL, backend text NOT NULL, mode text NOT NULL, session_id text,
        ended integer NOT NULL, created double precision NOT NULL
    )
    """,
    "CREATE INDEX sessions_of_run ON sessions (run, created)",
    "CREATE INDEX sessions_by_id ON sessions (session_id)",
    """
    CREATE TABLE quota_starts (
        ticket text PRIMARY KEY, tenant text NOT NULL, owner text NOT NULL, begun double precision NOT NULL,
        ended double precision
    )
    """,
    "CREATE INDEX quota_starts_of_tenant ON quota_starts (tenant)",
    "CREATE TABLE quota_holds (tenant text PRIMARY KEY, until double precision NOT NULL)",
    """
    CREATE TABLE budgets (
        name text NOT NULL, tag text NOT NULL, reserved double precision NOT NULL, spent double precision,
        PRIMARY KEY (name, tag)
    )
    """,
    "CREATE INDEX budgets_by_tag ON budgets (tag)",
)
