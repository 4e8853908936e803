"""Prints how well relations and senses are told where the truth is known.

    python -m benchmarks.relations --run_dir=runs/catalogue_split/mine
    python -m benchmarks.relations --occurrences=fdist_tag_embedding.csv.zip --taxonomy=taxonomy.csv

Of a run: relations on its table of translations, closed over its taxonomies (a style that is exact
to one below g is narrower than g); which of two tags is the broader one, by the spread of their
tracks, by the same with the broader side thinned to as many tracks as the other, and by numbers of
tracks; and a style's genre by containment: what its tracks are taken for, beside predictions that
are dealt out at random; and senses: two styles of one catalogue merged, half of the artists of
each, against styles left alone.

Of occurrences (tracks by tags, as the authors released): a style's genre by P(genre | style), and
how well styles of two genres are told from those of one.
"""

import argparse
import dataclasses

import numpy as np
import scipy.sparse
import sklearn.metrics

from tagjax.evidence import same
from tagjax.evidence.inputs import of_run
from tagjax.evidence.senses import find_senses
from tagjax.evidence.sources import gather
from tagjax.similarity.observations import artists_of
from tagjax.similarity.run import load_run
from tagjax.similarity.tables import read_embedding
from tagjax.vocabulary.taxonomy import place, read_taxonomy
from tagjax.vocabulary.vocabulary import Vocabulary

KINDS = ("same", "broad", "narrow", "related")
KIND = {"exact": "same", "close": "same"}
THINNINGS = 50
PAIRS = 1
"""Pairs of a tag system that are merged at once: many would change how much any tag varies."""


def closed(run, vocabulary):
    """{(target, source): relation of the source to the target} in `KINDS`, places of tags."""
    parents = place(run.truth.taxonomy, vocabulary).parents
    found = {(r.target, r.source): r.relation for r in run.truth.translation}
    for (target, source), relation in list(found.items()):
        if relation == "exact":
            for genre in parents.get(target, ()):
                found.setdefault((genre, source), "narrow")
            for genre in parents.get(source, ()):
                found.setdefault((target, genre), "broad")
    index = vocabulary.index
    return {
        (index[target], index[source]): KIND.get(relation, relation)
        for (target, source), relation in found.items()
        if target in index and source in index
    }


def of_relations(run, seed=0):
    """Lines on relations: what the model says, and which of two tags is the broader one."""
    observed, _ = of_run(run)
    known = closed(run, observed.vocabulary)
    if not known:
        raise SystemExit(f"{run.path}: no table of translations names two tags that were heard")
    heard, model = gather(observed, observed.tags), same.learn(observed).relations
    rng, said = np.random.default_rng(seed), []
    signs = {"spread": [], "spread, broader side thinned": [], "tracks": []}
    for (target, source), relation in known.items():
        contrasts = heard.contrasts(np.array([target]), np.array([source]))
        kinds = {kind: values[0, 0] for kind, values in model.all_kinds(contrasts).items()}
        said.append(max(KINDS, key=lambda kind: kinds[kind]))
        if relation in ("broad", "narrow"):
            broad, narrow = (source, target) if relation == "broad" else (target, source)
            signs["spread"].append(heard.spread[broad] > heard.spread[narrow])
            signs["tracks"].append(heard.tracks[broad] > heard.tracks[narrow])
            thinned = thinned_spread(observed, broad, heard.tracks[narrow], rng)
            signs["spread, broader side thinned"].append(np.mean(thinned > heard.spread[narrow]))
    truth = list(known.values())
    score = sklearn.metrics.f1_score(truth, said, labels=KINDS, average="macro", zero_division=0)
    yield f"relations: {len(truth)} pairs, macro-F1 {score:.2f}; rows are the truth: {KINDS}"
    yield str(sklearn.metrics.confusion_matrix(truth, said, labels=KINDS))
    for name, values in signs.items():
        yield f"broader told by {name}: {100 * np.mean(values):.1f} % of {len(values)}"


def thinned_spread(observed, tag, tracks, rng):
    """Spread of a tag of which only so many tracks are left, drawn many times."""
    rows = observed.tags[:, [tag]].tocoo().coords[0]
    count = max(2, min(int(tracks), len(rows)))
    draws = (rng.choice(rows, count, replace=False) for _ in range(THINNINGS))
    return np.array([observed.features[some].var(axis=0, ddof=1).sum() for some in draws])


def of_containment(run, seed=0):
    """Lines on genres by containment: what a style's tracks are taken for."""
    observed, rng = run.observed, np.random.default_rng(seed)
    placement, index = place(run.truth.taxonomy, observed.vocabulary), observed.vocabulary.index
    outputs = {tag: np.flatnonzero(observed.owner == k) for k, tag in enumerate(index)}
    dealt = rng.permutation(len(observed))
    for name, order in (("as heard", np.arange(len(observed))), ("dealt out at random", dealt)):
        answers, hits, count = observed.raw(observed.features[order]), {}, {}
        for style, parents in placement.parents.items():
            system = observed.vocabulary.system[index[style]]
            genres = [
                genre
                for genre in placement.genres
                if observed.vocabulary.system[index[genre]] == system and len(outputs[genre])
            ]
            rows = observed.tags[:, [index[style]]].tocoo().coords[0]
            if len(rows) and genres:
                mean = [answers[rows][:, outputs[genre]].sum(axis=1).mean() for genre in genres]
                hits[system] = hits.get(system, 0) + (genres[int(np.argmax(mean))] in parents)
                count[system] = count.get(system, 0) + 1
        cells = [f"{system or 'tags'} {hits[system]} of {n}" for system, n in count.items()]
        yield f"genre of a style by containment, {name}: {', '.join(cells)}"


