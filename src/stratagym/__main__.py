"""``python -m stratagym``: the command line."""

from stratagym.baselines.cli import main

main()
