"""Tests of the service: mostly against a real process over real sockets, with the real model."""
