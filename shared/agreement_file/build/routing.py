"""The routing rules of the file. Every lead must reach a pool, and every rule must be reachable."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from shared.agreement_file.conditions.condition_reader import ConditionReader
from shared.agreement_file.schema.agreement_schema import OnlyBlock, PersonBlock, PoolBlock, RouteBlock
from shared.agreement_file.text.findings import Findings, Path, proposal
from shared.domain.agreement import Only, Route
from shared.domain.conditions import Condition


def routing_of(
    blocks: Sequence[RouteBlock],
    pools: Mapping[str, PoolBlock] | None,
    people: Sequence[PersonBlock] | None,
    reader: ConditionReader,
) -> tuple[Route, ...]:
    """The rules in order. Refuses unknown pools, a narrowing that no member can meet, rules that can't be reached, and
    an end that drops leads. `pools` and `people` are None when they were refused.
    """
    return _Rules(pools, people, reader).read(blocks)


@dataclass(slots=True)
class _Rules:
    """Reads the rules one by one; `seen` are the conditions so far, `open_end` the first rule that takes every lead."""

    pools: Mapping[str, PoolBlock] | None
    people: Sequence[PersonBlock] | None
    reader: ConditionReader
    names: set[str] = field(default_factory=set)
    seen: dict[Condition, str] = field(default_factory=dict)
    open_end: str | None = None

    @property
    def findings(self) -> Findings:
        return self.reader.findings

    def read(self, blocks: Sequence[RouteBlock]) -> tuple[Route, ...]:
        routes = tuple(self._rule(block, ("routing", index)) for index, block in enumerate(blocks))
        if blocks and self.open_end is None:
            dropped = "leads that no rule matches would be dropped: end with a rule without `when`"
            if routes[-1].owner is not None:
                dropped = "leads without an owner would be dropped: end with a rule to a pool, without `when`"
            self.findings.refuse(("routing", len(blocks) - 1), "no_last_rule", dropped)
        return routes

    def _rule(self, block: RouteBlock, path: Path) -> Route:
        if block.name in self.names:
            again = f"another rule is called `{block.name}`: give each its own name"
            self.findings.refuse((*path, "name"), "duplicate", again)
        self.names.add(block.name)
        when = self.reader.read(block.when, (*path, "when"), routing=True)
        self._check_reach(block, when, path)
        self._check_target(block, path)
        only = self._only(block.to.only, block.to.pool, (*path, "to", "only")) if block.to.only else ()
        return Route(block.name, block.to.pool, when, block.to.owner, only, block.unless_away_for)

    def _check_reach(self, block: RouteBlock, when: Condition | None, path: Path) -> None:
        if self.open_end is not None:
            taken = f"`{self.open_end}` before it has no `when` and takes every lead: move it to the end"
            self.findings.refuse(path, "unreachable", f"rule `{block.name}` is never reached: {taken}")
        elif when is not None and when in self.seen:
            same = f"`{self.seen[when]}` before it has the same condition: remove one"
            self.findings.refuse(path, "unreachable", f"rule `{block.name}` is never reached: {same}")
        if block.to.owner is not None:
            return  # skipped if there is no owner, so later rules are reachable
        if "when" not in block.model_fields_set:
            self.open_end = self.open_end or block.name
        elif when is not None:
            self.seen.setdefault(when, block.name)

    def _check_target(self, block: RouteBlock, path: Path) -> None:
        to: Path = (*path, "to")
        if block.to.pool is None and block.to.owner is None:
            if not block.to.model_fields_set & {"pool", "owner"}:
                where = "`pool` is missing here: say where leads go, `{pool: ...}` or `{owner: lead}`"
                self.findings.refuse(to, "missing", where)
        elif block.to.pool is not None and block.to.owner is not None:
            both = "a rule sends to a pool or to an owner: keep one; the next rule takes those without an owner"
            self.findings.refuse((*to, "owner"), "wrong_value", both, key=True)
        elif block.to.owner is not None and block.to.only is not None:
            self.findings.refuse((*to, "only"), "wrong_value", "`only` narrows a pool: remove it", key=True)
        if block.to.pool is not None and self.pools is not None and block.to.pool not in self.pools:
            self.findings.refuse_unknown((*to, "pool"), "pool", block.to.pool, self.pools)
        if block.unless_away_for is not None and block.to.owner is None and block.to.pool is not None:
            alone = "`unless_away_for` goes with `to: {owner: ...}` only: remove it"
            self.findings.refuse((*path, "unless_away_for"), "wrong_value", alone, key=True)

    def _only(self, block: OnlyBlock, pool: str | None, path: Path) -> tuple[Only, ...]:
        narrowed = []
        for attribute in OnlyBlock.model_fields:
            wanted = getattr(block, attribute)
            if wanted is None:
                continue
            here: Path = (*path, attribute)
            if wanted.field is not None:
                self.reader.field(wanted.field, (*here, "field"))
            narrowed.append(Only(attribute, wanted.values, wanted.field))
        if not block.model_fields_set:
            self.findings.refuse(path, "wrong_value", "`only` is empty: add languages, skills or territories")
        self._check_members(tuple(narrowed), pool, path)
        return tuple(narrowed)

    def _check_members(self, narrowed: Sequence[Only], pool: str | None, path: Path) -> None:
        if self.people is None or self.pools is None or pool is None or pool not in self.pools:
            return
        members = [person for person in self.people if person.id in self.pools[pool].members and person.active]
        for only in narrowed:
            has = dict.fromkeys(word for person in members for word in getattr(person, only.attribute))
            if members and only.field is None and not _meets(has, only):
                wanted = " or ".join(f"`{word}`" for word in only.values)
                near = proposal(only.values[0], has)
                nobody = f"no active member of pool `{pool}` has {wanted} in `{only.attribute}`{near}"
                self.findings.refuse((*path, only.attribute), "nobody", nobody)
                return
        literal = [only for only in narrowed if only.field is None]
        if members and not any(
            all(_meets(getattr(person, each.attribute), each) for each in literal) for person in members
        ):
            nobody = f"no active member of pool `{pool}` meets all of this: widen it, or add someone"
            self.findings.refuse(path, "nobody", nobody)


def _meets(has: Sequence[str] | Mapping[str, None], only: Only) -> bool:
    return bool({word.casefold() for word in has} & {word.casefold() for word in only.values})


def check_use(
    people: Sequence[PersonBlock],
    pools: Mapping[str, PoolBlock],
    routing: Sequence[RouteBlock],
    owners: Collection[str],
    findings: Findings,
) -> None:
    """Warns about pools and people that no lead can reach; `owners` are those of queues."""
    used = {block.to.pool for block in routing}
    for name in pools:
        if name not in used:
            findings.warn(("pools", name), "unused", f"no rule sends leads to pool `{name}`", key=True)
    working = {member for pool in pools.values() for member in pool.members} | set(owners)
    working |= {person.reports_to for person in people if person.reports_to is not None}
    for index, person in enumerate(people):
        if person.id not in working:
            unused = f"`{person.id}` is in no pool and nobody reports to them"
            findings.warn(("people", index, "id"), "unused", unused)
