"""The table of what one would do without us, where its figures are known beforehand."""

import re

import numpy as np
import pytest
import soundfile

from benchmarks import practitioner
from tagjax.base import files
from tagjax.run import predictions
from tagjax.vocabulary.translation import Relation
from tagjax.vocabulary.truth import Truth, write_truth
from tagjax.vocabulary.vocabulary import Vocabulary

NAMES = ("dub", "funk", "ska", "waltz")
TAGS = tuple(f"{system}:{name}" for system in "ab" for name in NAMES)
TRUE = tuple(Relation(f"b:{name}", f"a:{NAMES[k - 1]}") for k, name in enumerate(NAMES))
"""Each name means another thing in the other system, so names are always wrong."""
TRACKS = 160


@pytest.fixture
def run(tmp_path):
    """A run that has learnt nothing, and vectors that know it all."""
    rng, folder = np.random.default_rng(0), tmp_path / "run"
    folder.mkdir()
    metadata = {"vocabulary": Vocabulary.of(TAGS, ("a:", "b:")).record()}
    files.write_json(folder / "config.json", {"dataset": "d/c", "metadata": metadata})
    np.save(folder / "fw_kernel.npy", rng.normal(size=(4, 8)).astype(np.float32))
    write_truth(folder / "truth", Truth(translation=TRUE))
    meant = {relation.source: relation.target for relation in TRUE}
    vectors = rng.normal(0, 0.1, (TRACKS, 5))
    with predictions.writing(folder / "predictions", TAGS, TRACKS) as writer:
        for k in range(TRACKS):
            tag = TAGS[k % 8]
            vectors[k, NAMES.index(meant.get(tag, tag)[2:])] += 1
            row = rng.dirichlet(np.ones(8)).astype(np.float32)
            writer.add(row, (f"t{k}", tag, "test", f"r{k // 8}", "", tag))
    np.savez(tmp_path / "vectors.npz", ids=[f"t{k}" for k in range(TRACKS)], vectors=vectors)
    return folder


def table(capsys, *arguments):
    practitioner.main([*map(str, arguments)])
    lines = capsys.readouterr().out.splitlines()
    rows = [re.split("  +", line) for line in lines if " of " in line]
    return {name: cells for name, *cells in rows}


def test_every_row_is_printed_with_its_hits_both_ways(run, tmp_path, capsys):
    found = table(capsys, f"--run_dir={run}", f"--features={tmp_path / 'vectors.npz'}")
    (regression,) = [name for name in found if name.startswith("pretrained, regression")]
    centroids = [f"pretrained, centroids, {kind}" for kind in ("centred", "scaled")]
    ours = [*centroids, regression, "pretrained, score", "pretrained, probability"]
    assert list(found) == ["names", *ours, "fc", "fm", "fr", "score", "probability"]
    assert found["names"] == ["0 of 4", "0 of 4"]
    assert all(found[name] == ["4 of 4", "4 of 4"] for name in ours)
    assert all(int(cells[0][0]) < 4 for name, cells in found.items() if name in ("fc", "fm", "fr"))


def test_cepstra_are_made_of_the_audio(run, tmp_path, capsys):
    lines = ["track_id,path"]
    for k in range(0, TRACKS, 2):
        noise = np.random.default_rng(k).normal(0, 0.1, 30 * 8000)
        soundfile.write(tmp_path / f"{k}.wav", noise, 8000)
        lines.append(f"t{k},{k}.wav")
    (tmp_path / "0.wav").write_text("no audio")
    (tmp_path / "tracks.csv").write_text("\n".join(lines) + "\n")
    ids, vectors = practitioner.cepstra(tmp_path / "tracks.csv", str(tmp_path))
    assert len(ids) == TRACKS // 2 - 1
    assert vectors.shape == (len(ids), 120)
    found = table(
        capsys, f"--run_dir={run}", f"--tracks={tmp_path / 'tracks.csv'}", f"--audio_dir={tmp_path}"
    )
    assert "cepstra, centroids, scaled" in found


def test_a_run_without_translations_is_refused(run, capsys):
    (run / "truth" / "translation.csv").unlink()
    with pytest.raises(SystemExit):
        practitioner.main([f"--run_dir={run}"])
    assert "has no table of translations" in capsys.readouterr().err
