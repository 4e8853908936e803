"""Figure 1 and the heat map."""

import base64
import io
import itertools
import warnings
import xml.etree.ElementTree

import matplotlib.figure
import matplotlib.font_manager
import matplotlib.image
import numpy as np
import PIL.Image
import pytest
import sklearn.metrics
from matplotlib.colors import to_rgba

from tagjax.report import figures, labels, looks
from tagjax.similarity import embeddings
from tagjax.similarity.matrix import Similarity
from tagjax.vocabulary.vocabulary import Vocabulary

PARENTS = {f"style {g}{i}": (f"genre:{g}",) for g in "abc" for i in range(9)}


@pytest.fixture(scope="module")
def clusters():
    rng = np.random.default_rng(0)
    centres = {g: rng.normal(size=20) for g in "abc"}
    tags = (*PARENTS, *(f"genre:{g}" for g in "abc"))
    vectors = [centres[tag[-1] if ":" in tag else tag[6]] + rng.normal(size=20) / 3 for tag in tags]
    return Similarity(tags, embeddings.cosine(np.stack(vectors, axis=1)))


@pytest.fixture(scope="module")
def places(clusters):
    return figures.layout(clusters)


def test_near_tags_lie_near(clusters, places):
    groups = [tag[-1] if ":" in tag else tag[6] for tag in clusters.tags]
    assert sklearn.metrics.silhouette_score(places, groups) > 0.5
    np.testing.assert_array_equal(figures.layout(clusters), places)  # seeded


@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, 5])
def test_few_tags_have_places(clusters, n):
    few = clusters.reordered(clusters.tags[:n])
    places = figures.layout(few)
    assert places.shape == (n, 2)
    assert np.isfinite(places).all()
    drawing = figures.draw_map({"fw": (few, places)}, PARENTS)
    assert len(drawing.figure.axes) == 1
    assert drawing.svg.count('data-part="marker"') == n


def test_tags_without_data_are_left_out_and_told(clusters):
    matrix = clusters.matrix.copy()
    matrix[3] = matrix[:, 3] = np.nan
    some = Similarity(clusters.tags, matrix)
    places = figures.layout(some)
    assert np.isnan(places[3]).all()
    assert np.isfinite(np.delete(places, 3, 0)).all()
    axis = figures.draw_map({"fdist": (some, places)}, PARENTS).figure.axes[0]
    assert axis.get_title() == "fdist (1 tags without data)"
    assert clusters.tags[3] not in {text.get_text() for text in axis.texts}


def test_labels_cover_neither_each_other_nor_a_marker(clusters, places):
    figure = figures.draw_map({"fw": (clusters, places)}, PARENTS).figure
    axis, renderer = figure.axes[0], figure.canvas.get_renderer()
    assert len(axis.texts) == 30
    boxes = [text.get_window_extent(renderer) for text in axis.texts]
    for one, other in itertools.combinations(boxes, 2):
        assert not one.overlaps(other)
    for box, (x, y) in itertools.product(boxes, axis.transData.transform(places)):
        assert not box.contains(x, y)
        assert axis.bbox.containsx(box.x0)
        assert axis.bbox.containsy(box.y1)


def test_labels_find_room_in_a_crowd():
    rng = np.random.default_rng(3)
    points = rng.normal(500, 60, (80, 2))
    sizes = np.tile([60.0, 12.0], (80, 1))
    radii = np.full(80, 4.0)
    first = np.zeros(80, dtype=bool)
    offsets = labels.place_labels(points, radii, sizes, (0, 0, 1000, 1000), first)
    centres = points + offsets
    for i, j in itertools.combinations(range(80), 2):
        assert (np.abs(centres[i] - centres[j]) >= sizes[0]).any()
    assert (np.abs(centres[:, None] - points) >= sizes[0] / 2 + 4).any(axis=2).all()


