"""Makes a manifest of a large catalogue: seconds and memory of each stage.

    python -m benchmarks.sampling [TRACKS] [TAGS] [TAGS_A_TRACK]

The annotations are generated (by default 1,000,000 tracks, 500 tags, 3 tags for each track; the
popularity of tags falls as 1 / rank). Their tables are read, the manifest is sampled, written and
read again. Then the split by artist is compared with those of scikit-learn, on a fiftieth of the
tracks.
"""

import pathlib
import resource
import sys
import tempfile
import time

import numpy as np
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

from tagjax.base.tables import write_table
from tagjax.catalogue.annotations import SEPARATOR, read_catalogue, read_tracks
from tagjax.manifest.lists import read_manifest, write_manifest
from tagjax.manifest.sampling import SamplingConfig, folds_by_artist, make_manifest


def generate(folder: pathlib.Path, n_tracks: int, n_tags: int, tags_a_track: int) -> None:
    rng = np.random.default_rng(0)
    n_albums = n_tracks // 8 + 1
    album = np.sort(rng.integers(n_albums, size=n_tracks))
    artist = (n_albums // 4 * rng.random(n_albums) ** 2).astype(int)[album].tolist()
    weight = 1 / np.arange(1, n_tags + 1)
    draws = rng.choice(n_tags, size=(n_albums, tags_a_track), p=weight / weight.sum())
    tags = [SEPARATOR.join(f"tag {t}" for t in row) for row in draws.tolist()]
    rows = enumerate(zip(artist, album.tolist(), strict=True))
    write_table(
        folder / "annotations.csv",
        ("track_id", "artist_id", "album_id", "tags"),
        ((f"t{i:07}", f"ar{a:06}", f"al{b:06}", tags[b]) for i, (a, b) in rows),
    )
    seconds = enumerate(rng.uniform(60, 400, n_tracks).round(2).tolist())
    write_table(
        folder / "tracks.csv",
        ("track_id", "path", "duration_s"),
        ((f"t{i:07}", f"audio/{i % 1000:03}/t{i:07}.mp3", s) for i, s in seconds),
    )


def compare_splits(n_tracks: int, n_tags: int) -> None:
    """Compares splits into five folds by artist.

    Prints seconds, and by how many tracks a label in a fold differs on average from a fifth.
    """
    rng = np.random.default_rng(1)
    artist = np.unique(rng.integers(n_tracks // 10, size=n_tracks), return_inverse=True)[1]
    weight = 1 / np.arange(1, n_tags + 1)
    label = rng.choice(n_tags, n_tracks, p=weight / weight.sum())
    print(f"{f'5 folds, {n_tracks} tracks':<32}{'seconds':>9}{'off by':>10}")

    def fold_by(splitter):
        fold = np.empty(n_tracks, int)
        for k, (_, test) in enumerate(splitter.split(label, label, artist)):
            fold[test] = k
        return fold

    for name, method in (
        ("tagjax folds_by_artist", lambda: folds_by_artist(artist, label, 5, rng)),
        ("sklearn StratifiedGroupKFold", lambda: fold_by(StratifiedGroupKFold(5, shuffle=True))),
        ("sklearn GroupKFold", lambda: fold_by(GroupKFold(5, shuffle=True))),
    ):
        begin = time.perf_counter()
        fold = method()
        seconds = time.perf_counter() - begin
        counts = np.stack([np.bincount(label[fold == k], minlength=n_tags) for k in range(5)])
        off = np.abs(counts - counts.mean(axis=0)).mean()
        print(f"{name:<32}{seconds:>9.1f}{off:>10.2f}", flush=True)


def main(n_tracks: int = 1_000_000, n_tags: int = 500, tags_a_track: int = 3) -> None:
    print(f"{n_tracks} tracks, {n_tags} tags, {tags_a_track} tags per track")
    print(f"{'stage':<28}{'seconds':>9}{'peak GiB':>10}")
    total = 0.0

    def stage(name, function):
        nonlocal total
        begin = time.perf_counter()
        result = function()
        seconds = time.perf_counter() - begin
        total += seconds
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(f"{name:<28}{seconds:>9.1f}{peak:>10.2f}", flush=True)
        return result

    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        generate(folder, n_tracks, n_tags, tags_a_track)
        catalogue = stage("read annotations", lambda: read_catalogue(folder / "annotations.csv"))
        tracks = stage("read tracks", lambda: read_tracks(folder / "tracks.csv"))
        config = SamplingConfig(top_tags=n_tags)
        manifest = stage("sample", lambda: make_manifest([catalogue], tracks, config))
        stage("write", lambda: write_manifest(folder / "manifest", manifest))
        print(f"{'manifest making':<28}{total:>9.1f}")
        stage("(read the manifest)", lambda: read_manifest(folder / "manifest"))
    sizes = ", ".join(f"{name} {len(part)}" for name, part in manifest.parts.items())
    print(f"excerpts: {sizes}\n")
    compare_splits(n_tracks // 50, n_tags)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
