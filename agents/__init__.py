"""Agents: what plays a task, given an ``Observation`` and never an environment."""
