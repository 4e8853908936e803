"""Relations where they are known beforehand."""

import numpy as np
import pytest

from benchmarks import relations


def test_the_authors_form_of_occurrences(tmp_path, capsys):
    """dub is both genres on different tracks, ska on the same ones; the taxonomy knows both."""
    rows = ["genre:rock,genre:pop,ska,dub,emo"]
    rows += 10 * ["1,1,1,0,0"] + 5 * ["1,0,0,1,0"] + 5 * ["0,1,0,1,0"] + 10 * ["1,0,0,0,1"]
    (tmp_path / "occurrences.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "taxonomy.csv").write_text(
        "style,genre\ndub,rock\ndub,pop\nska,rock\nska,pop\nemo,pop\n"
    )
    relations.main(
        [f"--occurrences={tmp_path}/occurrences.csv", f"--taxonomy={tmp_path}/taxonomy.csv"]
    )
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "genre of a style by P(genre | style): 2 of 3"
    # Of the two styles of two genres one is above emo and one is below it.
    assert lines[1] == "styles of two genres (2 of 3) told from those of one: AUC 0.50"


def test_nothing_to_look_at_is_refused(capsys):
    with pytest.raises(SystemExit):
        relations.main([])
    assert "give --run_dir, or --occurrences and --taxonomy" in capsys.readouterr().err


def test_a_thinned_tag_has_the_variance_of_as_many_tracks():
    from evident import observed

    heard = observed(tracks=120)
    rng = np.random.default_rng(0)
    rows = heard.tags[:, [0]].tocoo().coords[0]
    whole = heard.features[rows].var(axis=0, ddof=1).sum()
    found = relations.thinned_spread(heard, 0, len(rows), rng)
    np.testing.assert_allclose(found, whole, rtol=1e-5)
    assert relations.thinned_spread(heard, 0, 5, rng).std() > 0
