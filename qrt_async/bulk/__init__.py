"""Many PUBs: packed into few jobs, spread over backends, given back as they complete."""
