"""A strict reader of Prometheus's text format 0.0.4: whatever the format or its conventions don't allow is an error."""
import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_SAMPLE = re.compile(rf"({NAME})(?:\{{(.*)\}})? (\S+)")
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|$)')
_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?(e[+-]?[0-9]+)?")


class Family:
    def __init__(self, name, text):
        self.name = name
        self.help = text
        self.type = None
        self.samples = {}  # (suffix, ((label, value), ...)): number

    def __getitem__(self, labels):
        """family[()] or family["busy"]: by the values of its labels."""
        wanted = (labels,) if isinstance(labels, str) else tuple(labels)
        return next(number for (suffix, pairs), number in self.samples.items()
                    if suffix == "" and tuple(value for _, value in pairs) == wanted)


def _labels(text):
    pairs, at = [], 0
    while at < len(text):
        found = _LABEL.match(text, at)
        assert found, f"no label: {text[at:]!r}"
        pairs.append((found[1], re.sub(r"\\(.)", lambda one: "\n" if one[1] == "n" else one[1], found[2])))
        at = found.end()
    assert not text.endswith(","), text
    assert len({name for name, _ in pairs}) == len(pairs), text
    return tuple(pairs)


def parse(text):
    """{name: Family}. Each has # HELP, # TYPE, and then its samples, in one place."""
    assert text.endswith("\n") and "\r" not in text and "\t" not in text
    families, now = {}, None
    for line in text.split("\n")[:-1]:
        if line.startswith("# HELP "):
            name, _, what = line[7:].partition(" ")
            assert re.fullmatch(NAME, name) and what and name not in families, line
            assert now is None or now.samples, f"{now.name} has no samples"
            now = families[name] = Family(name, what)
        elif line.startswith("# TYPE "):
            name, kind = line[7:].split(" ")
            assert now and name == now.name and now.type is None and not now.samples, line
            assert kind in ("counter", "gauge", "histogram"), line
            now.type = kind
        else:
            found = _SAMPLE.fullmatch(line)
            assert found and now and now.type, f"neither comment nor sample: {line!r}"
            assert found[1].startswith(now.name), line
            suffix = found[1][len(now.name):]
            assert suffix in (("_bucket", "_sum", "_count") if now.type == "histogram" else ("",)), line
            assert _NUMBER.fullmatch(found[3]), line
            key = suffix, _labels(found[2] or "")
            assert key not in now.samples, f"twice: {line}"
            now.samples[key] = float(found[3])
    for family in families.values():
        _check(family)
    return families


def _check(family):
    assert family.type and family.samples, family.name
    assert (family.type == "counter") == family.name.endswith("_total"), family.name
    assert not re.search(r"_(ms|us|kb|mb|minutes|milliseconds)(_|$)", family.name), family.name
    assert len({tuple(name for name, _ in labels) for (suffix, labels) in family.samples if suffix == ""}) <= 1
    if family.type == "histogram":
        _check_histogram(family)


def _check_histogram(family):
    rows = {}
    for (suffix, labels), number in family.samples.items():
        row = rows.setdefault(tuple(pair for pair in labels if pair[0] != "le"), {})
        if suffix == "_bucket":
            row.setdefault("buckets", []).append((float(dict(labels)["le"]), number))
        else:
            assert "le" not in dict(labels)
            row[suffix] = number
    for row in rows.values():
        bounds, counts = zip(*row["buckets"])
        assert list(bounds) == sorted(set(bounds)) and bounds[-1] == float("inf"), family.name
        assert list(counts) == sorted(counts) and counts[-1] == row["_count"] and row["_sum"] >= 0, family.name
