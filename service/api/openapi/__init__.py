"""The words of the OpenAPI document: a file for each of `service.api.routes`, and what all of them share."""
