"""The status page in a browser: with the keyboard, on a phone, with a screen reader."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from exporter.demo.documents import requested, vm_document
from exporter.demo.machines import cluster_identity
from exporter.demo.stages import failed, started
from exporter.demo.volumes import without_class
from tests.harness import EAST, NOW, Running, exporting, put, target, tenant
from tests.palette_server import faults
from tests.palette_server.world import World
from tests.web.status.browser import PHONE, chromium, visit

FLEET = tuple(cluster_identity(index)[0] for index in range(3))
RFC_3339 = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
SNAPSHOT = "snapshot of \u202eevil\u202c"
SCRIPT = '<script>alert("1")</script> it\'s "bad" & worse'
ERROR = f"{SCRIPT}\n\u202eright to left\u200f 💥 {'x' * 10_000}"

pytestmark = pytest.mark.asyncio(loop_scope="module")
shared = pytest_asyncio.fixture(scope="module", loop_scope="module")
"""Of what takes a second to start, and is only looked at."""


@shared
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as found:
        yield found


@shared
async def fleet() -> AsyncIterator[Running]:
    """The demo's fleet at a moment; one of its clusters cannot be read since then."""
    async with exporting(
        World(now=NOW, pace=0),
        targets=[target(uid) for uid in FLEET],
        objectives=[{"max_age": "8d"}],
    ) as running:
        await running.refresh()
        running.palette.faults.add(lambda call: call.cluster_uid == FLEET[2], faults.status(503))
        running.clock.advance(90)
        await running.refresh()
        yield running


@asynccontextmanager
async def hostile() -> AsyncIterator[Running]:
    """A machine whose names and error contain an attack."""
    world = tenant()
    vm = '<img src=x onerror="alert(1)">'
    world.put_vm(
        EAST,
        vm_document(name=vm, namespace="'\"><b>", volumes=(without_class("<i>disk</i>", "no"),)),
    )
    document = requested(name=SNAPSHOT, vm=vm, namespace="'\"><b>", at=NOW - 3600)
    failed(started(document, NOW - 3590, "uid"), NOW - 3000, ERROR)
    document["status"]["conditions"][0]["reason"] = "</li><script>alert(2)</script>"
    world.put_snapshot(EAST, document)
    put(world, "fine", "nightly")
    async with exporting(world, targets=[target(EAST)]) as running:
        await running.refresh()
        yield running


VMS = "section[aria-labelledby=vms] .rows > li"
CLUSTERS = "section[aria-labelledby=clusters] .rows > li"


async def test_the_page_shows_the_problems_at_desktop_and_phone_width(
    fleet: Running, browser: Browser
) -> None:
    for viewport in ({"width": 1366, "height": 768}, PHONE):
        async with visit(browser, fleet.url, viewport=viewport) as visited:
            page = visited.page
            assert await visited.overflow() <= 0
            heading = page.get_by_role("heading", level=1)
            await expect(heading).to_contain_text(re.compile(r"\d+ of \d+ VMs are not protected"))
            first = page.locator(VMS).first
            await expect(first.locator(".badge.critical").first).to_be_visible()
            group = page.locator("details.group", has_text="1 cluster: Palette failed to answer.")
            await group.locator("summary").click()
            await expect(group).to_contain_text("was answered with 503")
            await expect(group.locator("time").first).to_contain_text("UTC")
            cluster = page.locator(CLUSTERS, has_text="Stale")
            await expect(cluster).to_contain_text("data 1 min 30 s old")


async def test_a_vm_is_one_line_until_it_is_opened(fleet: Running, browser: Browser) -> None:
    viewport = {"width": 1366, "height": 768}
    async with visit(browser, fleet.url, viewport=viewport) as visited:
        row = visited.page.locator(VMS).first
        box = await row.bounding_box()
        assert box
        assert box["height"] < 40
        runbook = row.get_by_role("link", name="Runbook").first
        await expect(runbook).to_be_hidden()
        await row.locator("summary").click()
        await expect(runbook).to_be_visible()
        await expect(row).to_contain_text("Recovery point")
        await runbook.click()
        await expect(visited.page.locator("h2:target")).to_be_visible()


async def test_three_hundred_clusters_fit_two_screens_and_a_phone(browser: Browser) -> None:
    world = World.fleet(now=NOW, clusters=300, vms=3_000, snapshots=6_000)
    uids = [each.uid for each in world.clusters()]
    async with exporting(
        world, targets=[target(uid) for uid in uids], objectives=[{"max_age": "8d"}]
    ) as running:
        refused = set(uids[::23])
        running.palette.faults.add(lambda call: call.cluster_uid in refused, faults.status(403))
        await running.refresh()
        desktop = {"width": 1366, "height": 768}
        async with visit(browser, running.url, viewport=desktop) as visited:
            page = visited.page
            assert await page.evaluate("document.documentElement.scrollHeight") <= 2 * 768
            await expect(page.locator("h1")).to_contain_text(
                f"{len(refused)} clusters have never been read"
            )
            risks = await page.locator(f"{CLUSTERS} .badge:first-child").all_inner_texts()
            numbers = [int(each.split()[0]) for each in risks if "at risk" in each]
            assert len(numbers) == 8
            assert numbers == sorted(numbers, reverse=True)
            await expect(page.locator("details.group")).to_have_count(1)
            for _ in range(2):
                await page.keyboard.press("Tab")
            assert await visited.focused() == "Skip to the virtual machines"
            await page.keyboard.press("Enter")
            await page.keyboard.press("Tab")
            assert await visited.focused() == "q"
        async with visit(browser, running.url, viewport=PHONE) as visited:
            assert await visited.overflow() <= 0
            assert await visited.serious() == []


