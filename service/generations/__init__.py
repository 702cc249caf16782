"""Which generation answers: built, activated, restored, told of."""
