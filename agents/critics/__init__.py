"""Judging what came of an option: whether the world and the graph changed as they should."""
