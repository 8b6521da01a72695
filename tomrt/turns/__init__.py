"""Whose turn it is: endpointing, the barge-in decision, and the machine that joins them. Pure; time is an argument."""
