"""Checks by trying: a switch and the way to it are spoken to and listened to, and what is wrong is said plainly."""
