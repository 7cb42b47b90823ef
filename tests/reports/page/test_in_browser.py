"""The page in a real browser: sorted, filtered, compared and played; no caption can break it."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from core.evaluation.measures import recall
from core.evaluation.significance import standard_error
from reports.figures.write import FIGURE_CAPTIONS
from reports.page.write import write_page
from reports.queries import ResultKey
from reports.results import Results
from tests.made_runs import make_run, result
from tests.reports.made_results import results_under


def column(page: Page, number: int) -> list[str]:
    """The texts of a column of the result table, visible rows only."""
    cells = page.locator(f"#table tbody tr:visible td:nth-child({number})")
    return [text.strip() for text in cells.all_inner_texts()]


def test_a_click_sorts_by_the_column_and_another_turns_it_round(page: Page) -> None:
    button = page.get_by_role("button", name="R@1", exact=True)
    button.click()
    falling = [float(text) for text in column(page, 2)]
    assert falling == sorted(falling, reverse=True) and len(set(falling)) > 1
    button.focus()
    page.keyboard.press("Enter")
    assert [float(text) for text in column(page, 2)] == sorted(falling)
    head = page.locator("th", has=button)
    assert head.get_attribute("aria-sort") == "ascending"


def test_words_of_the_filter_must_all_stand_in_a_row(page: Page) -> None:
    assert page.get_by_label("Filter").input_value() == "leak-free t2v"
    assert set(column(page, 14)) == {"t2v"}
    page.get_by_label("Filter").fill("")
    everything = len(column(page, 1))
    page.get_by_label("Filter").fill("gaid T2V")
    assert column(page, 14) == ["t2v"] and "GAID" in column(page, 1)[0]
    assert page.locator("#shown").inner_text() == f"1 of {everything} rows"
    page.get_by_label("Filter").fill("")
    assert len(column(page, 1)) == everything


def test_rescored_rows_are_shown_only_where_they_are_asked_for(browser: Browser, tmp_path: Path) -> None:
    make_run(tmp_path, {}, [result(40.0, queries=50), result(60.0, queries=50, rescoring="dsl")])
    path, _ = write_page(results_under(tmp_path), tmp_path)
    page = browser.new_page()
    page.goto(path.as_uri())
    shown = page.get_by_label("Rescoring")
    assert shown.input_value() == "none"
    assert (column(page, 2), column(page, 4)) == (["40.0"], ["50"])
    shown.select_option("dsl")
    assert column(page, 2) == ["60.0"]
    shown.select_option("all")
    assert column(page, 2) == ["40.0", "60.0"]
    page.close()


@pytest.mark.parametrize(("width", "height"), [(1280, 900), (400, 800)])
def test_the_first_screen_holds_the_message_and_scrolls_in_no_box(
    browser: Browser, page_file: Path, width: int, height: int
) -> None:
    opened = browser.new_page(viewport={"width": width, "height": height})
    opened.goto(page_file.as_uri())
    boxes = opened.locator("#overview .wide")
    assert boxes.count() == 1
    assert boxes.evaluate("box => box.scrollHeight <= box.clientHeight + 1")
    row = opened.locator(".overview tbody tr").first
    for cell in range(4):  # method, R@1, released, gap
        place = row.locator("th, td").nth(cell).bounding_box()
        assert place and place["x"] + place["width"] <= width and place["y"] + place["height"] <= height
    if width > 1000:
        last = opened.locator(".overview tr").last.bounding_box()
        assert last and last["y"] + last["height"] <= height
    opened.close()


def test_the_figures_of_the_report_are_in_the_page_with_their_captions(page: Page) -> None:
    learning = page.locator("#figures img")
    assert learning.count() == 1 and page.locator("#gates figure img").count() == 1
    assert learning.evaluate("picture => [picture.naturalWidth, picture.naturalHeight]") == [640, 360]
    assert str(learning.get_attribute("src")).startswith("data:image/webp;base64,")
    assert page.locator("#figures figcaption").inner_text() == FIGURE_CAPTIONS["learning"]


def test_a_drawn_gate_has_a_scale_and_names(page: Page) -> None:
    plot = page.locator("#gallery-of-gates .plot:has(svg)").first
    assert plot.locator(".heights span").all_inner_texts() == ["1", "0"]
    assert plot.locator(".widths span").all_inner_texts() == ["0.0 s", "2.0 s", "4.0 s"]
    assert "has no sign" in page.locator("#gallery-of-gates .card").first.inner_text()
    layers = """record => {
        const made = curve(record, false);
        return [".heights span", ".widths span"].map((name) =>
            [...made.querySelectorAll(name)].map((span) => span.textContent));
    }"""
    assert page.evaluate(layers, {"gate": [0.5, -0.25], "truth": None, "clip": None}) == [
        ["1", "0", "−1"],
        ["layer 1", "layer 2"],
    ]


def test_every_row_carries_its_protocol(page: Page) -> None:
    badge = page.locator("#table .badge").first
    assert badge.locator("summary").inner_text() == "leak-free"
    badge.locator("summary").click()
    assert "24 candidates" in badge.inner_text() and "checkpoint by val" in badge.inner_text()


@pytest.mark.parametrize("k", [1, 5])
def test_two_runs_differ_as_the_statistics_say(page: Page, results: Results, k: int) -> None:
    page.get_by_label("Metric").select_option(str(k))
    a, b = (run.answers[ResultKey("test")] for run in results.runs)
    changes = recall(b.ranks(), k) - recall(a.ranks(), k)
    found = page.locator("#difference")
    assert float(str(found.get_attribute("data-mean"))) == pytest.approx(float(changes.mean()))
    error = standard_error(changes, a.clusters)
    assert float(str(found.get_attribute("data-error"))) == pytest.approx(error)
    assert page.locator("#better-b li").count() == int((changes > 0).sum())
    assert page.locator("#better-a li").count() == int((changes < 0).sum())


def test_a_failure_is_shown_with_its_candidates_and_plays(page: Page, results: Results) -> None:
    lowest = results.runs[0].answers[ResultKey("test")].ranks().first
    assert f"rank {int(lowest.max())}" in page.locator("#failure .right h3").inner_text()
    assert page.locator("#failure .card").count() == 6
    sounding = page.locator("#failure .card, #gallery-of-gates .card").filter(has=page.locator("audio")).first
    button = sounding.get_by_role("button")
    button.focus()
    page.keyboard.press("Enter")
    audio = sounding.locator("audio")
    page.wait_for_function("audio => audio.currentTime > 0.2", arg=audio.element_handle())
    assert audio.evaluate("audio => audio.duration") == pytest.approx(4.0, abs=0.2)
    button.press("Enter")
    assert audio.evaluate("audio => audio.paused")
    first = page.locator("#failure blockquote").inner_text()
    page.get_by_role("button", name="Next").click()
    assert page.locator("#failure blockquote").inner_text() != first


def test_gates_are_drawn_per_frame_with_the_truth(page: Page) -> None:
    label = str(page.locator("#gallery-of-gates svg").first.get_attribute("aria-label"))
    values = [float(text) for text in label.split(": ")[1].split(", ")]
    assert len(values) == 12
    shaded = page.locator("#gallery-of-gates svg").first.locator(".truth").count()
    assert shaded == sum(value > 0.5 for value in values)


def test_captions_are_text_even_where_they_look_like_markup(page: Page) -> None:
    assert page.title() == "Text-video retrieval with sound: results"
    assert page.locator("img[src=x]").count() == 0
    assert "</script><script>" in page.locator("#failure blockquote").inner_text()
    expect(page.locator("#better-b li").first).to_contain_text("<img src=x onerror=")


def test_provenance_names_commit_and_command(page: Page) -> None:
    page.locator("#table a").first.click()
    opened = page.locator("#provenance details[open]")
    assert "0123abc with changes" in opened.inner_text()
    assert "bench run --methods gaid --datasets avworld-tiny" in opened.locator(".command").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_it_without_scrolling_sideways(browser: Browser, page_file: Path, scheme: str) -> None:
    phone = browser.new_page(viewport={"width": 360, "height": 740}, color_scheme=scheme)
    phone.goto(page_file.as_uri())
    assert phone.evaluate("document.documentElement.scrollWidth") <= 360
    background = phone.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(255, 255, 255)") == (scheme == "light")
    phone.close()
