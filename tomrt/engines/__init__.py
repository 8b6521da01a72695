"""Recognisers, language models and voices behind the ports, and the local session that strings them together."""
