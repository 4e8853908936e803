"""From evidence to decisions: what is merged, what is the same elsewhere, what a person has to see.

- Tags of one system that differ in spelling alone are merged without listening; sound may object.
- Evidence merges two tags, or says that they are the same, if it is sure of it in both directions,
  if each is the other's first candidate, if neither is of two senses, if neither may be a part of
  the other, and if nobody forbids it. After merging that is one to one.
- What a person decided holds, whatever else is known.
- All else is left alone: it is put up for review, or it is no more than the best candidate.
"""

import collections
import itertools
from collections.abc import Collection, Iterable, Mapping

from tagjax.reconcile import spelling
from tagjax.reconcile.blocked import find_blocked
from tagjax.reconcile.choices import WHY
from tagjax.reconcile.config import ReconcileConfig
from tagjax.reconcile.decisions import Decisions, Match, Reason
from tagjax.reconcile.facts import Facts
from tagjax.reconcile.known import Board, Known, Row
from tagjax.reconcile.merging import merge
from tagjax.reconcile.parents import PERSON, TAXONOMY, Tree, ancestors, find_tree
from tagjax.vocabulary.taxonomy import place

OBJECTS = "with the taxonomy"
"""In the note of a match that the taxonomy does not have."""


def decide(
    facts: Facts,
    config: ReconcileConfig = ReconcileConfig(),  # noqa: B008 (frozen)
) -> Decisions:
    """Decides on all tags.

    Args:
      facts: annotations, evidence, and what people said.
      config: see there.

    Raises:
      InputError: people said what cannot all be true.

    >>> from tagjax import Catalogue
    >>> from tagjax.reconcile.facts import gather_facts
    >>> names, tags = tuple("abc"), (("Techno",), ("techno",), ("Techno", "2012"))
    >>> found = decide(gather_facts([Catalogue("", names, names, names, tags)]))
    >>> found.canonical["techno"], found.blocked
    ('Techno', {'2012': 'a year'})

    Reference: section 4 of the paper translates between tag systems,
    https://github.com/deezer/audio_based_disambiguation_of_music_genre_tags
    """
    known = Known(facts, config)
    board = Board(known)
    _hear_people(known, board)
    groups = merge(known, board)
    choices = facts.people.choices
    renamed = choices.rename(groups.canonical())
    canonical = renamed.canonical
    blocked = choices.blocked(find_blocked(facts.vocabulary, facts.artist_names))
    tree = find_tree(facts, canonical, blocked, config)
    above = {tag: ancestors(tree.links, tag) for tag in canonical.values()}
    counterparts = _translate(known, board, canonical, above, blocked)
    _tell_tree(known, board, tree, canonical)
    _tell_candidates(known, board, above, canonical, counterparts)
    _tell_names(known, board, canonical, counterparts)
    _tell_alone(known, board)
    return Decisions(
        facts.vocabulary,
        facts.tracks,
        facts.artists,
        board.all(),
        canonical,
        tree.parents(),
        known.senses,
        {t: why for t, why in blocked.items() if why == WHY or not _kept_by_people(facts, t)},
        (*facts.notes, *facts.people.notes, *groups.notes, *tree.notes, *renamed.notes),
        renamed.called,
    )


def _kept_by_people(facts: Facts, tag: str) -> bool:
    """Whether a person says that a tag is the same as, or below, another one."""
    return any(
        said.verdict == "positive" and tag in (said.source, said.target) and said.target
        for said in facts.people.said
    )


def _hear_people(known: Known, board: Board) -> None:
    """Puts down what people decided."""
    for said in known.facts.people.said:
        settled = known.pairs.get(frozenset((said.source, str(said.target))), said) != said
        if not settled or said.verdict != "unsure":
            board.put(said.match())


def _translate(
    known: Known,
    board: Board,
    canonical: Mapping[str, str],
    above: Mapping[str, set[str]],
    blocked: Collection[str],
) -> dict[tuple[str, str], str]:
    """What is the same in another system, one to one; nothing is the same as what is no genre.

    Returns:
      {(canonical tag, other tag system): canonical tag there}.
    """
    taken: dict[tuple[str, str], str] = {}
    for said in known.facts.people.said:
        if said.target is None or said.verdict != "positive" or said.relation != "exact":
            continue
        _take(known, taken, canonical, said.source, said.target)
    alone = known.facts.people.without_counterpart()
    pairs = sorted(
        (
            pair
            for pair, row in known.row.items()
            if pair[0] < pair[1]
            and not {*pair} & {*blocked}
            and known.likely(row)
            and known.system(pair[0]) != known.system(pair[1])
        ),
        key=lambda pair: (-known.mutual(*pair), pair),
    )
    below = _below(known, pairs, canonical, above)
    for first, second in pairs:
        state, note = _judged(known, first, second)
        if state == "accepted" and not note and known.row[first, second]["fm"] is not None:
            note = _part(known, first, second, canonical, above, below)
            state = "review" if note else state
        if state == "accepted":
            if alone.keys() & {first, second}:
                state, note = "candidate", "a person says that it has no counterpart"
            elif rival := _rival(known, taken, canonical, first, second):
                state, note = "review", f"{rival} has its counterpart already"
            elif frozenset((first, second)) not in known.pairs:
                _take(known, taken, canonical, first, second)
        confidence = known.mutual(first, second)
        for pair in ((first, second), (second, first)):
            reasons = known.reasons(*pair) + _same_name(known, first, second)
            board.put(Match(*pair, "exact", confidence, state, reasons, note=note))
    return taken


