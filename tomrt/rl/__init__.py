"""Learning from outcomes, importable alone: bandits, guarded roll-out, feedback and reward. Needs numpy and attrs."""
