"""The lead in CEL: a protobuf message, typed from the declared facts and filled for each evaluation.

Missing facts are null (fields of wrapper types), so that `has(lead.company.employees)` and
`lead.company.employees == null` work.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, wrappers_pb2

from shared.domain.conditions.comparisons import as_money, as_number, as_text, as_truth
from shared.domain.conditions.facts import DecisionFacts

ROOT = "baton.lead"
DAY_S = 86400

_FIELD = descriptor_pb2.FieldDescriptorProto
_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_SIGNALS = "signals"
_INT64 = 2**63


def _whole(seen: object) -> int | None:
    number = as_number(seen)
    return int(number) if number is not None and number == int(number) and -_INT64 <= number < _INT64 else None


def _decimal(seen: object) -> float | None:
    number = as_number(seen)
    try:
        return float(number) if number is not None else None
    except OverflowError:
        return None


class _Kind(NamedTuple):
    type_name: str
    read: Callable[[object], Any]


_KINDS: Mapping[str, _Kind] = {
    "text": _Kind(".google.protobuf.StringValue", as_text),
    "one_of": _Kind(".google.protobuf.StringValue", as_text),
    "integer": _Kind(".google.protobuf.Int64Value", _whole),
    "number": _Kind(".google.protobuf.DoubleValue", _decimal),
    "boolean": _Kind(".google.protobuf.BoolValue", as_truth),
    "money": _Kind(".baton.money", as_money),
}


class LeadType:
    """The message type for some facts, given as kinds by dotted name.

    Facts with names that CEL does not allow are left out, and so is a fact that is also a group (`budget` next to
    `budget.amount`). `pool` has the type under the name `ROOT`; `names` maps groups to their names in CEL.
    """

    def __init__(self, fields: Mapping[str, str]) -> None:
        groups = {name.rsplit(".", cut)[0] for name in fields for cut in range(1, name.count(".") + 1)}
        self.fields = {
            name: _KINDS[kind]
            for name, kind in fields.items()
            if name not in groups and name.split(".")[0] != _SIGNALS and all(map(_NAME.fullmatch, name.split(".")))
        }
        self.names = {ROOT: "lead", "baton.signal": "a signal", "baton.money": "an amount"}
        self.pool = descriptor_pool.DescriptorPool()
        self.pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
        self.pool.AddSerializedFile(self._file().SerializeToString())
        self._message = message_factory.GetMessageClass(self.pool.FindMessageTypeByName(ROOT))

    def message(self, facts: DecisionFacts, mentioned: frozenset[str]) -> Any:
        """The facts as a message. Facts that the expression does not mention are left out, to save time."""
        lead, values = self._message(), facts.values
        for name, kind in self.fields.items():
            if name not in values or mentioned.isdisjoint(path := name.split(".")):
                continue
            value = kind.read(values[name])
            if value is not None:
                _put(lead, path, value)
        if _SIGNALS in mentioned:
            for signal in _signals(facts):
                lead.signals.add(**signal)
        return lead

    def _file(self) -> Any:
        file = descriptor_pb2.FileDescriptorProto(name="lead.proto", package="baton", syntax="proto3")
        file.dependency.append("google/protobuf/wrappers.proto")
        lead, money, signal = (file.message_type.add(name=name) for name in ("lead", "money", "signal"))
        _add(money, "value", _FIELD.TYPE_DOUBLE)
        _add(money, "currency", _FIELD.TYPE_STRING)
        for name in ("kind", "path", "content_id"):
            _add(signal, name, _FIELD.TYPE_STRING)
        _add(signal, "age_days", _FIELD.TYPE_INT64)
        _add(lead, _SIGNALS, _FIELD.TYPE_MESSAGE, ".baton.signal", _FIELD.LABEL_REPEATED)
        groups = {"": lead}
        for name, kind in self.fields.items():
            *path, last = name.split(".")
            _add(self._group(file, groups, path), last, _FIELD.TYPE_MESSAGE, kind.type_name)
        return file

    def _group(self, file: Any, groups: dict[str, Any], path: list[str]) -> Any:
        whole = ".".join(path)
        if whole not in groups:
            # Numbered, because names made of the path could meet: `a.b_c` and `a_b.c`.
            group = file.message_type.add(name=f"group_{len(groups)}")
            groups[whole] = group
            self.names[f"baton.{group.name}"] = f"lead.{whole}"
            _add(self._group(file, groups, path[:-1]), path[-1], _FIELD.TYPE_MESSAGE, f".baton.{group.name}")
        return groups[whole]


def _add(message: Any, name: str, kind: Any, type_name: str = "", label: Any = _FIELD.LABEL_OPTIONAL) -> None:
    message.field.add(name=name, number=len(message.field) + 1, type=kind, label=label, type_name=type_name or None)
    # The message is never written as JSON, so names that collide in JSON (`fooBar`, `foo_bar`) do no harm.
    message.options.deprecated_legacy_json_field_conflicts = True


def _put(lead: Any, path: list[str], value: Any) -> None:
    target = lead
    for part in path:
        target = getattr(target, part)
    if hasattr(value, "currency"):
        target.value, target.currency = float(value.value), value.currency
    else:
        target.value = value


def _signals(facts: DecisionFacts) -> Iterator[dict[str, Any]]:
    if facts.at is not None:
        for signal in facts.signals:
            if signal.at <= facts.at:
                age_days = int((facts.at - signal.at).total_seconds() // DAY_S)
                yield {
                    "kind": signal.kind,
                    "path": signal.path or "",
                    "content_id": signal.content_id or "",
                    "age_days": age_days,
                }
