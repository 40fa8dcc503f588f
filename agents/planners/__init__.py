"""Agents that decide without learning: dispatching rules, reward propagation, search, replay."""
