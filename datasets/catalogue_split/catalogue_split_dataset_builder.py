"""catalogue_split: any manifest of launch.split with the folder that holds its audio."""

from tagjax.examples.builder import CatalogueBuilder


class Builder(CatalogueBuilder):
    """Builds any manifest; the user chooses the name of the config."""
