"""Figure 1 and the heat map."""

import itertools
import xml.etree.ElementTree

import matplotlib.image
import numpy as np
import pytest
import sklearn.metrics
from matplotlib.colors import to_rgba

from tagjax.report import figures
from tagjax.similarity import embeddings
from tagjax.similarity.matrix import Similarity

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
    figure = figures.draw_map({"fw": (few.tags, places)}, PARENTS)
    assert len(figure.axes) == 1


def test_tags_without_data_are_left_out_and_told(clusters):
    matrix = clusters.matrix.copy()
    matrix[3] = matrix[:, 3] = np.nan
    places = figures.layout(Similarity(clusters.tags, matrix))
    assert np.isnan(places[3]).all()
    assert np.isfinite(np.delete(places, 3, 0)).all()
    axis = figures.draw_map({"fdist": (clusters.tags, places)}, PARENTS).axes[0]
    assert axis.get_title() == "fdist (1 tags without data)"
    assert clusters.tags[3] not in {text.get_text() for text in axis.texts}


def test_labels_cover_neither_each_other_nor_a_marker(clusters, places):
    figure = figures.draw_map({"fw": (clusters.tags, places)}, PARENTS)
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
    offsets = figures.place_labels(points, radii, sizes, (0, 0, 1000, 1000), first)
    centres = points + offsets
    for i, j in itertools.combinations(range(80), 2):
        assert (np.abs(centres[i] - centres[j]) >= sizes[0]).any()
    assert (np.abs(centres[:, None] - points) >= sizes[0] / 2 + 4).any(axis=2).all()


def test_styles_have_the_colour_of_their_genre(clusters, places):
    parents = {**PARENTS, "style a0": ("genre:a", "genre:b")}
    del parents["style c8"]
    axis = figures.draw_map({"fw": (clusters.tags, places)}, parents).axes[0]
    lines = {tuple(line.get_xydata()[0]): line for line in axis.lines if len(line.get_xdata()) == 1}
    markers = {tag: lines[tuple(place)] for tag, place in zip(clusters.tags, places, strict=True)}
    colour = {g: markers[f"genre:{g}"].get_markerfacecolor() for g in "abc"}
    assert len(set(colour.values())) == 3
    assert markers["style b3"].get_markerfacecolor() == colour["b"]
    assert markers["style a0"].get_markerfacecolor() == colour["a"]
    assert markers["style a0"].get_markerfacecoloralt() == colour["b"]
    assert markers["style c8"].get_markerfacecolor() == figures.NO_GENRE
    genre, style = markers["genre:a"], markers["style a1"]
    assert genre.get_markersize() > style.get_markersize()
    assert to_rgba(genre.get_markeredgecolor()) == to_rgba("black")
    assert genre.get_zorder() > style.get_zorder()


def test_genres_of_two_systems_share_a_colour():
    colours = figures.genre_colours(
        ["a:genre:rock", "b:genre:rock", "b:genre:jazz"], {}, ("a:", "b:")
    )
    assert colours["a:genre:rock"] == colours["b:genre:rock"] != colours["b:genre:jazz"]


def test_halves_of_a_genre_share_a_colour():
    tags = ("genre:a_1", "genre:a_2", "genre:b_1", "genre:b_2", "x_1")
    places = np.arange(10.0).reshape(5, 2)
    figure = figures.draw_map({"fw": (tags, places)}, {"x_1": ("genre:b_1",)})
    lines = {tuple(line.get_xydata()[0]): line for line in figure.axes[0].lines}
    faces = [to_rgba(lines[tuple(place)].get_markerfacecolor()) for place in places]
    assert faces[0] == faces[1] != faces[2] == faces[3] == faces[4]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b"]


def test_panels_stand_side_by_side_and_files_are_reproducible(clusters, places, tmp_path):
    tags = ("$x^2_{$", "<b>&", *clusters.tags[2:])  # neither mathematics nor markup
    panels = {"fw": (tags, places), "fc": (tags, -places)}
    config = figures.Config(dots=50)
    written = []
    for name in ("one", "two"):
        figure = figures.draw_map(panels, PARENTS, config=config)
        assert [axis.get_title() for axis in figure.axes] == ["fw", "fc"]
        written.append(figures.save(figure, tmp_path / name, config))
    (png, svg), (png_again, svg_again) = written
    assert png.read_bytes() == png_again.read_bytes()
    assert svg.read_bytes() == svg_again.read_bytes()
    height, width, _ = matplotlib.image.imread(png).shape
    assert width > 1.7 * height
    xml.etree.ElementTree.parse(svg)


def test_heat_map_is_in_taxonomy_order(clusters):
    order = figures.taxonomy_order((*clusters.tags, "lone"), PARENTS)
    assert order[0] == "genre:a"
    assert order[1:10] == tuple(f"style a{i}" for i in range(9))
    assert order[10] == "genre:b"
    assert order[-1] == "lone"
    axis = figures.draw_heat_map(clusters, PARENTS, title="fw").axes[0]
    assert [label.get_text() for label in axis.get_yticklabels()] == list(order[:-1])
    shown = np.asarray(axis.images[0].get_array())
    np.testing.assert_array_equal(shown, clusters.reordered(order[:-1]).matrix)
