"""Environments: task graphs, worlds, the transition, domains, views, pictures and adapters."""
