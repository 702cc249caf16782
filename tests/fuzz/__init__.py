"""Requests made of the OpenAPI document, right ones and wrong ones, by schemathesis: all its checks, on every route."""
