"""The part of Instar that people and programs call: the command line, the client, and the stores of frameworks."""
