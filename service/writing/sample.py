"""The sample, brought into a service: its documents into a collection, and a second checkpoint to reload."""

import asyncio
from pathlib import Path

from service import sample
from service.checkpoints.bundled import base_folder
from service.writing.writing import Writing


async def add_documents(writing: Writing, collection: str) -> int:
    """Write the documents of the sample into the collection; returns how many it has."""
    documents = sample.documents()
    await writing.put(collection, documents, patient=True)
    return len(documents)


async def add_checkpoint(folder: Path) -> str | None:
    """Put the second checkpoint into the folder, unless it is there.

    Returns its name; None if the base model, of which it is made, is not installed.
    """
    base = base_folder()
    if base is None:
        return None
    await asyncio.to_thread(sample.write_checkpoint, base, folder)
    return sample.SHORT
