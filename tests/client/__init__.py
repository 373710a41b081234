"""The client against a service that answers as it is told."""