_Below = Mapping[tuple[str, str], list[tuple[str, str]]]
"""{(canonical tag, other tag system): tags below it with what each is likeliest the same as}."""


def _below(
    known: Known,
    pairs: Iterable[tuple[str, str]],
    canonical: Mapping[str, str],
    above: Mapping[str, set[str]],
) -> _Below:
    found: dict[tuple[str, str], list[tuple[str, str]]] = collections.defaultdict(list)
    for pair in pairs:
        for tag, other in (pair, pair[::-1]):
            for parent in above[canonical[tag]]:
                found[parent, known.system(other)].append((canonical[tag], canonical[other]))
    return found


def _part(
    known: Known,
    first: str,
    second: str,
    canonical: Mapping[str, str],
    above: Mapping[str, set[str]],
    below: _Below,
) -> str:
    """Why one of two tags may be a part of the other; "" if nothing speaks for it.

    A part sounds like the whole, so sound alone does not tell. But the whole has other parts: a
    rival that is likely the same too, or a tag below it whose counterpart is elsewhere.
    """
    if level := known.level(first, second):
        return level
    for tag, other in ((first, second), (second, first)):
        if rival := known.rival(tag, other, canonical):
            return f"{tag!r} may be broader: {rival!r} may be the same too"
        end = canonical[other]
        for child, match in below.get((canonical[tag], known.system(other)), ()):
            if match != end and end not in above[match]:
                return f"{tag!r} may be broader: {child!r} is below it, {match!r} is elsewhere"
    return ""


def _judged(known: Known, first: str, second: str) -> tuple[str, str]:
    """(state, note) of two tags of two systems, each the first candidate of the other."""
    mutual = known.mutual(first, second)
    divided = known.divided & {first, second}
    if divided:
        return "review", f"{min(divided)!r} may be of two senses"
    if mutual >= known.config.named and _same_name(known, first, second):
        return "accepted", "the name is the same too"
    if known.accepted(first, second):
        return "accepted", ""
    return ("review" if mutual >= known.config.review else "candidate"), ""


def _same_name(known: Known, first: str, second: str) -> tuple[Reason, ...]:
    """The reason that two tags of two systems have one name."""
    names = known.name(first), known.name(second)
    if names[0] == names[1]:
        return (Reason("spelling", "equal"),)
    if spelling.keys(names[0]) & spelling.keys(names[1]):
        return (Reason("spelling", ", ".join(spelling.differences(*names))),)
    return ()


def _take(
    known: Known,
    taken: dict[tuple[str, str], str],
    canonical: Mapping[str, str],
    first: str,
    second: str,
) -> None:
    """Notes the counterparts of two tags, each in the other's system."""
    for tag, other in ((first, second), (second, first)):
        taken[canonical[tag], known.system(other)] = canonical[other]


def _rival(
    known: Known,
    taken: Mapping[tuple[str, str], str],
    canonical: Mapping[str, str],
    first: str,
    second: str,
) -> str:
    """The one of two tags that is the same as another one already; "" if neither is."""
    for tag, other in ((first, second), (second, first)):
        if taken.get((canonical[tag], known.system(other)), canonical[other]) != canonical[other]:
            return repr(tag)
    return ""


def _tell_tree(known: Known, board: Board, tree: Tree, canonical: Mapping[str, str]) -> None:
    """The tree as matches; what the evidence says against the taxonomy."""
    for child, above in tree.links.items():
        for parent, weight in above.items():
            if weight < TAXONOMY:
                reason = Reason("together", "share of its tracks", min(weight, 1.0))
                board.put(Match(child, parent, "broad", min(weight, 1.0), "accepted", (reason,)))
            elif weight < PERSON:
                note = "the catalogue's own taxonomy"
                board.put(Match(child, parent, "broad", 1.0, "accepted", note=note))
    if known.facts.taxonomy is None:
        return
    placed = place(known.facts.taxonomy, known.vocabulary)
    genres = {canonical[genre] for genre in placed.genres}
    for style, named in placed.parents.items():
        said = {
            genre: _near(known, style, genre)
            for genre in genres
            if known.system(genre) == known.system(style) and genre != style
        }
        best = max(said, key=lambda genre: said[genre], default="")
        theirs = max(said.get(canonical[genre], 0.0) for genre in named)
        clear = best and said[best] >= known.config.relation and theirs < said[best] / 2
        if clear and known.heard(style, best, *named):
            reasons = known.reasons(style, best, "broad")
            who = "the sound disagrees" if known.has_sound else "common tracks disagree"
            note = f"{who} {OBJECTS}, which says {' and '.join(named)}"
            board.put(Match(style, best, "broad", said[best], "review", reasons, note=note))


