"""Asking a vision-language model: requests, backends, and reading what comes back."""
