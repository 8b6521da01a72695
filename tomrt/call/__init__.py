"""One call: its nursery and the few tasks in it. Knows engines and lines only through ``tomrt.ports``."""
