"""The tests of qrt_async."""
