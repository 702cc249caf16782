"""The index on FAISS, its vectors on the disk."""
