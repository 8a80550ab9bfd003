"""A server for models with the OpenAI chat protocol (extra `serve`): `spaceland serve`."""
