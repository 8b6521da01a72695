"""What is said: the call's states, scripts, grammars and sentences; pure values and pure functions."""
