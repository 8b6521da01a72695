"""What happened, for people and machines: metrics, logs, recorded actions. Fed by the tap, never fed back."""
