"""Experiments: the command line, evaluation, suites, speed. Sees every other room; nothing imports it."""
