"""What launch.reconcile wrote reads back as what decisions were made from."""

import json

import numpy as np
import pytest
from evident import NAMES, QUICK, catalogues, write_run

from tagjax.base.errors import InputError
from tagjax.base.tables import write_table
from tagjax.catalogue.annotations import read_catalogues
from tagjax.reconcile import reconciling
from tagjax.reconcile.decide import decide
from tagjax.reconcile.listen import catalogues_of
from tagjax.reconcile.loading import load_reconciliation, observations_of, weighing_of


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Two catalogues with vectors; some tags would be formulas to a spreadsheet."""
    root = tmp_path_factory.mktemp("loading")
    given, (ids, vectors) = catalogues(names=(NAMES, NAMES[1:]), shared=30, noise=2)
    for name, catalogue in zip("ab", given, strict=True):
        tags = ["|".join(own).replace("emo", "=emo") for own in catalogue.tags]
        columns = catalogue.track_id, catalogue.artist_id, catalogue.album_id, tags
        header = ("track_id", "artist_id", "album_id", "tags")
        write_table(root / f"{name}.csv", header, zip(*columns, strict=True))
    np.savez(root / "vectors.npz", ids=ids, vectors=vectors)
    for k in range(2):
        np.savez(root / f"{k}.npz", ids=ids[k::2], vectors=vectors[k::2])
    return root


def decided(root, prefixes, features=None):
    paths = [root / "a.csv", root / "b.csv"]
    found = read_catalogues(paths, prefixes)
    out = root / f"out{len(prefixes[0])}{features is None}"
    reconciled = reconciling.reconcile(found, out, features=features, weighing=QUICK)
    origin = {"tables": [*map(str, paths)], "prefix": prefixes, "annotates": []}
    origin |= {"features": features and str(root / "vectors.npz")}
    reconciling.write(out, reconciled, origin)
    return out, reconciled


def test_vectors_of_two_machines_are_those_of_one(root):
    data = np.load(root / "vectors.npz")
    out, _ = decided(root, ["a:", "b:"], (tuple(data["ids"].tolist()), data["vectors"]))
    whole, _ = observations_of(load_reconciliation(out))
    record = json.loads((out / "reconciliation.json").read_text())
    record["origin"]["features"] = [str(root / f"{k}.npz") for k in range(2)]
    (out / "reconciliation.json").write_text(json.dumps(record))
    found = load_reconciliation(out)
    assert found.heard()
    parts, _ = observations_of(found)
    np.testing.assert_allclose(parts.features, whole.features, atol=1e-6)
    (root / "1.npz").unlink()
    assert not load_reconciliation(out).heard()


@pytest.mark.parametrize("prefixes", [["a:", "b:"], ["", "b:"]])
@pytest.mark.parametrize("heard", [True, False])
def test_the_same_decisions_are_made_again(root, prefixes, heard):
    data = np.load(root / "vectors.npz")
    features = (tuple(data["ids"].tolist()), data["vectors"]) if heard else None
    out, before = decided(root, prefixes, features)
    found = load_reconciliation(out)
    assert decide(found.facts, found.config) == before.decisions
    assert [*found.facts.rows] == [*before.facts.rows]
    assert weighing_of(found) == QUICK
    assert found.heard() == heard
    observed, common = observations_of(found)
    assert (observed is None) != heard
    assert common.tags.sum() == before.evidence.common.tags.sum()
    assert [*found.tracks()][:2] == ["a0", "a1"]


def test_a_run_reads_back(tmp_path):
    run = write_run(tmp_path / "run")
    before = reconciling.reconcile(catalogues_of(run), tmp_path / "out", run, weighing=QUICK)
    place = str(tmp_path / "run")
    reconciling.write(tmp_path / "out", before, {"tables": [], "run_dir": place, "heard": place})
    found = load_reconciliation(tmp_path / "out")
    assert decide(found.facts, found.config) == before.decisions
    assert len(observations_of(found)[0]) == len(before.evidence.observed)


def test_what_does_not_fit_is_one_line(root, tmp_path):
    with pytest.raises(InputError, match=r"no reconciliation\.json"):
        load_reconciliation(tmp_path)
    out, _ = decided(root, ["a:", "b:"])
    record = json.loads((out / "reconciliation.json").read_text())
    wrong = {**record, "config": {"gone": 1}}, {**record, "origin": {}}, {}, []
    for content in wrong:
        (out / "reconciliation.json").write_text(json.dumps(content))
        with pytest.raises(InputError, match="of another version of tagjax"):
            load_reconciliation(out)
    record["origin"]["prefix"] = ["x:", "y:"]
    (out / "reconciliation.json").write_text(json.dumps(record))
    with pytest.raises(InputError, match="on other tags than those of the tables"):
        load_reconciliation(out)
