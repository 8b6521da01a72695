"""Real-time engine for telephone assistants."""
