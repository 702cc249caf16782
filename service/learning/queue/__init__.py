"""The queue of questions that are worth a person's minute, with passages to judge."""
