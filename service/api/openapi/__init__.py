"""The words of the OpenAPI document: a file for each of `service.api.routes`, and words that several share."""
