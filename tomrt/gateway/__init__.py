"""How calls and requests come in: the front door, the HTTP server behind it, and the lines of FreeSWITCH."""
