"""Protocol cores without input or output: bytes and messages in, line events out, and back."""
