"""The index on FAISS, with its vectors on the disk."""
