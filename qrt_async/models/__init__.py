"""Frozen values of the service's world, without knowledge of JSON."""
