"""The whole walk through the programs, as a user types them, on a tiny catalogue."""

import json
import os
import re

import numpy as np
import pandas as pd
import pytest
import soundfile
from running import mistake, succeed

from tagjax.similarity.run import load_run

TINY = ["--filters=2,3,4,5", "--gru_units=4", "--batch_size=8", "--max_epochs=2"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two catalogues over low, middle and high tones, split, built and trained."""
    root = tmp_path_factory.mktemp("walk")
    (root / "music").mkdir()
    rows, tracks = {"a": [], "b": []}, []
    rng = np.random.default_rng(0)
    for k in range(48):
        kind, system = k % 3, "a" if (k // 3) % 2 else "b"
        name = ("low", "middle", "high")[kind]
        tone = np.sin(2 * np.pi * (200, 1000, 5000)[kind] * np.arange(5 * 22050) / 22050)
        audio = 0.3 * tone + rng.normal(0, 0.01, len(tone))
        soundfile.write(root / "music" / f"t{k}.wav", audio, 22050)
        tracks.append(f"t{k},t{k}.wav,5.0")
        genre = "genre:dark" if name == "low" else "genre:bright"
        for one in ("a", "b") if k >= 45 else (system,):
            rows[one].append(f"t{k},artist{k // 3},album{k},{name}|{genre}")
    (root / "tracks.csv").write_text("\n".join(["track_id,path,duration_s", *tracks]) + "\n")
    for system, lines in rows.items():
        header = "track_id,artist_id,album_id,tags"
        (root / f"{system}.csv").write_text("\n".join([header, *lines]) + "\n")
    (root / "taxonomy.csv").write_text(
        "style,genre\nlow,genre:dark\nmiddle,genre:bright\nhigh,genre:bright\n"
    )
    (root / "translation.csv").write_text(
        "b_tag,a_tag,relation\nlow,low,exact\nmiddle,middle,exact\nhigh,high,exact\n"
    )
    succeed(
        "split", "--experiment=translation", "--annotations=a.csv,b.csv", "--prefix=a:,b:",
        "--tracks=tracks.csv", "--taxonomy=taxonomy.csv,taxonomy.csv",
        "--translation=translation.csv", "--seg_duration=3", "--out=data/manifests/m",
        folder=root,
    )  # fmt: skip
    succeed(
        "build", "--dataset=catalogue_split/m", "--manifest_dir=data/manifests/m",
        "--audio_dir=music", folder=root,
    )  # fmt: skip
    succeed("train", "--dataset=catalogue_split/m", "--preset=small", *TINY, folder=root)
    return root


@pytest.mark.parametrize("task", ["translation", "taxonomy"])
def test_a_task_leaves_what_the_readme_promises(folder, task):
    # No run is named: the newest that suits is found.
    done = succeed("evaluate", f"--task={task}", folder=folder)
    assert "HR@1" in done.stdout
    assert done.stdout.endswith(
        "next: python -m launch.evidence --run_dir=runs/catalogue_split/m\n"
    )
    out = folder / "runs" / "catalogue_split" / "m" / task
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["task"] == task
    assert list(metrics["embeddings"]) == ["fw", "fc", "fm", "fr", "fdist"]
    for found in metrics["embeddings"].values():
        for key in ("hr@1", "hr@2", "map", "mrr"):
            assert set(found[key]) - {"wilson95"} == {"mean", "ci95", "n"}
            assert ("wilson95" in found[key]) == key.startswith("hr")
            assert 0 <= found[key]["mean"] <= 1
    for name in metrics["embeddings"]:
        similarity = pd.read_csv(out / f"{name}_tag_similarity.csv", index_col=0)
        embedding = pd.read_csv(out / f"{name}_tag_embedding.csv")
        assert list(similarity.index) == list(similarity.columns) == list(embedding.columns)
        unit = embedding / np.linalg.norm(embedding, axis=0)
        if name != "fdist":
            np.testing.assert_allclose(unit.T @ unit, similarity, atol=1e-5)
        assert (out / f"{name}_ranked.csv").exists()
        assert (out / f"{name}_errors.csv").exists()
    assert {"fw_map.png", "fw_map.svg"} <= set(os.listdir(out))


def test_the_folder_of_results_is_a_folder_of_similarities(folder):
    out = "runs/catalogue_split/m/translation"
    succeed("evaluate", "--task=translation", folder=folder)
    flags = ["--task=translation", f"--similarity_dir={out}", "--out=again"]
    succeed("evaluate", *flags, folder=folder)
    again = json.loads((folder / "again" / "metrics.json").read_text())
    # Without the run the truth is that tags of the same name are the same.
    assert again["embeddings"]["fc"]["hr@1"]["n"] == 5


def test_tags_the_classifier_never_saw_get_an_embedding(folder):
    lines = [f"t{k},x,y,{'deep' if k % 3 == 0 else 'shrill'}" for k in range(48)]
    (folder / "new.csv").write_text("\n".join(["track_id,artist_id,album_id,tags", *lines]) + "\n")
    (folder / "new_truth.csv").write_text("source,target,relation\nn:deep,a:low,exact\n")
    succeed(
        "evaluate", "--task=translation", "--annotations=new.csv", "--prefix=n:",
        "--translation=new_truth.csv", "--out=new", folder=folder,
    )  # fmt: skip
    metrics = json.loads((folder / "new" / "metrics.json").read_text())
    assert list(metrics["embeddings"]) == ["fm", "fr", "fdist"]
    assert metrics["embeddings"]["fm"]["hr@1"]["n"] == 1


def test_training_again_says_that_it_is_done(folder):
    before = (folder / "runs/catalogue_split/m/metrics.jsonl").read_bytes()
    done = succeed("train", "--dataset=catalogue_split/m", "--preset=small", *TINY, folder=folder)
    first, second, last = done.stdout.splitlines()
    assert re.fullmatch(
        r"best of \d+ epochs is \d+, which predicts; its validation loss is .*", first
    )
    assert second == "trained and predicted: runs/catalogue_split/m"
    run_dir = "--run_dir=runs/catalogue_split/m"
    assert last == f"next: python -m launch.evaluate {run_dir} --task=translation"
    assert (folder / "runs/catalogue_split/m/metrics.jsonl").read_bytes() == before


def test_another_run_may_not_have_the_directory(folder):
    flags = ["--dataset=catalogue_split/m", "--preset=small", *TINY, "--seed=7"]
    error = mistake("train", *flags, folder=folder)
    assert "train.seed: 0 there, 7 here" in error


@pytest.mark.parametrize(
    ("program", "arguments", "message"),
    [
        ("train", ["--dataset=discogs_split"], "python -m launch.build --dataset=discogs_split"),
        ("evaluate", ["--task=deduplication"], "python -m launch.train"),
        ("evaluate", ["--run_dir=nowhere"], "nowhere: no run is there"),
    ],
)
def test_a_mistake_is_one_line(folder, program, arguments, message):
    assert message in mistake(program, *arguments, folder=folder)


def test_a_run_hears_a_new_file_as_it_heard_the_test_split(folder):
    """An excerpt of the test split as a file of its own has the row that was predicted for it."""
    (folder / "heard").mkdir()
    row = pd.read_csv(folder / "data/manifests/m/test.csv").iloc[0]
    audio, rate = soundfile.read(folder / "music" / row["path"])
    start = round(row["seg_start"] * rate)
    soundfile.write(folder / "heard" / "cut.wav", audio[start : start + 3 * rate], rate)
    (folder / "heard" / "cover.jpg").write_bytes(b"no sound")
    arguments = ("--run_dir=runs/catalogue_split/m", "--out=heard.csv", "heard")
    done = succeed("predict", *arguments, folder=folder)
    assert "skipped: heard/cover.jpg: not decodable" in done.stderr
    heard = pd.read_csv(folder / "heard.csv").set_index("tag")
    assert set(heard["file"]) == {"heard/cut.wav"}
    assert set(heard["excerpts"]) == {1}
    assert heard["rank"].tolist() == [*range(1, len(heard) + 1)]
    run = load_run(folder / "runs/catalogue_split/m")
    place = run.predictions.excerpts["sng_id"].index(row["sng_id"])
    expected = run.predictions.probabilities[place]
    found = heard.loc[list(run.vocabulary.tags), "probability"]
    np.testing.assert_allclose(found, expected, atol=2e-3)  # Examples are float16.
    tag, probability = run.predict(folder / "heard" / "cut.wav")[0]
    assert (tag, pytest.approx(probability)) == (heard.index[0], heard["probability"].iloc[0])


def test_listening_to_nothing_is_one_line(folder):
    assert "--run_dir: name a finished run" in mistake("predict", "heard", folder=folder)
    run = "--run_dir=runs/catalogue_split/m"
    assert "name audio files" in mistake("predict", run, folder=folder)
    assert "gone.mp3: no such file or folder" in mistake("predict", run, "gone.mp3", folder=folder)
