"""The commands on checkpoints and services: package, verify, send."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field
from pydantic_settings import CliPositionalArg

from service.checkpoints.contents import REPORT
from service.checkpoints.names import NAME
from trainer.commands.command import Answer, Command
from trainer.commands.flag_groups import ADMIN_KEY_HELP, Address, Publishing, Signing, Splitting, admin_key
from trainer.data import formats
from trainer.errors import BadData

if TYPE_CHECKING:
    from service.checkpoints.checkpoint import Checkpoint


class Package(Signing, Publishing):
    """Make a checkpoint with a manifest from a trained model."""

    EXAMPLE: ClassVar[str] = "tuned --name handbook --unproven"

    model: CliPositionalArg[Path] = Field(
        description="sentence-transformers folder, of an embedding model or a cross-encoder"
    )
    out: Path = Field(Path("checkpoints"), description="folder of checkpoints")
    name: str = Field(description="name of the package", pattern=f"^{NAME.pattern}$")
    zip: bool = Field(False, description="write the package as a zip, too")
    unproven: bool = Field(False, description="package a model that no gate has promoted")
    report: bool = Field(True, description="keep the report of the run, which has texts of the data")

    def answer(self) -> Answer:
        from trainer import base_model  # noqa: PLC0415
        from trainer.ship import package  # noqa: PLC0415

        self.require_free(self.out / self.name, "a package", "choose another --name")
        with base_model.open(str(self.model), kinds=("dense", "reranker")) as source:
            outcome = package.outcome(source)
            if outcome != "PROMOTE" and not self.unproven:
                judged = f"the gate said {outcome} of it" if outcome else "no gate has judged it"
                raise BadData(f"{self.model} is not proven better, {judged}: package it all the same with --unproven")
            packaged = package.repackage(
                source, self.name, self.out, package.signer(self.sign_with), with_report=self.report
            )
        return published(packaged, self.out, self.name, zipped=self.zip)


class Verify(Command):
    """Check a package as the service would: file hashes, kinds, and vectors."""

    EXAMPLE: ClassVar[str] = "checkpoints/handbook"

    package: CliPositionalArg[str] = Field(description="folder or zip")

    def answer(self) -> Answer:
        from trainer.ship import package  # noqa: PLC0415

        checkpoint = package.verify(self.package)
        return Answer(
            f"{checkpoint.id} is sound: {len(checkpoint.files)} files,"
            f" document fingerprint {checkpoint.fingerprint[:12]}",
            {"id": checkpoint.id, "document_fingerprint": checkpoint.fingerprint},
        )


class Send(Splitting):
    """Give a service the judged test questions, by which it judges every reload."""

    EXAMPLE: ClassVar[str] = "judged --format beir --url http://127.0.0.1:8080"

    data: CliPositionalArg[str] = Field(description="file or folder, or the URL of DocsGPT's PostgreSQL")
    url: Address = Field(description="URL of the service, whose documents have the same ids")
    collection: str = Field("default", description="collection of the documents there")
    admin_key: str | None = Field(None, description=ADMIN_KEY_HELP)

    def answer(self) -> Answer:
        from trainer.ship import delivery  # noqa: PLC0415

        if self.format == formats.INSTAR:
            raise BadData(
                "a service's own judgements of the side train are trained on, so send others: name their file"
            )
        dataset, how = self.divided(self.data)
        counts = delivery.judge_by(
            self.url,
            dataset,
            "test",
            collection=self.collection,
            key=admin_key(self.admin_key),
            source=f"the test questions of {self.data}",
        )
        changes = ", ".join(f"{counts[what]} {what}" for what in ("added", "changed", "removed"))
        # Services of former versions judge by all questions.
        judging = counts.get("judging", counts["queries"])
        text = (
            f"{self.url} judges reloads by {judging} questions ({counts['judgements']} judgements: {changes}"
            f" in {self.collection}); {how}"
        )
        if counts["unresolved"]:
            text += (
                f"\n{counts['unresolved']} judgements do not count, because {self.collection} does not have their"
                " documents: GET /admin/judgements?unresolved=true lists them"
            )
        return Answer(text, {**counts})


def published(packaged: Checkpoint, folder: Path, name: str, *, zipped: bool) -> Answer:
    """The answer about the package `folder`/`name`. With `zipped`, its zip is written beside it."""
    from trainer.ship import delivery, package  # noqa: PLC0415

    if zipped:
        package.pack(folder / name, folder / f"{name}.zip")
    reload = json.dumps(delivery.order(name, packaged.kind))
    texts = (
        f"\nit has {REPORT}, with questions and passages of the data; --no-report leaves that out"
        if REPORT in packaged.files
        else ""
    )
    return Answer(
        f"{packaged.id} is in {folder / name}; reload it with\n"
        f"  curl -d '{reload}' -H 'Content-Type: application/json' http://127.0.0.1:8080/admin/reload{texts}",
        {"checkpoint": packaged.id, "folder": str(folder / name)},
    )