def test_styles_have_the_colour_of_their_genre(clusters, places):
    parents = {**PARENTS, "style a0": ("genre:a", "genre:b")}
    del parents["style c8"]
    axis = figures.draw_map({"fw": (clusters, places)}, parents).figure.axes[0]
    lines = {tuple(line.get_xydata()[0]): line for line in axis.lines if len(line.get_xdata()) == 1}
    markers = {tag: lines[tuple(place)] for tag, place in zip(clusters.tags, places, strict=True)}
    colour = {g: markers[f"genre:{g}"].get_markerfacecolor() for g in "abc"}
    assert len(set(colour.values())) == 3
    assert markers["style b3"].get_markerfacecolor() == colour["b"]
    assert markers["style a0"].get_markerfacecolor() == colour["a"]
    assert markers["style a0"].get_markerfacecoloralt() == colour["b"]
    assert markers["style c8"].get_markerfacecolor() == looks.NO_GENRE
    genre, style = markers["genre:a"], markers["style a1"]
    assert genre.get_markersize() > style.get_markersize()
    assert to_rgba(genre.get_markeredgecolor()) == to_rgba("black")
    assert genre.get_zorder() > style.get_zorder()


def test_genres_of_two_systems_share_a_colour():
    tags = ("a:genre:rock", "b:genre:rock", "b:genre:jazz", "a:punk")
    parents = {"a:punk": ("a:genre:rock",)}
    rock, other, jazz, punk = looks.looks(Vocabulary.of(tags, ("a:", "b:")), parents)
    assert rock.colours == other.colours == punk.colours != jazz.colours
    assert rock.marker == punk.marker != other.marker == jazz.marker
    assert [look.label for look in (rock, jazz, punk)] == ["a:rock", "b:jazz", "a:punk"]


def test_a_genre_is_what_the_taxonomy_has_as_one():
    vocabulary = Vocabulary.of(("genre:a", "b", "c", "genre:d"))
    found = looks.looks(vocabulary, {"c": ("b",), "genre:d": ("genre:a",)})
    assert [look.is_genre for look in found] == [True, True, False, False]


def test_halves_of_a_genre_share_a_colour():
    tags = ("genre:a_1", "genre:a_2", "genre:b_1", "genre:b_2", "x_1")
    places = np.arange(10.0).reshape(5, 2)
    halves = Similarity(Vocabulary.of(tags, halves=True), np.eye(5))
    figure = figures.draw_map({"fw": (halves, places)}, {"x_1": ("genre:b_1",)}).figure
    lines = {tuple(line.get_xydata()[0]): line for line in figure.axes[0].lines}
    faces = [to_rgba(lines[tuple(place)].get_markerfacecolor()) for place in places]
    assert faces[0] == faces[1] != faces[2] == faces[3] == faces[4]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b"]


def test_panels_stand_side_by_side_and_files_are_reproducible(clusters, places, tmp_path):
    tags = ("$x^2_{$", "<b>&", *clusters.tags[2:])  # neither mathematics nor markup
    odd = Similarity(tags, clusters.matrix)
    panels = {"fw": (odd, places), "fc": (odd, -places)}
    config = figures.FigureConfig(dots=50)
    written = []
    for name in ("one", "two"):
        drawing = figures.draw_map(panels, PARENTS, config)
        assert [axis.get_title() for axis in drawing.figure.axes] == ["fw", "fc"]
        written.append(figures.save(drawing, tmp_path / name, config.dots))
    (png, svg), (png_again, svg_again) = written
    assert png.read_bytes() == png_again.read_bytes()
    assert svg.read_bytes() == svg_again.read_bytes()
    height, width, _ = matplotlib.image.imread(png).shape
    assert width > 1.7 * height
    assert svg.read_text(encoding="utf-8") == drawing.svg
    root = xml.etree.ElementTree.parse(svg).getroot()
    assert {"$x^2_{$", "<b>&"} <= set(root.itertext())