def of_senses(run, rounds=30, least=6, seed=0):
    """Lines on senses: how well merged styles are told from single ones."""
    observed, _ = of_run(run)
    vocabulary, rng = observed.vocabulary, np.random.default_rng(seed)
    placement, index = place(run.truth.taxonomy, vocabulary), vocabulary.index
    genres = {index[genre] for genre in placement.genres}
    parents = {index[style]: {*names} for style, names in placement.parents.items()}
    enough = artists_of(observed.tags, observed.artist) >= least
    styles = [tag for tag in np.flatnonzero(enough).tolist() if tag not in genres]
    kinds = {"single": [], "merged": [], "siblings": []}
    for _ in range(rounds):
        merged = {}
        for system in vocabulary.systems:
            own = rng.permutation([tag for tag in styles if vocabulary.system[tag] == system])
            own = own[: 2 * PAIRS].tolist()
            merged |= dict(zip(own[::2], own[1::2], strict=True))
        tags = observed.tags.tolil()
        for tag, other in merged.items():
            sides = [half_of_artists(observed, part, rng) for part in (tag, other)]
            tags[:, [tag]] = np.maximum(*sides)[:, None]
            tags[:, [other]] = 0
        changed = dataclasses.replace(observed, tags=scipy.sparse.csr_array(tags))
        for found in find_senses(changed):
            if found.tag in merged:
                related = parents.get(found.tag, set()) & parents.get(merged[found.tag], set())
                kinds["siblings" if related else "merged"].append(found)
            elif found.tag in styles:
                kinds["single"].append(found)
    truth = np.repeat([0, 1], [len(kinds[kind]) for kind in ("single", "merged")])
    both = [*kinds["single"], *kinds["merged"]]
    for name, sign in (("mixture", 1), ("surprise", 1), ("same", -1)):
        auc = sklearn.metrics.roc_auc_score(truth, [sign * getattr(one, name, 0) for one in both])
        yield f"senses: {truth.sum()} merged against {(1 - truth).sum()} by {name}: AUC {auc:.3f}"
    for kind, found in kinds.items():
        share = np.mean([one.kind == "two senses" for one in found])
        size = np.median([sum(map(len, one.artists)) for one in found])
        yield f"called two senses, {kind}: {100 * share:.0f} % of {len(found)}, {size:.0f} artists"


def half_of_artists(observed, tag, rng):
    """{0, 1} [tracks]: tracks with a tag, of half of its artists."""
    has = observed.tags[:, [tag]].toarray()[:, 0]
    artists = rng.permutation(np.unique(observed.artist[has > 0]))
    return has * np.isin(observed.artist, artists[: (len(artists) + 1) // 2])


def of_occurrences(path, taxonomy_path):
    """Lines on the authors' form of occurrences: parents, and styles of two genres."""
    tags, rows = read_embedding(path)
    placement = place(read_taxonomy(taxonomy_path), Vocabulary.of(tags))
    genres, index = list(placement.genres), {tag: k for k, tag in enumerate(tags)}
    of_genres, right, score, two = rows[:, [index[genre] for genre in genres]], 0, [], []
    for style, parents in placement.parents.items():
        mine = of_genres[rows[:, index[style]] > 0]
        shares = mine.mean(axis=0)
        first, second = np.argsort(-shares)[:2]
        right += genres[first] in parents
        alone = [(mine[:, a] > mine[:, b]).mean() for a, b in ((first, second), (second, first))]
        score.append(min(alone) - (mine[:, first] * mine[:, second]).mean())
        two.append(len(parents) > 1)
    yield f"genre of a style by P(genre | style): {right} of {len(score)}"
    auc = sklearn.metrics.roc_auc_score(two, score)
    yield f"styles of two genres ({sum(two)} of {len(two)}) told from those of one: AUC {auc:.2f}"


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run_dir")
    parser.add_argument("--occurrences")
    parser.add_argument("--taxonomy")
    flags = parser.parse_args(argv)
    if flags.run_dir:
        run = load_run(flags.run_dir)
        for line in (*of_relations(run), *of_containment(run), *of_senses(run)):
            print(line)
    if flags.occurrences and flags.taxonomy:
        for line in of_occurrences(flags.occurrences, flags.taxonomy):
            print(line)
    if not flags.run_dir and not (flags.occurrences and flags.taxonomy):
        parser.error("give --run_dir, or --occurrences and --taxonomy")


if __name__ == "__main__":
    main()
