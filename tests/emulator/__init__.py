"""The emulator, tested from outside over sockets and from inside by its pure functions."""
