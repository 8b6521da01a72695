"""The only bridge between calls and :mod:`tomrt.rl`: chooses each call's way of talking, and learns from its end."""
