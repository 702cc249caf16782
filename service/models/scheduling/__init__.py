"""The two lanes through which every text runs."""
