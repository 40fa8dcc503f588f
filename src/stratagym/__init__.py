"""Stratagym."""
