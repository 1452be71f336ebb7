"""What tests of whole layouts share: a lead and a key."""

import os

import httpx

KEY = "bk_0123456789abcdef0123456789abcdef"
ADMIN = {"Authorization": f"Bearer {KEY}"}


def lead(email: str) -> dict[str, object]:
    return {
        "source": "website",
        "kind": "demo_request",
        "contact": {"email": email, "country": "BE", "seniority": "director"},
        "company": {"name": "Example NV", "employees": 120},
        "consent": {"basis": "opt_in"},
    }


def post_lead(client: httpx.Client, email: str) -> None:
    answer = client.post("/v1/leads", json=lead(email))
    assert answer.status_code == 202, answer.text


def has_owner(client: httpx.Client, email: str) -> bool:
    answer = client.get("/v1/leads", params={"email": email})
    return answer.status_code == 200 and [each["state"] for each in answer.json()["items"]] == ["assigned"]


def environment(**settings: str) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("BATON_")} | settings
