"""IBM's own client, unmodified, against the emulator."""
