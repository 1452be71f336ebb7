"""A proof in words, for the page that shows it. The page only lays the words out.

A piece of text is a string, or an object for what a page renders in its own way: `{"at": instant}`, `{"lead": id}`
and `{"result": word}`, which becomes a badge.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from shared.agreement_text.conditions import fact_in_words
from shared.agreement_text.phrases import counted, listed, number, quoted, sentence, spaced

Piece = str | Mapping[str, str]
Proof = Mapping[str, Any]

_COMPARISONS = {
    "is": "is",
    "is_not": "is something other than",
    "in": "is one of",
    "not_in": "is none of",
    ">": "is more than",
    ">=": "is at least",
    "<": "is less than",
    "<=": "is at most",
    "between": "is between",
    "contains": "contains",
    "starts_with": "starts with",
    "ends_with": "ends with",
    "matches": "matches the pattern",
}


def proof_text(proof: Proof, lead_id: str, differing: Sequence[str]) -> dict[str, Any]:
    """The words for a verdict on `lead_id`, which is given as by `services.router.domain.proof.explained`.

    `differing` are the differences found when the verdict was re-derived.
    """
    turn = proof.get("turn") or {}
    over = turn.get("passed_over") or proof.get("passed_over", {})
    parts = (_checks(proof), _rules(proof), _score(proof), _promises(proof), _turn(proof), _owner(proof))
    return {
        "title": _title(proof),
        "headline": sentence(proof["reason"]),
        "decided": [*_inquiry(proof, lead_id), "Decided ", {"at": proof["decided_at"]}, " under "],
        "agreement": _agreement(proof),
        "follows": "does not follow from the record" if differing else "re-derived from the record: same result",
        "passed_over": [f"Not {rep}: {why}." for rep, why in over.items()],
        "parts": [part for part in parts if part],
    }


def _title(proof: Proof) -> str:
    titles = {
        "assigned": f"Assigned to {proof.get('rep')}",
        "reassigned": f"Moved to {proof.get('rep')}",
        "parked": "Parked",
        "rejected": "Not a lead for sales",
        "merged": "Joined to this lead",
        "split": "A lead of its own again",
    }
    return titles.get(proof["verdict"], _capital(proof["verdict"]))


def _inquiry(proof: Proof, lead_id: str) -> Iterator[Piece]:
    inquiry = proof.get("inquiry")
    if not inquiry:
        return
    yield f"{_capital(spaced(inquiry['kind']))} through {inquiry['source']}, "
    yield {"at": inquiry["accepted_at"]}
    if inquiry["lead_id"] != lead_id:
        yield ", under the id "
        yield {"lead": inquiry["lead_id"]}
    yield ". "
    if proof.get("again"):
        yield "It had joined the lead until it turned out that sales had ended that before. "


def _agreement(proof: Proof) -> str:
    name = f"{proof['agreement']['name']}, version {proof['agreement']['version']}"
    return f"the pilot {proof['pilot']} ({name})" if proof.get("pilot") else name


def _checks(proof: Proof) -> dict[str, Any] | None:
    checks = proof.get("qualification")
    if not checks:
        return None
    items = [
        _item(_check_title(check), "passed" if check["passed"] else "failed", map(_compared, check["compared"]))
        for check in checks
    ]
    notes = []
    if not checks[-1]["passed"]:
        notes.append("The agreement's remaining conditions were not checked.")
    if proof["inquiry"].get("test"):
        notes.append("This was a test lead: it is judged but not assigned.")
    return {"name": "checks", "title": "Is it a lead?", "items": items, "notes": notes}


def _check_title(check: Mapping[str, Any]) -> str:
    name, _, detail = check["part"].partition(": ")
    if name == "minimum data":
        return f"{_capital(fact_in_words(detail))} is given"
    if name == "not excluded":
        return f"{'Not excluded' if check['passed'] else 'Excluded'} as {spaced(detail)}"
    if name == "consent":
        return f"Consent: {spaced(detail)}"
    if name == "score":
        return f"Score: {detail.replace(' of ', ' points, at least ')} required"
    return "A good fit" if name == "fit" else _capital(check["part"])


def _rules(proof: Proof) -> dict[str, Any] | None:
    rules = proof.get("routing")
    skipped = {each["rule"]: each["why"] for each in proof.get("skipped", ())}
    asked = proof.get("ask", {}).get("kind", "drained")
    if not rules or (asked not in ("drained", "rejudged") and not skipped):
        return None
    items = []
    for rule in rules:
        name, lines = rule["part"], [_compared(one) for one in rule["compared"]]
        if name == proof.get("rule"):
            items.append(_item(name, "decided", lines or ["It applies to every lead."]))
        elif not rule["passed"]:
            items.append(_item(name, "did not match", lines))
        else:
            items.append(_item(name, "passed on", [*lines, sentence(skipped.get(name, "it could not decide"))]))
    return {"name": "rules", "title": "Rules, in order", "items": items, "ordered": True}


def _promises(proof: Proof) -> dict[str, Any] | None:
    """Which segments of promises were tried, in order, and in which the lead is."""
    items = []
    for segment in proof.get("promises", ()):
        name, _, within = segment["part"].partition(": ")
        length, _, needs = within.partition(", from ")
        lines = [f"For a score of at least {needs.removesuffix(' points')}."] if needs else []
        lines += [_compared(one) for one in segment["compared"]]
        result = "applies" if segment["passed"] else "did not match"
        items.append(_item(f"{_capital(spaced(name))} within {length}", result, lines or ["It applies to all others."]))
    return {"name": "promises", "title": "What is promised", "items": items, "ordered": True} if items else None


def _score(proof: Proof) -> dict[str, Any] | None:
    if "qualification" not in proof:
        return None
    title = f"Score: {counted(proof.get('score', 0), 'point')}"
    rows = [[each["reason"], _points(each["points"]), _points(each["full"]), _when(each)] for each in proof["scoring"]]
    if not rows:
        return {"name": "score", "title": title, "notes": ["No scoring rule of the agreement matched."]}
    table = _table("What counted for the score", ["For", "Now", "In full", "When"], rows)
    return {"name": "score", "title": title, "table": table}


def _when(part: Mapping[str, Any]) -> list[Piece]:
    pieces: list[Piece] = ["remembered from an earlier inquiry"] if part.get("remembered") else []
    if part.get("at"):
        faded = abs(part["points"]) < abs(part["full"])
        pieces += [(", " if pieces else "") + ("decaying since " if faded else "done "), {"at": part["at"]}]
    return pieces


def _points(points: float) -> str:
    text = number(points).replace("-", "−")
    return f"+{text}" if points > 0 else text


def _turn(proof: Proof) -> dict[str, Any] | None:
    turn = proof.get("turn")
    if not turn:
        rows = [[rep, _capital(why)] for rep, why in proof.get("passed_over", {}).items()]
        table = _table("Who was passed over and why", ["Rep", "Why not"], rows)
        return {"name": "turn", "title": "No rep could take it", "table": table} if rows else None
    by_load = bool(turn.get("held"))
    heads = ["Rep", "Share", "Leads before", "Open leads" if by_load else "Against share", "Result"]
    note = (
        "The rep with the fewest open leads for their share is next."
        if by_load
        else "“Behind” is how many leads a rep was short of their share before this turn. The rep who is owed a lead "
        "soonest is next."
    )
    return {
        "name": "turn",
        "title": f"Whose turn: number {turn['number']} in {turn['pool']}",
        "intro": [f"{turn['rep']} got it: {turn['why']}."],
        "table": _table("The candidates before this turn", heads, [_candidate(rep, turn) for rep in _order(turn)]),
        "notes": [note],
    }


def _order(turn: Mapping[str, Any]) -> list[str]:
    """The rep whose turn it was, then the other candidates, then those who were passed over."""
    return list(dict.fromkeys([turn["rep"], *turn["weights"], *turn["passed_over"]]))


def _candidate(rep: str, turn: Mapping[str, Any]) -> list[Any]:
    weights = turn["weights"]
    share = f"{round(100 * weights[rep] / sum(weights.values()))} %" if rep in weights else "–"
    standing = str(turn["held"].get(rep, "–")) if turn.get("held") else _balance(rep, turn)
    result = {"result": "got it"} if rep == turn["rep"] else _capital(turn["passed_over"].get(rep, ""))
    return [rep, share, str(turn["taken_before"].get(rep, 0)), standing, [result]]


def _balance(rep: str, turn: Mapping[str, Any]) -> str:
    leads = int(turn["balances_before"].get(rep, "0")) / int(turn["denominator"])
    if abs(leads) < 0.005:
        return "even"
    return f"{abs(leads):.2f} {'behind' if leads > 0 else 'ahead'}"


def _owner(proof: Proof) -> dict[str, Any] | None:
    owner = proof.get("account")
    if not owner:
        return None
    similar = "similar name" in owner["how"]
    match = "by a similar name" if similar else "by the same name" if "same name" in owner["how"] else "same company"
    intro: list[Piece] = [
        f"{owner['rep']} {owner['how']}, with lead ",
        {"lead": owner["lead_id"]},
        ". ",
        {"result": match},
    ]
    notes = ["Nearly equal names count as one company. Check that it is the same one."] if similar else []
    return {"name": "owner", "title": "Who already owns the company", "intro": intro, "notes": notes}


def _item(title: str, result: str, lines: Any) -> dict[str, Any]:
    return {"title": title, "result": result, "lines": list(lines)}


def _table(caption: str, heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> dict[str, Any]:
    return {"caption": caption, "heads": heads, "rows": rows}


def _compared(one: Mapping[str, Any]) -> str:
    """What a comparison asked for, and what it saw."""
    held, op = one["outcome"] == "matched", one["op"]
    if op == "account":
        return "Someone owns the company." if held else "No one owns the company."
    if op == "lead":
        return "Someone had this lead before." if held else "No one had this lead before."
    if op == "cel":
        return _expression(one, held)
    if op == "signal":
        times = counted(one.get("seen") or 0, "time")
        return f"{_capital(spaced(one['field']))}: required {one['expected']}, seen {times}."
    fact = _capital(fact_in_words(one["field"]))
    if op in ("exists", "missing"):
        return f"{fact} is known." if held == (op == "exists") else f"{fact} is not known."
    return _comparison(fact, one, held)


def _expression(one: Mapping[str, Any], held: bool) -> str:
    came = "is true" if held else "is false"
    if one["outcome"] == "absent":
        came = f"failed: {one.get('seen')}"
    return f"The expression {_value(one['expected'])} {came}."


def _comparison(fact: str, one: Mapping[str, Any], held: bool) -> str:
    op, expected, seen = one["op"], one["expected"], one.get("seen")
    wanted = listed(map(_value, expected)) if op == "between" else _value(expected)
    asked = f"{fact} {_COMPARISONS.get(op, spaced(op))} {wanted}"
    if one["outcome"] != "absent":
        return f"{asked}: {'yes' if held else 'no'}, it is {_value(seen)}."
    if seen is None:
        return f"{asked}: it is not known."
    return f"{asked}: {_value(seen)} cannot be compared with that."


def _value(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return number(value)
    if isinstance(value, Mapping):
        return " ".join(map(_value, value.values()))
    if isinstance(value, str):
        return quoted(value)
    return ", ".join(map(_value, value))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
