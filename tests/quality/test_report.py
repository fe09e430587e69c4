from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Literal

import polars as pl
import pytest

from tmdbkit.quality import FINDINGS, RULES, Rule, find
from tmdbkit.quality.report import DRAWN, NAMED, Report
from tmdbkit.ratings.model import RATINGS

pytestmark = pytest.mark.once

HOSTILE = "<img src=x onerror=alert(1)>"


def rule(name: str, severity: Literal["error", "warning"], sentence: str) -> Rule:
    """A rule as a report reads it: what it looks for does not matter."""
    return Rule(name, severity, sentence, pl.lit(value=False), "movie", pl.lit(""))


SCALE = rule("off_scale", "error", "The points are not on the system's scale")
SLUG = rule("slug_twice", "error", "Two movies have one slug")
POSTER = rule("no_poster", "warning", "There is no poster")
DATE = rule("bad_date", "warning", "The date is none")
FOUR = (POSTER, SLUG, DATE, SCALE)


def finding(
    broken: Rule,
    tmdb_id: int = 1,
    title: str | None = "Parasite",
    *,
    system: str | None = None,
    value: str | None = None,
    why: str | None = None,
) -> tuple[object, ...]:
    return (tmdb_id, title, broken.name, broken.severity, system, value, why, None, None, False)


def report(*findings: tuple[object, ...], movies: int = 400, heading: str = "") -> Report:
    frame = pl.DataFrame(findings, FINDINGS, orient="row")
    return Report(movies, FOUR, frame, heading)


def many(count: int, broken: Rule = SCALE) -> Report:
    return report(*(finding(broken, n, f"Movie {n}") for n in range(1, count + 1)), movies=count)


