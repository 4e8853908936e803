"""catalogue_split: any manifest of launch.split with the folder that holds its audio."""

from tagjax import examples


class Builder(examples.FolderBuilder):
    """A config of this builder is whatever name the user gives a manifest."""

    OWN_CONFIGS = True
