import pytest

import datasets
from tagjax.base.errors import InputError
from tagjax.examples import builder as examples


def test_the_builders_have_what_tfds_wants_of_a_builders_folder():
    assert datasets.known() == [
        "catalogue_split",
        "discogs_split",
        "mumu_discogs_split",
        "synthetic_split",
    ]
    for name in datasets.known():
        module = __import__(f"datasets.{name}.{name}_dataset_builder", fromlist=["Builder"])
        builder = module.Builder
        assert builder.name == name
        assert issubclass(builder, examples.ManifestBuilder)
        metadata = builder.get_metadata()
        assert metadata.description
        assert metadata.citation.startswith("@inproceedings{hennequin2018audio")
        assert "ml.task.audio-classification" in metadata.tags


def test_synthetic_split_has_the_three_experiments():
    module = __import__("datasets.synthetic_split.synthetic_split_dataset_builder", fromlist=["x"])
    names = [config.name for config in module.Builder.BUILDER_CONFIGS]
    assert names == ["taxonomy", "deduplication", "translation"]


@pytest.mark.parametrize(
    ("name", "folders", "message"),
    [
        (
            "discog",
            {},
            "unknown dataset 'discog'; one of catalogue_split/NAME, discogs_split",
        ),
        ("discogs_split/x", {}, "no config 'x'; one of taxonomy, deduplication"),
        ("discogs_split/", {}, "data/manifests/discogs_split/taxonomy: no such folder"),
        ("discogs_split", {}, "data/manifests/discogs_split/taxonomy: no such folder"),
        ("catalogue_split", {}, "--dataset=catalogue_split/NAME"),
        ("catalogue_split/../x", {}, "--dataset=catalogue_split/NAME"),
        ("catalogue_split/a/b", {}, "--dataset=catalogue_split/NAME"),
        ("catalogue_split/mine", {}, "data/manifests/catalogue_split/mine: no such folder"),
        ("catalogue_split/mine", {"manifest_dir": "none"}, "none: no such folder"),
        ("synthetic_split", {"audio_dir": "x"}, "leave out --manifest_dir and --audio_dir"),
    ],
)
def test_a_mistake_is_named(tmp_path, monkeypatch, name, folders, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as caught:
        datasets.make_builder(name, "data", **folders)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []
