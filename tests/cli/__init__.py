"""The `qrt` command, run as its users run it."""
