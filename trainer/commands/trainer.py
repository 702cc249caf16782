"""All commands of `python -m trainer`."""

from pydantic import Field
from pydantic_settings import BaseSettings, CliSubCommand, SettingsConfigDict

from trainer.commands.data import Generate, Import, Inspect, Mine
from trainer.commands.proof import Evaluate, Gate, Pool
from trainer.commands.run import Run
from trainer.commands.shipping import Package, Send, Verify
from trainer.commands.weights import Merge, Train


class Trainer(BaseSettings):
    """From judgements to a checkpoint that is proven better."""

    model_config = SettingsConfigDict(
        env_prefix="INSTAR_TRAINER_",
        cli_prog_name="python -m trainer",
        cli_kebab_case=True,
        cli_implicit_flags=True,
        cli_hide_none_type=True,
        cli_avoid_json=True,
        cli_use_class_docs_for_groups=True,
    )

    inspect: CliSubCommand[Inspect]
    import_: CliSubCommand[Import] = Field(alias="import")
    generate: CliSubCommand[Generate]
    mine: CliSubCommand[Mine]
    train: CliSubCommand[Train]
    evaluate: CliSubCommand[Evaluate]
    merge: CliSubCommand[Merge]
    pool: CliSubCommand[Pool]
    gate: CliSubCommand[Gate]
    package: CliSubCommand[Package]
    verify: CliSubCommand[Verify]
    send: CliSubCommand[Send]
    run: CliSubCommand[Run]