async def test_filters_are_in_the_address_and_enter_sends_them(
    fleet: Running, browser: Browser
) -> None:
    async with visit(browser, fleet.url) as visited:
        page = visited.page
        await page.get_by_label("Name contains").fill("db-")
        await page.get_by_label("State").select_option("objective_missed")
        await page.get_by_label("Name contains").press("Enter")
        await page.wait_for_url("**state=objective_missed#vms")
        assert parse_qs(urlsplit(page.url).query, keep_blank_values=True) == {
            "q": ["db-"],
            "state": ["objective_missed"],
        }
        await expect(page.get_by_label("Name contains")).to_have_value("db-")
        rows = page.locator(VMS)
        assert await rows.count() > 0
        for row in await rows.all():
            await expect(row.locator("h3")).to_contain_text("db-")
            await expect(row).to_contain_text("Objective missed")
        await page.get_by_role("link", name="Show all").click()
        assert await rows.count() > 10
        await page.get_by_label("Namespace contains").fill("nowhere")
        await page.get_by_role("button", name="Show").click()
        await expect(page.get_by_text("No namespace with a VM")).to_be_visible()
        await page.locator(".tiles a", has_text="Objective missed").click()
        await expect(page.get_by_label("State")).to_have_value("objective_missed")


async def test_a_vms_page_shows_all_of_its_snapshots(fleet: Running, browser: Browser) -> None:
    async with visit(browser, fleet.url) as visited:
        page = visited.page
        link = page.locator(f"{VMS} h3 a").first
        name = await link.inner_text()
        await link.click()
        await expect(page.get_by_role("heading", level=1)).to_have_text(name)
        await expect(page.get_by_text("This VM is not protected.")).to_be_visible()
        snapshot = page.locator("article").first
        for word in ("Phase", "Volumes included", "Volumes excluded", "Indications", "Requested"):
            await expect(snapshot).to_contain_text(word)
        await expect(snapshot.locator(".conditions")).to_contain_text("Progressing is")
        await expect(snapshot.locator("time").first).to_have_attribute("datetime", RFC_3339)
        await expect(page.locator("pre")).to_contain_text(f"VM={name}")
        assert await visited.overflow() <= 0


async def test_the_keyboard_is_enough(fleet: Running, browser: Browser) -> None:
    async with visit(browser, fleet.url) as visited:
        page = visited.page
        await page.keyboard.press("Tab")
        assert await visited.focused() == "Skip to the content"
        box = await page.locator(".skip").first.bounding_box()
        assert box
        assert box["y"] >= 0, "the skip link cannot be seen while it has the keyboard"
        await page.keyboard.press("Enter")
        assert await page.evaluate("document.activeElement.id") == "content"
        order = []
        for _ in range(60):
            await page.keyboard.press("Tab")
            order.append(await visited.focused())
            width = await page.evaluate(
                "parseFloat(getComputedStyle(document.activeElement).outlineWidth)"
            )
            assert width >= 2, f"{order[-1]} does not show that it has the keyboard"
            if order[-1] == "Show":
                break
        assert order[-6:-2] == ["q", "cluster", "namespace", "owner"]
        await page.keyboard.press("Tab")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        row = page.locator(VMS).first
        await expect(row.locator("details")).to_have_attribute("open", "")
        await page.keyboard.press("Tab")
        assert (await visited.focused()).startswith("Runbook")


async def test_axe_finds_nothing_serious(fleet: Running, browser: Browser) -> None:
    for path in (
        *("/", "/?state=nonsense&q=nothing", "/config", "/docs", "/vms/x/y/z"),
        *("/docs/runbooks.md", "/docs/metrics.md"),
    ):
        async with visit(browser, fleet.url, path) as visited:
            assert await visited.serious() == [], path
            visited.said.clear()  # the console reports that a page is 404
    async with visit(browser, fleet.url, viewport=PHONE) as visited:
        await visited.page.locator(f"{VMS} h3 a").first.click()
        assert await visited.serious() == []
    async with hostile() as running, visit(browser, running.url) as visited:
        await visited.page.locator(f"{VMS} h3 a").first.click()
        assert await visited.serious() == []


async def test_hostile_names_and_errors_show_as_text(browser: Browser) -> None:
    async with (
        hostile() as running,
        visit(browser, running.url, viewport=PHONE) as visited,
    ):
        page = visited.page
        vm = '<img src=x onerror="alert(1)">'
        assert await page.locator("img, script, b, i").count() == 0
        row = page.locator(VMS).first
        await expect(row.locator("h3 bdi")).to_have_text(vm)
        await row.locator("summary").click()
        await expect(row).to_contain_text("<script>alert(")
        assert len(await row.inner_text()) < 1500, "a long error is cut in the list"
        assert await visited.overflow() <= 0
        await row.locator("h3 a").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text(vm)
        assert await page.locator("img, script, b, i").count() == 0
        error = page.locator("article .error")
        await expect(error.locator("summary")).to_contain_text("characters")
        whole = await error.locator(".verbatim").text_content()
        assert whole == ERROR
        await error.locator("summary").click()
        await expect(error.locator(".verbatim")).to_be_visible()
        direction = await error.locator(".verbatim").evaluate(
            "each => getComputedStyle(each).unicodeBidi"
        )
        assert direction == "isolate"
        await expect(page.locator("article h3")).to_contain_text(SNAPSHOT)
        await expect(page.locator(".conditions")).to_contain_text("</li><script>")
        assert await visited.overflow() <= 0
