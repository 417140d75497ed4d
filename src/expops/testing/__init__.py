"""Conformance suites and fixtures, for the project and for people who write backends."""
