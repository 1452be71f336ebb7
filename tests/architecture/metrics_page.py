"""The reference of all metrics, generated from the list in `shared/metrics.py`."""

from prometheus_client.metrics import MetricWrapperBase

from shared import metrics

_SUFFIXES = {
    "counter": ("_total", "_created"),
    "gauge": ("",),
    "histogram": ("", "_bucket", "_sum", "_count", "_created"),
    "summary": ("", "_sum", "_count", "_created"),
}


def _metrics() -> list[MetricWrapperBase]:
    return [metric for metric in vars(metrics).values() if isinstance(metric, MetricWrapperBase)]


def sample_names() -> set[str]:
    """Every name that a query or a page may use."""
    return {metric._name + suffix for metric in _metrics() for suffix in _SUFFIXES[str(metric._type)]}


def metrics_page() -> str:
    """`docs/metrics.md`."""
    rows = []
    for metric in sorted(_metrics(), key=lambda m: m._name):
        name = metric._name + ("_total" if metric._type == "counter" else "")
        labels = ", ".join(f"`{label}`" for label in metric._labelnames)
        rows.append(f"| `{name}` | {metric._type} | {labels} | {metric._documentation} |")
    head = "| name | kind | labels | meaning |\n|---|---|---|---|\n"
    intro = (
        "# Metrics\n\nEach service serves at `/metrics` the metrics that it updates and those of its Python process. "
        "Generated from `shared/metrics.py` by `python -m tests.architecture.generate`.\n\n"
    )
    return intro + head + "\n".join(rows) + "\n"