def test_a_tooltip_names_the_tag_its_genres_and_its_nearest(clusters, places):
    drawing = figures.draw_map({"fw": (clusters, places)}, PARENTS)
    root = xml.etree.ElementTree.fromstring(drawing.svg)
    markers = [e for e in root.iter() if e.get("data-part") == "marker"]
    assert [marker.get("data-tag") for marker in markers] == list(clusters.tags)
    series = {marker.get("data-series"): marker.get("data-tag") for marker in markers[-3:]}
    for marker in markers:
        tag = marker.get("data-tag")
        (title,) = (e.text for e in marker if e.tag.endswith("title"))
        nearest = [f"{score:.3f} {other}" for other, score in clusters.nearest(tag, 5)]
        genres = [f"in {PARENTS[tag][0]}"] if tag in PARENTS else []
        assert title.split("\n") == [tag, *genres, *nearest]
        assert series[marker.get("data-series")] == (PARENTS.get(tag) or (tag,))[0]


def test_heat_map_is_in_taxonomy_order(clusters):
    vocabulary = Vocabulary.of((*clusters.tags, "lone"))
    order = looks.taxonomy_order(vocabulary, PARENTS)
    assert order[0] == "genre:a"
    assert order[1:10] == tuple(f"style a{i}" for i in range(9))
    assert order[10] == "genre:b"
    assert order[-1] == "lone"
    axis = figures.draw_heat_map(clusters, PARENTS, title="fw").figure.axes[0]
    assert [label.get_text() for label in axis.get_yticklabels()] == list(order[:-1])
    shown = np.asarray(axis.images[0].get_array())
    np.testing.assert_array_equal(shown, clusters.reordered(order[:-1]).matrix)
    groups = [text.get_text() for text in axis.texts]
    assert groups == ["a", "a", "b", "b", "c", "c"]  # beside and above


def test_halves_are_ordered_one_after_the_other():
    tags = [f"{name}_{half}" for name in ("x", "genre:a") for half in (1, 2)]
    vocabulary = Vocabulary.of(tags, halves=True)
    order = looks.taxonomy_order(vocabulary, {"x_1": ("genre:a_1",), "x_2": ("genre:a_2",)})
    assert order == ("genre:a_1", "x_1", "genre:a_2", "x_2")


def test_axes_in_axes_out(clusters, places):
    """The functions for notebooks draw what the files show, on whatever axes they are given."""
    figure, (left, right) = matplotlib.figure.Figure(), (None, None)
    left, right = figure.subplots(1, 2)
    assert figures.plot_map(clusters, left, PARENTS, places) is left
    assert {text.get_text() for text in left.texts} == {*PARENTS, "a", "b", "c"}
    assert figures.plot_heat_map(clusters, right, PARENTS, "cosine") is right
    assert right.images[0].get_array().shape == (30, 30)
    assert figure.axes[-1].get_ylabel() == "cosine"


def test_a_long_name_is_cut_and_whole_in_its_tooltip():
    name = "long " * 40
    similarity = Similarity((name, "short"), np.array([[1, 0.5], [0.5, 1]]))
    for drawing in (
        figures.draw_map({"fc": (similarity, np.eye(2))}, {}),
        figures.draw_heat_map(similarity, {}),
    ):
        root = xml.etree.ElementTree.fromstring(drawing.svg)
        texts = {e.text for e in root.iter() if e.tag.endswith("text")}
        assert max(map(len, texts)) <= 60
        assert any(text.startswith("long long") and text.endswith("…") for text in texts)
        titles = " ".join(e.text for e in root.iter() if e.tag.endswith("title"))
        assert name.strip() in titles
    size = drawing.figure.get_size_inches()
    drawing.figure.draw_without_rendering()
    assert drawing.figure.axes[0].bbox.height / drawing.figure.dpi > 0.3 * size[1]  # of the image


