"""Reads metrics from standard input with the parser of Prometheus' client library, and prints each sample."""

import sys

from prometheus_client.parser import text_string_to_metric_families

text = sys.stdin.read()
names = set()
for family in text_string_to_metric_families(text):
    if family.type not in ("counter", "gauge") or not family.documentation:
        sys.exit(f"{family.name}: type {family.type}, help {family.documentation!r}")
    if family.name in names:
        sys.exit(f"{family.name} stands in two places")
    names.add(family.name)
    for sample in family.samples:
        if (family.type == "counter") != sample.name.endswith("_total"):
            sys.exit(f"{sample.name} is a {family.type}")
        labels = ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
        print(f"{sample.name}{{{labels}}} {sample.value:g}")
