import functools

import numpy as np
import pytest
from running import run

from tagjax import tasks
from tagjax.manifest import lists
from tagjax.similarity.matrix import Similarity
from tagjax.vocabulary.translation import Relation

split = functools.partial(run, "split")


@pytest.fixture
def tables(tmp_path):
    rows = [f"t{k:02},r{k},l{k},{'rock' if k % 2 else 'soul|genre:rnb'}" for k in range(40)]
    text = "\n".join(["track_id,artist_id,album_id,tags", *rows]) + "\n"
    (tmp_path / "a.csv").write_text(text)
    lines = [f"t{k:02},audio/t{k:02}.mp3,200" for k in range(40)]
    (tmp_path / "tracks.csv").write_text("\n".join(["track_id,path,duration_s", *lines]) + "\n")
    return tmp_path


def test_the_corpus_from_flags_to_a_manifest_with_truth(shared, tmp_path):
    corpus = shared / "corpus"
    done = split(
        "--experiment=translation",
        f"--annotations={corpus}/annotations_a.csv,{corpus}/annotations_b.csv",
        "--prefix=a:,b:",
        f"--tracks={corpus}/tracks.csv",
        f"--taxonomy={corpus}/taxonomy_a.csv,{corpus}/taxonomy_b.csv",
        f"--translation={corpus}/translation.csv",
        f"--duplicates={corpus}/duplicates.csv",
        "--folds=5",
        f"--out={tmp_path}/m",
    )
    assert done.returncode == 0, done.stderr
    made = lists.read_manifest(tmp_path / "m")
    assert made.experiment == "translation"
    assert made.vocabulary.systems == ("a:", "b:")
    assert made.folds == 5
    assert made.truth.duplicates == (("a:bossa nova", "a:bossanova"),)
    assert ("b:polka", "b:genre:oldtime") in made.truth.taxonomy.pairs()
    assert Relation("b:argentine", "a:tango", "exact") in made.truth.translation
    assert made.parts["fold_4"].path[0].startswith("audio/")
    assert "fold_4_overlap" in done.stdout
    assert "overlap tracks: 81" in done.stdout
    assert "taxonomy: 92 true pairs, 92 of them between labels" in done.stdout
    command = (
        f"next: python -m launch.build --dataset=catalogue_split/m --manifest_dir={tmp_path}/m"
    )
    assert command in done.stdout
    assert "that they did not have" not in done.stdout


def test_flags_reach_the_sampling_and_the_same_command_gives_the_same_files(tables):
    flags = [f"--annotations={tables}/a.csv", f"--tracks={tables}/tracks.csv", "--seed=7"]
    flags += ["--top_tags=2", "--seg_duration=12.5", "--max_excerpts_per_track=0", "--upsample="]
    outs = []
    for _ in range(2):
        assert split(*flags, f"--out={tables}/m").returncode == 0
        outs.append({path.name: path.read_bytes() for path in (tables / "m").iterdir()})
    assert outs[0] == outs[1]
    assert set(outs[0]) == {"train.csv", "validation.csv", "test.csv", "split.json"}
    made = lists.read_manifest(tables / "m")
    assert made.seed == 7
    assert made.config["max_excerpts_per_track"] is None
    assert made.config["upsample"] == []
    assert made.parts["train"].seg_duration.tolist() == [12.5] * len(made.parts["train"])
    done = split(*flags, f"--out={tables}/m", "--min_shift=2")
    assert done.returncode == 2
    assert "min_shift=1.0, not 2.0" in done.stderr
    assert split(*flags, f"--out={tables}/m", "--min_shift=2", "--overwrite").returncode == 0


def test_common_tracks_are_found_by_title_and_never_trained_on(tables):
    names = ["track_id,artist_id,album_id,tags,artist,title"]
    for name, tag in (("a", "rock"), ("b", "Rock")):
        rows = [f"{name}{k},{name}r{k},,{tag},Band {name if k > 4 else k},T {k}" for k in range(40)]
        rows[5:] = [
            row.replace(f"Band {name}", f"Band {name}{k}") for k, row in enumerate(rows[5:])
        ]
        (tables / f"{name}.csv").write_text("\n".join([*names, *rows]) + "\n")
    # Audio of the common tracks under the second catalogue's ids alone.
    lines = [f"a{k},a/{k}.mp3,200" for k in range(5, 40)] + [
        f"b{k},b/{k}.mp3,200" for k in range(40)
    ]
    (tables / "tracks.csv").write_text("\n".join(["track_id,path,duration_s", *lines]) + "\n")
    flags = ["--experiment=translation", f"--annotations={tables}/a.csv,{tables}/b.csv"]
    flags += ["--prefix=a:,b:", f"--tracks={tables}/tracks.csv"]
    done = split(*flags, "--overlap_by=title", f"--out={tables}/m")
    assert done.returncode == 0, done.stderr
    assert "tracks matched by name: 5\n" in done.stdout
    assert "overlap tracks: 5\n" in done.stdout
    made = lists.read_manifest(tables / "m")
    assert sorted(made.parts["overlap"].sng_id) == [f"a{k}" for k in range(5)]
    assert set(made.parts["overlap"].tags) == {("a:rock", "b:Rock")}
    assert sorted(made.parts["overlap"].path) == [f"b/{k}.mp3" for k in range(5)]
    trained = {
        track for name in ("train", "validation", "test") for track in made.parts[name].sng_id
    }
    assert not trained & {f"{name}{k}" for name in "ab" for k in range(5)}
    assert made.counts["tracks_matched_by_name"] == 5
    done = split(*flags, f"--out={tables}/m")
    assert done.returncode == 2
    assert "overlap_by='title', not None" in done.stderr
    done = split(*flags, f"--out={tables}/by_id")
    assert "matched" not in done.stdout
    assert "overlap" not in lists.read_manifest(tables / "by_id").parts


