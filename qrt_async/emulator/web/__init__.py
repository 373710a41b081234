"""The emulator's web face: aiohttp's server lives here and nowhere else."""
