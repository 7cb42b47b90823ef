"""A page of hand-made runs, and a Chromium to open it in."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright
from safetensors.torch import save_file

from core.running.cells import RunInputs
from reports.collect import read_runs
from reports.page.write import write_page
from reports.results import Results
from tests.made_runs import add_result, make_run, result

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
HOSTILE = (
    "</script><script>document.title='broken'</script><img src=x onerror=\"document.title='broken'\"> & “x”"
)
TEXTS = 24


@pytest.fixture(scope="session")
def results(materials: RunInputs, tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Two runs that rank the tiny world's test clips differently, one with gates, and captions of markup."""
    root = tmp_path_factory.mktemp("runs")
    split = materials.dataset.splits["test"]
    names = [video.id for video in split.videos[:TEXTS]]
    for seed, method in enumerate(("gaid", "tmass")):
        directory, _ = make_run(
            root,
            {},
            [result(1.0)],
            method=method,
            fingerprints={"dataset": materials.dataset.fingerprint},
            store=materials.store.folder.name,
            gates={"test": {"auroc": {}}} if method == "gaid" else {},
            commit={"sha": "0123abc", "dirty": True},
            hardware={"processor": "x86_64"},
        )
        scores = torch.rand(TEXTS, TEXTS, generator=torch.Generator().manual_seed(seed)).mul(9).round() / 10
        captions = [f"{HOSTILE} {number}" for number in range(TEXTS)]
        add_result(directory, scores, torch.arange(TEXTS), names=names, captions=captions)
        if method == "gaid":
            gates = torch.rand(TEXTS, 12, generator=torch.Generator().manual_seed(2))
            tensors = {
                "test/video": torch.arange(TEXTS),
                "test/gates": gates,
                "test/audible": torch.ones(TEXTS).bool(),
                "test/truth": gates > 0.5,
            }
            save_file(tensors, directory.path / "gates.safetensors")
    runs, notes = read_runs(root)
    assert not notes
    return Results.of(runs)


@pytest.fixture(scope="session")
def page_file(results: Results, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    Image.new("RGB", (640, 360), "white").save(folder / "learning.png")
    Image.new("RGB", (1200, 400), "white").save(folder / "gates.png")
    path, notes = write_page(results, folder, [folder / "learning.png", folder / "gates.png"])
    assert notes == []
    return path


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine; `make browser` as root installs one")
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser, page_file: Path) -> Iterator[Page]:
    """The opened page; a script error or a request to anywhere else fails the test."""
    opened = browser.new_page()
    problems: list[str] = []
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.on("console", lambda line: problems.append(line.text) if line.type == "error" else None)
    opened.on(
        "request",
        lambda request: None if request.url.startswith(("file:", "data:")) else problems.append(request.url),
    )
    opened.goto(page_file.as_uri())
    yield opened
    opened.close()
    assert problems == []
