"""Asking about a room: what is sent, how the answer is read, and the evidence for it."""
