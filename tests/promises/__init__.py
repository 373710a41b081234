"""The promises of the design, each broken on purpose."""
