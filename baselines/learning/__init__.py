"""Learning: what stands between our environments and Stable-Baselines3.

Owns adapters, networks, rollout buffers, checkpoints, demonstrations and trained agents.
All of it needs the extra ``train`` and is imported late. The course of a run is in
``baselines/train.py``, its settings are data in ``baselines/methods``.
"""
