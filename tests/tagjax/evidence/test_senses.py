"""Tags that are two things, those that are broad, and those that are one."""

import dataclasses
import itertools

import numpy as np
import pytest
from evident import NAMES, catalogues
from scipy.stats import multivariate_normal

from tagjax.catalogue.annotations import Catalogue
from tagjax.evidence import senses
from tagjax.evidence.config import EvidenceConfig
from tagjax.evidence.inputs import of_catalogues
from tagjax.evidence.score import tag_space

CONFIG = EvidenceConfig()
MANY = (*NAMES, *(f"{name} {k}" for name in NAMES for k in (2, 3)))


def with_tags(change, artists=40, tracks=700):
    """A catalogue of single tags whose tags are then changed: (artist, tag) to tags."""
    (catalogue,), features = catalogues([MANY], artists=artists, tracks=tracks, noise=0.4)
    kept = [k for k, tags in enumerate(catalogue.tags) if len(tags) == 1]
    columns = [
        tuple(column[k] for k in kept)
        for column in (catalogue.track_id, catalogue.artist_id, catalogue.album_id)
    ]
    tags = [
        change(int(catalogue.artist_id[k].removeprefix("ar")), catalogue.tags[k][0]) for k in kept
    ]
    return of_catalogues([Catalogue("", *columns, tags)], features)[0]


def found_in(heard):
    return {heard.vocabulary.tags[found.tag]: found for found in senses.find_senses(heard)}


def test_a_tag_that_is_two_things_comes_first_and_its_groups_are_right():
    """Half of the artists call bop `core`, and as many others ska."""

    def renamed(artist, tag):
        core = (tag == "bop" and artist % 2 == 0) or (tag == "ska" and artist % 2)
        return ("core",) if core else (tag,)

    heard = with_tags(renamed)
    found = found_in(heard)
    first = found["core"]
    assert next(iter(found)) == "core"
    assert first.kind == "two senses"
    assert first.same < 0
    assert first.surprise > 10
    assert first.mixture > 25
    assert max(senses.mixture for tag, senses in found.items() if tag != "core") < 10
    assert {heard.vocabulary.tags[tag] for tag in first.nearest} == {"bop", "ska"}
    names = np.array(sorted({f"ar{k}" for k in range(40)}))
    for group in first.artists:
        remainders = {int(names[artist].removeprefix("ar")) % 2 for artist in group.tolist()}
        assert len(remainders) == 1
    assert {senses.kind for tag, senses in found.items() if tag != "core"} == {"one"}


def test_a_genre_over_its_styles_is_broad():
    def placed(artist, tag):
        if tag not in ("bop", "ska"):
            return (tag,)
        # Some artists name only the genre.
        return ("genre",) if artist % 3 == 0 else ("genre", tag)

    found = found_in(with_tags(placed, artists=60))["genre"]
    assert found.kind == "broad"
    assert found.same < 0


def test_genres_do_not_explain_the_two_senses_away():
    """As above, and each sense has a genre of its own, which other tags have too."""
    genres = {"bop": "jazz", "dub": "jazz", "ska": "rock", "emo": "rock"}

    def renamed(artist, tag):
        core = (tag == "bop" and artist % 2 == 0) or (tag == "ska" and artist % 2)
        genre = (genres[tag],) if tag in genres else ()
        return ("core" if core else tag, *genre)

    found = found_in(with_tags(renamed, artists=60, tracks=1000))
    assert found["core"].kind == "two senses"
    assert {senses.kind for tag, senses in found.items() if tag in genres} == {"one"}


def test_a_tag_partly_mislabelled_is_not_two_things():
    """A quarter of bop's artists have no sound in common: no two tags tell them better."""

    def renamed(artist, tag):
        wrong = artist % 4 == 0 and tag in ("ska", "dub", "emo")
        return ("bop",) if tag == "bop" or (wrong and artist % 3 == MANY.index(tag) % 3) else (tag,)

    found = found_in(with_tags(renamed))["bop"]
    assert found.kind != "two senses"