def test_what_the_source_annotates_is_what_a_table_or_the_flag_says(tables):
    """An album of three tracks with tags of their own."""
    head = "track_id,artist_id,album_id,tags"
    rows = [f"u{k},r{k // 3},l{k // 3},{('rock', 'soul', 'rock|pop')[k % 3]}" for k in range(60)]
    (tables / "plain.csv").write_text("\n".join([head, *rows]) + "\n")
    (tables / "track.csv").write_text(
        "\n".join([f"{head},annotates", *(f"{row},track" for row in rows)]) + "\n"
    )

    def made(name, *flags):
        out = tables / "-".join([name, *flags])
        done = split(f"--annotations={tables}/{name}.csv", f"--out={out}", "--folds=2", *flags)
        assert done.returncode == 0, done.stderr
        manifest = lists.read_manifest(out)
        part = manifest.parts["fold_0"]
        return manifest, dict(zip(part.sng_id, part.tags, strict=True)), done.stdout

    manifest, tags, text = made("plain")
    assert set(tags.values()) == {("pop", "rock", "soul")}
    assert manifest.config["annotates"] == ["album"]
    assert "60 tracks get tags that they did not have" in text
    for name, *flags in (("plain", "--annotates=track"), ("track",)):
        manifest, tags, text = made(name, *flags)
        assert set(tags.values()) == {("rock",), ("soul",), ("pop", "rock")}
        assert manifest.config["annotates"] == ["track"]
        assert "did not have" not in text
    assert set(made("track", "--annotates=album")[1].values()) == {("pop", "rock", "soul")}


def test_a_pair_counts_as_found_where_an_evaluation_finds_it(tables):
    """However its tags are spelt, and whether or not a genre is marked as one."""
    tags = ["Deep House", "Electronic", "Ska", "genre:Reggae", "Hip-Hop", "Polka"]
    rows = [f"t{k},r{k},,{tags[k % 6]}" for k in range(60)]
    (tables / "a.csv").write_text("\n".join(["track_id,artist_id,album_id,tags", *rows]) + "\n")
    pairs = [
        "deep house,electronic",
        "SKA,reggae",
        "hip hop,Electronic",
        "Polka,Folk",
        "x,Electronic",
    ]
    (tables / "tax.csv").write_text("\n".join(["style,genre", *pairs]) + "\n")
    done = split(
        f"--annotations={tables}/a.csv", f"--taxonomy={tables}/tax.csv", f"--out={tables}/m"
    )
    assert done.returncode == 0, done.stderr
    assert "taxonomy: 5 true pairs, 3 of them between labels of this manifest" in done.stdout
    manifest = lists.read_manifest(tables / "m")
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(8, len(manifest.vocabulary)))
    vectors /= np.linalg.norm(vectors, axis=0)
    similarity = Similarity(manifest.vocabulary, vectors.T @ vectors)
    result = tasks.learn_taxonomy(similarity, manifest.truth)
    assert result.metrics["hr@1"]["n"] == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--overlap_by=name"], "--overlap_by=name: one of id, title"),
        (["--overlap_by=title"], "a.csv:1: --overlap_by=title needs the columns artist and title"),
        (["--annotations="], "--annotations"),
        (["--out="], "--out"),
        (["--experiment=taxonomie"], "valid: taxonomy, translation, deduplication"),
        (["--experiment=translation"], "two catalogues"),
        (["--prefix=a:,b:"], "--prefix=a:,b:"),
        (["--annotations={0}/a.csv,{0}/a.csv"], "need as many prefixes (such as a:,b:)"),
        (["--annotations={0}/none.csv"], "none.csv: no such file"),
        (["--taxonomy={0}/tax.csv"], "--taxonomy: none of its pairs"),
        (["--experiment=deduplication", "--duplicates=x.csv"], "makes its own truth"),
        (["--train=0.9"], "sum to 1"),
        (["--annotates=song"], "--annotates=song: say album or track for each of the 1 catalogues"),
        (["--annotates=album,track"], "--annotates=album,track: say album or track for each of"),
        (["--annotations={0}/nobody.csv"], "nobody.csv:3: artist_id='nan' is no artist"),
        (["--tracks={0}/c.csv"], "c.csv:2: path='C:"),
        (["--tracks={0}/ms.csv"], "ms.csv:2: duration_s='200000' is 55.6 hours"),
        (["stray"], "unexpected argument 'stray'"),
    ],
)
def test_a_mistake_ends_in_one_line_and_exit_code_2(tables, arguments, message):
    (tables / "tax.csv").write_text("style,genre\nsole,genre:rnb\n")
    (tables / "nobody.csv").write_text("track_id,artist_id,album_id,tags\n1,r,l,x\n2,nan,l,x\n")
    (tables / "c.csv").write_text("track_id,path\nt01,C:\\\\music\\\\1.mp3\n")
    (tables / "ms.csv").write_text("track_id,path,duration_s\nt01,1.mp3,200000\n")
    flags = [f"--annotations={tables}/a.csv", f"--out={tables}/m"]
    done = split(*flags, *(argument.format(tables) for argument in arguments))
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tables / "m").exists()


def test_help_says_how_and_lists_the_choices():
    text = split("--help").stdout
    assert "--annotations=a.csv,b.csv --prefix=a:,b:" in text
    assert "taxonomy, translation, deduplication" in text
    assert "commonest, max_occurrences" in text
