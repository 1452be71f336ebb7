"""`python -m tests.journeys.picture` remakes docs/scoreboard.png and docs/lead.png: a real run with made-up people,
as it looks.
"""

import asyncio
import random
import tempfile
from pathlib import Path

import httpx

from tests.journeys.browser import chromium
from tests.journeys.processes import ROOT, running

FIRST = ("Jo", "Noor", "Karel", "Mila", "Wout", "Sofie", "Tom", "Eva", "Marc", "Lena", "Inès", "Ruben")
LAST = ("Peeters", "Lambert", "Aerts", "Dubois", "Claes", "Maes", "Vries", "Janssens", "Nowak", "Silva")
COMPANIES = ("Example NV", "Kade 12", "Northwind Logistics", "Polder Dairy", "Atelier Lumière", "Hafen Digital")
EVERY_S = 2.2
COUNT = 34


async def post(client: httpx.AsyncClient, number: int, dice: random.Random) -> None:
    """One lead; every third is called back in time, some are no MQL, one comes twice."""
    first, last = dice.choice(FIRST), dice.choice(LAST)
    lead = {
        "source": dice.choice(("website", "website", "webinar", "linkedin")),
        "kind": dice.choice(("demo_request", "demo_request", "contact")),
        "campaign": dice.choice(("q4-demo", "webinar-nov", None)),
        "contact": {
            "email": f"{first}.{last}{number if number != 9 else 8}@example.com".lower().replace("è", "e"),
            "first_name": first,
            "last_name": last,
            "seniority": "student" if number % 9 == 4 else dice.choice(("director", "vp", "manager")),
        },
        "company": {"name": dice.choice(COMPANIES), "employees": 120},
        "message": "Can we talk next week? We have 120 people in three offices.",
        "consent": {"basis": "opt_in"},
    }
    lead = {name: value for name, value in lead.items() if value is not None}
    answer = (await client.post("/v1/leads", json=lead)).raise_for_status().json()["results"][0]
    if number % 3 == 0:
        await asyncio.sleep(EVERY_S)
        call = {"kind": "call", "lead_id": answer["lead_id"], "by": "ann", "outcome": "connected"}
        (await client.post("/v1/activities", json=call)).raise_for_status()


async def run(url: str, headers: dict[str, str]) -> None:
    """Post for a while, then take the pictures."""
    dice = random.Random(7)
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=30) as client, asyncio.TaskGroup() as group:
        google = {"google_key": "google-key-of-the-journey", "lead_id": "g-1", "user_column_data": "not a list"}
        await client.post("/v1/sources/google", json=google)
        for number in range(COUNT):
            group.create_task(post(client, number, dice))
            await asyncio.sleep(EVERY_S)
        moved = (await client.get("/v1/escalations", params={"limit": 1})).json()["items"][0]["lead_id"]
        async with chromium() as browser:
            for name, path in (("scoreboard", "/"), ("lead", f"/leads/{moved}")):
                page = await browser.new_page(viewport={"width": 1180, "height": 900})
                await page.goto(url + path)
                await page.wait_for_timeout(1500)
                await page.screenshot(path=ROOT / "docs" / f"{name}.png")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        times = {"within": "45 seconds", "warn": "20 seconds", "move": "15 seconds", "page": "25 seconds"}
        with running("embedded", Path(folder), settings={}, **times) as baton:
            asyncio.run(run(baton.url, baton.headers))
