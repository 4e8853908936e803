"""catalogue_split: any manifest of launch.split with the folder that holds its audio."""

from tagjax.examples.builder import CatalogueBuilder


class Builder(CatalogueBuilder):
    """A config of this builder is whatever name the user gives a manifest."""
