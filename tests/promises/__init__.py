"""What the client promises, broken on purpose."""
