"""The protocol without I/O: what is asked, and what a reply means."""
