"""The console: pages for people, which show and do nothing but what the public API answers and does."""
