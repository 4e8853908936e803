"""The synthetic music as a data set, by the function that a notebook calls."""

from tagjax.examples.dataset import find
from tagjax.manifest.sampling import SamplingConfig
from tagjax.synthetic import SyntheticConfig
from tagjax.synthetic.builder import SyntheticBuilder, SyntheticSplitConfig, build

SMALL = SyntheticSplitConfig(
    name="small",
    experiment="translation",
    catalogue=SyntheticConfig(tracks=80, album_tracks=1, artist_albums=1, duration=(2.0, 3.0)),
    sampling=SamplingConfig(seg_duration=1.0, min_tracks=1, max_excerpts_per_track=1, seed=1),
    systems=(("a", "a:"), ("b", "b:")),
)


def test_a_data_set_with_its_vocabulary_and_its_planted_truth(tmp_path):
    dataset = build(tmp_path, SMALL)
    assert dataset == find("synthetic_split/small", tmp_path)
    assert {"train", "validation", "test", "overlap"} >= dataset.parts.keys() >= {"train", "test"}
    assert dataset.vocabulary.systems == ("a:", "b:")
    assert all(genre.startswith(("a:", "b:")) for _, genre in dataset.truth.rows()["taxonomy"])
    for relation in dataset.truth.translation:
        assert (relation.source[:2], relation.target[:2]) == ("b:", "a:")
    again = SyntheticBuilder(config=SMALL, data_dir=str(tmp_path))
    assert again.excerpts.truth == dataset.truth
    assert build(tmp_path, SMALL) == dataset
