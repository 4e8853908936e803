"""catalogue_split: any manifest of launch.split with the folder that holds its audio."""

from tagjax.examples import builder


class Builder(builder.FolderBuilder):
    """A config of this builder is whatever name the user gives a manifest."""

    OWN_CONFIGS = True
