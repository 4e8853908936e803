"""The TFDS builders, one in each folder, and `make_builder`, which finds one by its name."""

import importlib
import pkgutil
import re

from tagjax.base.errors import InputError
from tagjax.examples.builder import CatalogueBuilder, FolderBuilder, ManifestBuilder
from tagjax.examples.workers import BuildConfig


def known() -> list[str]:
    """Names of the builders."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if module.ispkg)


def make_builder(
    name: str,
    data_dir: str,
    manifest_dir: str | None = None,
    audio_dir: str | None = None,
    build: BuildConfig | None = None,
) -> ManifestBuilder:
    """The builder for `NAME` or `NAME/CONFIG`.

    Raises:
      InputError: there is no such builder or config, or it cannot use the folders.
    """
    short, _, config = name.partition("/")
    if short not in known():
        names = [f"{name}/NAME" if name == "catalogue_split" else name for name in known()]
        raise InputError(f"unknown dataset {short!r}; one of {', '.join(names)}")
    builder = importlib.import_module(f"datasets.{short}.{short}_dataset_builder").Builder
    folders: dict[str, str | None] = {}
    if issubclass(builder, FolderBuilder):
        folders = {"manifest_dir": manifest_dir, "audio_dir": audio_dir}
    elif manifest_dir or audio_dir:
        raise InputError(f"{short} makes its own music; leave out --manifest_dir and --audio_dir")
    configs = [known_config.name for known_config in builder.BUILDER_CONFIGS]
    if issubclass(builder, CatalogueBuilder):
        if not re.fullmatch(r"\w[\w.+-]*", config):
            raise InputError(
                f"{short} needs a name of your choice of letters, digits, '_', '.', '+' and '-': "
                f"--dataset={short}/NAME"
            )
    elif config and config not in configs:
        raise InputError(f"{short} has no config {config!r}; one of {', '.join(configs)}")
    return builder(data_dir=data_dir, config=config or None, build=build, **folders)