def test_no_control_character_reaches_an_svg():
    tags = ("a\x00\x07b", "c\u202ed", "e\nf\tg", "h\ufffei", "j\u2028k")
    similarity = Similarity(tags, np.eye(5))
    for drawing in (
        figures.draw_map({"fc": (similarity, np.eye(5)[:, :2] + np.arange(5)[:, None])}, {}),
        figures.draw_heat_map(similarity, {}, "\x01title"),
    ):
        root = xml.etree.ElementTree.fromstring(drawing.svg)
        texts = {e.text for e in root.iter() if e.tag.endswith("text")}
        assert {"ab", "cd", "e f g", "hi", "j k"} <= texts
        odd = {c for c in drawing.svg if not c.isprintable()} - {"\n"}
        assert not odd


def test_ids_are_the_figures_own(clusters, places):
    """Two figures of one page share no id, and each refers to nothing but its own."""
    drawn = [
        figures.draw_map({"fw": (clusters, places)}, PARENTS),
        figures.draw_map({"fc": (clusters, places)}, PARENTS),
        figures.draw_heat_map(clusters, PARENTS, "fw"),
    ]
    known = []
    for drawing in drawn:
        root = xml.etree.ElementTree.fromstring(drawing.svg)
        ids = {e.get("id") for e in root.iter() if e.get("id")}
        links = (e.get("{http://www.w3.org/1999/xlink}href", "") for e in root.iter())
        assert {link[1:] for link in links if link.startswith("#")} <= ids
        known.append(ids)
    assert all(a.isdisjoint(b) for a, b in itertools.combinations(known, 2))


def test_the_image_of_a_heat_map_is_small_and_exact():
    rng = np.random.default_rng(0)
    matrix = rng.random((300, 300))
    matrix = (matrix + matrix.T) / 2
    matrix[7] = matrix[:, 7] = np.nan
    similarity = Similarity([f"t{k}" for k in range(300)], matrix)
    drawing = figures.draw_heat_map(similarity, {})
    root = xml.etree.ElementTree.fromstring(drawing.svg)
    (image,) = (e for e in root.iter() if e.get("data-part") == "cells")
    data = image.get("{http://www.w3.org/1999/xlink}href").partition("base64,")[2]
    pixels = np.asarray(PIL.Image.open(io.BytesIO(base64.b64decode(data))).convert("RGBA"))
    axis_image = drawing.figure.axes[0].images[0]
    expected = axis_image.to_rgba(axis_image.get_array(), bytes=True)
    np.testing.assert_array_equal(pixels[..., 3], expected[..., 3])
    known = expected[..., 3] > 0
    np.testing.assert_array_equal(pixels[known], expected[known])
    assert len(data) < 1.5 * matrix.size


SCRIPTS = ("日本語", "เพลง", "भजन", "🎸")


def test_letters_without_a_font_are_one_warning(monkeypatch, tmp_path):
    """Where no font has a script, one line says of how many tags, and Matplotlib is silent."""
    font = matplotlib.font_manager.findfont(labels.FONT)
    monkeypatch.setattr(labels, "_installed", lambda: [(labels.FONT, font)])
    monkeypatch.setattr(labels, "_covering", labels._covering.__wrapped__)
    similarity = Similarity((*SCRIPTS, "plain"), np.eye(5))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        labels.warn_of_missing(similarity.tags)
        drawn = (
            figures.draw_heat_map(similarity, {}),
            figures.draw_map({"fc": (similarity, np.arange(10.0).reshape(5, 2))}, {}),
        )
        for drawing in drawn:
            figures.save(drawing, tmp_path / drawing.name)
    assert [str(warning.message).partition(",")[0] for warning in caught] == [
        "4 tags have letters that no installed font has"
    ]


def test_a_font_is_found_for_each_script_that_has_one():
    """Of installed fonts, whatever they are: what is not reported missing can be drawn."""
    for name in SCRIPTS:
        fonts, missing = labels._covering(frozenset(name))
        assert fonts[0] == labels.FONT
        paths = [matplotlib.font_manager.findfont(font) for font in fonts]
        drawable = frozenset().union(*map(labels._letters_of, paths))
        assert missing == set(name) - drawable
