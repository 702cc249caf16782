"""Moving everything that must not be lost from a data folder to PostgreSQL, or back."""
