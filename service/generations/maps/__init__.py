"""Maps: the documents of a generation in two dimensions, computed when somebody asks for it and kept on the disk."""