class Page(HTMLParser):
    """What a browser makes of HTML: elements with their attributes, and the text in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append(data.strip())

    def styles(self) -> list[dict[str, str]]:
        written = [attrs["style"] or "" for _, attrs in self.elements if "style" in attrs]
        pairs = ([part.split(":", 1) for part in style.split(";") if part] for style in written)
        return [{name.strip(): value.strip() for name, value in parts} for parts in pairs]


# Counts.


def test_counts_are_what_check_prints_as_json() -> None:
    counts = report(finding(POSTER), finding(SCALE), finding(SCALE, 2)).counts()
    assert counts == {
        "movies": 400,
        "errors": 2,
        "warnings": 1,
        "rules": [
            {"rule": "off_scale", "severity": "error", "count": 2},
            {"rule": "no_poster", "severity": "warning", "count": 1},
            {"rule": "slug_twice", "severity": "error", "count": 0},
            {"rule": "bad_date", "severity": "warning", "count": 0},
        ],
    }


def test_an_error_stands_before_any_number_of_warnings_and_many_before_few() -> None:
    found = report(
        *(finding(DATE, n) for n in range(9)), finding(SLUG), finding(SCALE), finding(SCALE, 2)
    )
    rules = [entry["rule"] for entry in found.counts()["rules"]]
    assert rules == ["off_scale", "slug_twice", "bad_date", "no_poster"]


@pytest.mark.parametrize(
    ("ids", "movies", "verdict"),
    [
        ([], 0, "no movies to check"),
        ([], 400, "0 of 400 movies need a look"),
        ([7], 1, "1 of 1 movie needs a look"),
        ([7, 7, 7], 400, "1 of 400 movies needs a look"),
        ([7, 8], 12_000, "2 of 12,000 movies need a look"),
    ],
)
def test_the_verdict_counts_movies_and_not_findings(
    ids: list[int], movies: int, verdict: str
) -> None:
    assert report(*(finding(SCALE, n) for n in ids), movies=movies).verdict() == verdict


def test_the_verdict_begins_with_what_was_checked() -> None:
    assert report(heading="the sample").verdict() == "the sample: 0 of 400 movies need a look"


# Text.


def test_the_text_has_the_verdict_the_rules_that_found_something_and_the_worst_by_name() -> None:
    found = report(
        finding(SCALE, 496243, system="letterboxd", value="7.2", why="the scale ends at 5"),
        finding(SCALE, 11, "Star Wars", system="imdb", value="86"),
        finding(POSTER, 5, "Lost"),
    )
    assert repr(found) == (
        "3 of 400 movies need a look\n"
        "4 rules · 3 findings (2 errors, 1 warning)\n"
        "  error  2  The points are not on the system's scale\n"
        "  warn   1  There is no poster\n"
        "  pass   2 rules\n"
        "The worst:\n"
        "  Parasite (496243): Letterboxd 7.2, the scale ends at 5\n"
        "  Star Wars (11): IMDb 86\n"
        "  Lost (5): no_poster"
    )


def test_the_text_of_a_clean_stage_is_three_lines() -> None:
    assert repr(report()).splitlines()[1:] == [
        "4 rules · 0 findings (0 errors, 0 warnings)",
        "  pass   4 rules",
    ]


def test_the_text_names_a_few_and_counts_the_rest() -> None:
    lines = repr(many(1_000)).splitlines()
    assert sum("Movie" in line for line in lines) == NAMED
    assert lines[-1] == f"  and {1_000 - NAMED} more in .findings"
    assert many(1_000).text(more=" elsewhere").splitlines() == [
        *lines[:-1],
        f"  and {1_000 - NAMED} more elsewhere",
    ]


def test_a_value_that_breaks_several_rules_is_one_of_the_worst_once() -> None:
    twice = [finding(broken, system="imdb", value="74") for broken in (SCALE, POSTER)]
    others = finding(POSTER, system="tmdb", value="74"), finding(DATE), finding(SLUG)
    told = repr(report(*twice, *others)).partition("The worst:\n")[2].splitlines()
    assert told == [
        "  Parasite (1): IMDb 74",
        "  Parasite (1): TMDB 74",
        "  Parasite (1): bad_date",
        "  Parasite (1): slug_twice",
        "  and 1 more in .findings",
    ]


def test_no_title_steers_a_terminal_or_takes_more_than_its_line() -> None:
    text = repr(report(finding(SCALE, 1, "\x1b[2J\nall is well\u202e" + "x" * 500, value="7.2")))
    assert all(letter.isprintable() or letter == "\n" for letter in text)
    assert len(text.splitlines()) == len(repr(report(finding(SCALE))).splitlines())
    assert max(len(line) for line in text.splitlines()) <= 100
    assert "(1): 7.2" in text


def test_what_the_rules_find_is_told_in_their_words() -> None:
    movies = pl.DataFrame({"tmdb_id": [13, 27], "title": ["Alpha", "Beta"], "slug": ["", "beta"]})
    now = datetime(2026, 1, 1, tzinfo=UTC)
    found = Report(2, RULES, find(movies, RATINGS.to_frame(), now=now))
    assert found.counts()["warnings"] == 1
    assert repr(found).splitlines()[-1] == "  Alpha (13): The slug is empty"
    assert {each.sentence for each in RULES} < set(Page(found._repr_html_()).texts)


# HTML.


def test_nothing_that_a_stranger_wrote_becomes_an_element() -> None:
    hostile = finding(SCALE, 1, HOSTILE, system=HOSTILE, value=HOSTILE, why=f"{HOSTILE}!")
    named = rule(SCALE.name, "error", HOSTILE)
    frame = pl.DataFrame([hostile], FINDINGS, orient="row")
    found = Report(1, (named,), frame, HOSTILE)
    drawn = Page(found._repr_html_())
    assert {tag for tag, _ in drawn.elements} == {"div", "details", "summary"}
    assert {name for _, attrs in drawn.elements for name in attrs} == {"style"}
    assert drawn.texts.count(HOSTILE) == 2  # the sentence and the title
    whole = {tag for tag, _ in Page(found.page()).elements}
    assert whole.isdisjoint({"img", "script", "link", "iframe"})


def test_without_styles_a_report_reads_in_order() -> None:
    found = report(
        finding(SCALE, system="rotten_tomatoes_audience", value="97", why="the scale ends at 5"),
        finding(SCALE, 2, None),
    )
    assert Page(found._repr_html_()).texts[:11] == [
        "2 of 400 movies need a look",
        "4 rules · 2 findings (2 errors, 0 warnings)",
        "error",
        "2",
        "The points are not on the system's scale",
        "Parasite",
        "rotten tomatoes audience 97",
        "the scale ends at 5",
        "tmdb 1",
        "P",
        "movie 2",
    ]


def test_a_movie_does_not_repeat_the_sentence_that_it_stands_under() -> None:
    drawn = Page(report(finding(SCALE, why=SCALE.sentence))._repr_html_())
    assert drawn.texts.count(SCALE.sentence) == 1


def test_a_rule_that_found_nothing_is_a_row_that_does_not_unfold() -> None:
    drawn = Page(report(finding(SCALE))._repr_html_())
    assert [tag for tag, _ in drawn.elements].count("details") == 1
    assert drawn.texts.count("pass") == 3
    assert all(each.sentence in drawn.texts for each in FOUR)


def test_the_longest_bar_belongs_to_the_rule_that_found_most() -> None:
    found = report(*(finding(SCALE, n) for n in range(4)), finding(POSTER))
    widths = [style.get("width", "") for style in Page(found._repr_html_()).styles()]
    bars = [width for width in widths if width.endswith("%")]
    assert bars == ["100.0%", "25.0%", "0.0%", "0.0%"]


def test_a_few_movies_of_each_rule_are_drawn_and_the_rest_counted() -> None:
    found = Page(many(400)._repr_html_())
    assert sum(bool(re.fullmatch(r"Movie \d+", text)) for text in found.texts) == DRAWN
    assert "and 388 more" in found.texts
    assert not any("more" in text for text in Page(many(DRAWN)._repr_html_()).texts)


def test_all_styles_survive_in_an_untrusted_notebook() -> None:
    """JupyterLab drops what it does not know; these are what it was seen to keep."""
    html = many(13)._repr_html_()
    assert not re.search(r"var\(|hsl|gradient|url\(|anywhere|<style|class=|id=", html)
    for style in Page(html).styles():
        assert set(style) <= {
            *("display", "flex", "flex-wrap", "gap", "align-items", "order", "width", "height"),
            *("min-width", "max-width", "padding", "padding-top", "padding-bottom", "border"),
            *("border-top", "border-radius", "background-color", "color", "opacity", "cursor"),
            *("font-size", "font-weight", "line-height", "text-align", "overflow-wrap"),
        }


def test_text_has_a_colour_only_on_a_ground_of_its_own() -> None:
    for style in Page(many(3)._repr_html_()).styles():
        assert "color" not in style or "background-color" in style


def test_a_report_is_drawn_alike_each_time() -> None:
    one, other = many(20), many(20)
    assert (repr(one), one._repr_html_(), one.page()) == (
        repr(other),
        other._repr_html_(),
        other.page(),
    )


def test_a_page_is_whole_follows_the_reader_s_theme_and_loads_nothing() -> None:
    page = report(finding(SCALE), heading="the sample").page()
    assert page.startswith("<!doctype html>")
    assert "color-scheme: light dark" in page
    assert "default-src 'none'" in page
    assert not re.search(r"https?:|src=|href=|url\(|@import", page)
    assert Page(page).texts[0] == "the sample: 1 of 400 movies needs a look"


def test_a_hundred_thousand_findings_are_drawn_in_less_than_a_second() -> None:
    rules = pl.Series([each.name for each in FOUR] * 25_000)
    frame = pl.select(
        tmdb_id=pl.int_range(100_000),
        title=pl.format("Movie {}", pl.int_range(100_000)),
        rule=rules,
        severity=pl.lit("error"),
        system=pl.lit("imdb"),
        value=pl.lit("74"),
        why=pl.lit("the scale ends at 10"),
    )
    large = Report(100_000, FOUR, frame)
    began = time.process_time()
    drawn = large.page(), repr(large), large.counts()
    assert time.process_time() - began < 1
    assert len(drawn[0]) < 100_000