def _near(known: Known, style: str, genre: str) -> float:
    """Probability that a style is below a genre or the same, as far as it is known."""
    row = known.row.get((style, genre))
    return 0.0 if row is None else (row["same"] or 0.0) + (row["broad"] or 0.0)


def _tell_candidates(
    known: Known,
    board: Board,
    above: Mapping[str, set[str]],
    canonical: Mapping[str, str],
    counterparts: Mapping[tuple[str, str], str],
) -> None:
    """The first candidate of each tag, and others that are worth a look."""
    several = len(known.vocabulary.systems) > 1
    for (source, target), row in known.row.items():
        system, ends = known.system(target), (canonical[source], canonical[target])
        within, first = known.system(source) == system, known.is_first(row)
        if within and _kin(above, *ends):
            continue
        relation, confidence = _likeliest(row)
        implied = not within and ends != (source, target) and counterparts.get((ends[0], system))
        if first and implied == ends[1]:
            state, relation, confidence = "accepted", "exact", row["same"]
            note = f"as {ends[0]!r} is {ends[1]!r}"
        elif relation == "exact":
            state, note = _worth(confidence >= known.config.review), ""
        else:
            settled = above[ends[0]] if within else counterparts.get((ends[0], system))
            useful = not settled and (relation != "related" if within else first)
            state, note = _worth(confidence >= known.config.relation and useful), ""
        judged = board.has(source, target) and state != "accepted"
        if not judged and (state != "candidate" or (first and not (within and several))):
            reasons = known.reasons(source, target, "same" if relation == "exact" else relation)
            board.put(Match(source, target, relation, confidence, state, reasons, note=note))


def _worth(looking: bool) -> str:
    return "review" if looking else "candidate"


def _kin(above: Mapping[str, set[str]], first: str, second: str) -> bool:
    """Whether two canonical tags are one, or one is above the other."""
    return first == second or first in above[second] or second in above[first]


def _tell_alone(known: Known, board: Board) -> None:
    """Tags of which nothing can be told, and tags without a counterpart."""
    for source in known.vocabulary.tags:
        if source in known.untold:
            artists = known.untold[source]
            note = "cannot be told: too few tracks of both catalogues"
            if known.has_sound:
                note = f"cannot be told from its sound: {artists} artist{'s' * (artists != 1)}"
            board.put(Match(source, None, "none", 0.0, "candidate", note=note))
            continue
        others = [other for other in known.vocabulary.systems if other != known.system(source)]
        rows = [known.first.get((source, other)) for other in others]
        none = min((row["none"] if row else 0.0) for row in rows) if rows else 0.0
        if none >= known.config.none:
            reason = Reason("joint", "probability", none)
            board.put(Match(source, None, "none", none, "accepted", (reason,)))


def _likeliest(row: Row) -> tuple[str, float]:
    """The relation of a target to a source that is the likeliest, with its probability."""
    found = {"exact": row["same"], **{name: row[name] for name in ("broad", "narrow", "related")}}
    shares = {name: value for name, value in found.items() if value is not None}
    best = max(shares, key=lambda name: shares[name])
    if row["relation"] in ("same", "none"):
        best = "exact"
    return best, float(shares[best])


def _tell_names(
    known: Known,
    board: Board,
    canonical: Mapping[str, str],
    counterparts: Mapping[tuple[str, str], str],
) -> None:
    """Tags of one name in several systems that the evidence does not take for the same."""
    names = dict(zip(known.vocabulary.tags, known.vocabulary.names, strict=True))
    for group in spelling.alike(names, spelling.keys):
        for first, second in itertools.combinations(sorted(group), 2):
            if known.system(first) == known.system(second):
                continue
            mutual, told = known.mutual(first, second), known.heard(first, second)
            rows = [(first, known.system(second)), (second, known.system(first))]
            told = told and any(key in known.first for key in rows)
            reasons = _same_name(known, first, second) or (Reason("spelling", "equal"),)
            reasons += known.reasons(first, second)
            note, state, confidence = "the same name", "review", max(mutual, 0.5)
            if told:
                confidence = mutual
                if mutual < 0.05:
                    unlike = "another sound" if known.has_sound else "other tracks"
                    note, state = f"the same name, but {unlike}", "review"
            if rival := _rival(known, counterparts, canonical, first, second):
                note, state = f"the same name, but {rival} has another counterpart", "candidate"
                confidence = mutual
            for pair in ((first, second), (second, first)):
                board.put(Match(*pair, "exact", confidence, state, reasons, note=note))
