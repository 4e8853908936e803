"""The TFDS builders, one a folder, and how to get one by its name."""

import dataclasses
import importlib
import pkgutil
import re

from tagjax.base.errors import InputError
from tagjax.examples import builder, workers


def known() -> list[str]:
    """Names of the builders."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if module.ispkg)


def make_builder(
    name: str,
    data_dir: str,
    manifest_dir: str | None = None,
    audio_dir: str | None = None,
    build: workers.BuildConfig | None = None,
) -> builder.ManifestBuilder:
    """The builder of `NAME` or `NAME/CONFIG`.

    Raises:
      InputError: no such builder or config, or flags that it has no use for.
    """
    short, _, config = name.partition("/")
    if short not in known():
        names = [f"{each}/NAME" if each == "catalogue_split" else each for each in known()]
        raise InputError(f"unknown dataset {short!r}; one of {', '.join(names)}")
    module = importlib.import_module(f"datasets.{short}.{short}_dataset_builder")
    folders = {}
    if issubclass(module.Builder, builder.FolderBuilder):
        folders = {"manifest_dir": manifest_dir, "audio_dir": audio_dir}
    elif manifest_dir or audio_dir:
        raise InputError(f"{short} makes its own music; leave out --manifest_dir and --audio_dir")
    configs = [each.name for each in module.Builder.BUILDER_CONFIGS]
    own = getattr(module.Builder, "OWN_CONFIGS", False)
    if own and not re.fullmatch(r"\w[\w.+-]*", config):
        raise InputError(
            f"{short} needs a name of your choice of letters, digits, '_', '.', '+' and '-': "
            f"--dataset={short}/NAME"
        )
    if config and not own and config not in configs:
        raise InputError(f"{short} has no config {config!r}; one of {', '.join(configs)}")
    if folders and not own:
        # Of lists that others published nobody has all the audio.
        build = dataclasses.replace(build or workers.BuildConfig(), skip_missing=True)
    return module.Builder(data_dir=data_dir, config=config or None, build=build, **folders)