def test_two_other_tags_or_one():
    """Densities as SciPy has them, for artists of two tags and for those of one."""
    heard = with_tags(lambda artist, tag: (tag,))
    space = tag_space(heard, heard.tags, 1e9, CONFIG.score)
    rows, tau = space.means, space.spread
    for own in ((2,), (2, 3)):
        tag = np.where(np.isin(rows.tag, own), 2, rows.tag)
        vectors = rows.vectors[tag == 2]
        means = dataclasses.replace(rows, tag=tag)
        changed = dataclasses.replace(space)
        changed.__dict__["means"] = means
        others = [k for k in np.flatnonzero(space.count).tolist() if k != 2]
        columns = []
        for k in others:
            n = space.count[k]
            weight = tau / (1 + n * tau)
            normal = multivariate_normal(n * space.centre[k] * weight, np.diag(1 + weight))
            columns.append(normal.pdf(vectors))
        wrong = 0.05 * multivariate_normal(np.zeros(len(tau)), np.diag(1 + tau)).pdf(vectors)
        alone = []
        for k, vector in enumerate(vectors):
            rest, weight = np.delete(vectors, k, axis=0), tau / (1 + (len(vectors) - 1) * tau)
            normal = multivariate_normal(rest.sum(axis=0) * weight, np.diag(1 + weight))
            alone.append(normal.pdf(vector))
        one = max(np.log(0.95 * p + wrong).sum() for p in (*columns, np.array(alone)))
        two = max(
            np.log(0.95 * (p + q) / 2 + wrong).sum() for p, q in itertools.combinations(columns, 2)
        )
        assert senses._mixture(changed, 2) == pytest.approx(two - one)


def test_noise_is_one():
    rng = np.random.default_rng(0)
    spread = np.array([4.0, 2.0, 1.0])
    clouds = rng.normal(size=(31, 12, 3))
    clouds[7] += np.repeat([[3, 0, 0], [-3, 0, 0]], 6, axis=0)
    side, factor = senses.two_groups(clouds, spread)
    assert factor.argmax() == 7
    assert {*side[7, :6].tolist()} != {*side[7, 6:].tolist()}
    assert len({*side[7, :6].tolist()}) == len({*side[7, 6:].tolist()}) == 1


def density(vectors, spread):
    """Log of the joint normal density of artists that share one mean, for each dimension apart."""
    found = 0.0
    for values, tau in zip(vectors.T, spread, strict=True):
        covariance = np.eye(len(values)) + tau
        found += multivariate_normal(np.zeros(len(values)), covariance).logpdf(values)
    return found


def test_the_groups_are_the_best_of_all_and_their_factor_is_a_ratio_of_densities():
    rng, spread = np.random.default_rng(1), np.array([2.0, 1.0])
    clouds = rng.normal(size=(5, 8, 2)) + 2 * rng.integers(2, size=(5, 8, 1))
    for vectors, side, factor in zip(clouds, *senses.two_groups(clouds, spread), strict=True):
        divisions = (np.array([0, *sides]) for sides in itertools.product((0, 1), repeat=7))
        best = max(
            density(vectors[side == 0], spread) + density(vectors[side == 1], spread)
            for side in divisions
            if 3 <= side.sum() <= 5
        )
        assert min(np.bincount(side, minlength=2)) >= 3
        found = density(vectors[side == 0], spread) + density(vectors[side == 1], spread)
        assert factor == pytest.approx(found - density(vectors, spread))
        # A local search need not find the very best.
        assert factor == pytest.approx(best - density(vectors, spread), abs=0.5)


def test_tags_of_few_artists_are_not_looked_at_and_without_artists_none_is():
    heard = with_tags(lambda artist, tag: (tag,))
    config = dataclasses.replace(CONFIG, senses_artists=100)
    assert senses.find_senses(heard, config) == []
    alone = dataclasses.replace(heard, artist=np.zeros(len(heard), np.int64))
    assert senses.find_senses(alone) == []
