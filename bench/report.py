"""What bench/compare makes of the measurements: rows with ratios and targets, a table, a chart."""
import collections
import os
import shutil
import statistics
import subprocess

Target = collections.namedtuple("Target", "ratio share most speedup limit work times plus")
NO_TARGET = Target(*[None] * 8)
PER_SECOND = {"ns": 1e9, "us": 1e6, "ms": 1e3}


def read_targets(path):
    """The targets of targets.txt by (case, threads)."""
    targets = {}
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            words = line.split("#")[0].split()
            if not words:
                continue
            try:
                given = dict(word.split("=") for word in words[1:])
                key = words[0], int(given.pop("threads", 1))
                limit = given.pop("limit", None)
                targets[key] = NO_TARGET._replace(limit=limit, **{name: float(value) for name, value in given.items()})
            except ValueError as error:
                raise SystemExit(f"{path}:{number}: {line.strip()!r} is no target: {error}") from error
    return targets


def target_of(targets, case, threads):
    """The target, with the limit of the row of one thread where it names none."""
    alone, target = targets.get((case, 1), NO_TARGET), targets.get((case, threads), NO_TARGET)
    return target if target.limit else target._replace(limit=alone.limit, work=alone.work)


def eager(case):
    """The case that a replayed one repeats."""
    return case.removesuffix("_replayed")


class Measurements:
    """Values by row (case and threads), who gave them, and round."""

    MACHINE = "machine"

    def __init__(self, targets):
        self.targets = targets
        self.values = collections.defaultdict(dict)
        self.units, self.limits_seen = {}, collections.defaultdict(dict)

    def add(self, case, round_, result):
        """A result for the row of `case`: Tern's, a peer's, or the machine's limit for it."""
        row, peer, value = (case, result["threads"]), result["peer"], result["value"]
        if peer == self.MACHINE:
            seen = self.limits_seen[result["threads"]]
            name = result["case"].removeprefix("limit_")
            seen[name] = max(value, seen.get(name, 0))
        else:
            self.units[row] = result["unit"], result["better"]
        self.values[row, peer][round_] = value

    def limit_of(self, case, threads):
        """The name of the limit that bounds a case, or None."""
        return target_of(self.targets, case, threads).limit

    def median(self, row, peer):
        values = self.values.get((row, peer))
        return statistics.median(values.values()) if values else None

    def peers(self, row):
        """The medians of all that measured the row, the machine excepted."""
        return {peer: self.median(row, peer) for r, peer in self.values if r == row and peer != self.MACHINE}

    def paired(self, row, peer, other_row, other, relate):
        """The median over the rounds of what `relate` makes of the values of two in the same round."""
        one, two = self.values.get((row, peer), {}), self.values.get((other_row, other), {})
        both = [relate(one[round_], two[round_]) for round_ in one if round_ in two]
        return statistics.median(both) if both else None

    def limits(self, threads):
        """What the machine can do: the most of all rounds, since other work only ever slows it."""
        return self.limits_seen[threads]


def times_as_fast(better, value, other):
    """How many times `value` is as fast as `other`."""
    return other / value if better == "less" else value / other


def rate(unit, value, target):
    """What the case does in the limit's unit, or None where the target does not say its work."""
    if unit in PER_SECOND:
        return target.work * PER_SECOND[unit] / value if target.work else None
    return value * (target.work or 1)


def share_of_limit(measured, row, unit, target, tern):
    """Percent of the limit that was measured beside the case, or None."""
    if not target.limit or unit in PER_SECOND and not target.work:
        return None
    return measured.paired(row, tern, row, measured.MACHINE,
                           lambda value, limit: 100 * rate(unit, value, target) / limit)


def is_met(target, row):
    """True, False, or None where nothing is asked. One of ratio and share is enough; speedup is asked besides."""
    either = [row[name] is not None and row[name] >= asked for name, asked in (("ratio", target.ratio),
                                                                             ("share", target.share)) if asked]
    asked = [any(either)] if either else []
    if target.most:
        asked.append(row["tern"] <= target.most)
    if target.times and row["times"] is not None:
        asked.append(row["times"] <= target.times)
    if target.speedup and row["speedup"] is not None:
        asked.append(row["speedup"] >= target.speedup)
    return all(asked) if asked else None


def make_row(measured, row, tern):
    """What is said of a case and number of threads."""
    case, threads = row
    unit, better = measured.units[row]
    peers = measured.peers(row)
    own = peers.pop(tern, None)
    target = target_of(measured.targets, case, threads)
    fastest = max(peers, key=lambda peer: times_as_fast(better, peers[peer], 1)) if peers else None

    def faster(other_row, other):
        return measured.paired(row, tern, other_row, other, lambda a, b: times_as_fast(better, a, b))

    made = {"case": case, "threads": threads, "unit": unit, "tern": own, "peers": peers, "fastest": fastest,
            "ratio": None, "share": None, "speedup": None, "times": None, "met": None,
            "target": {name: value for name, value in target._asdict().items() if value is not None}}
    if own is not None:
        made["ratio"] = faster(row, fastest)
        made["share"] = share_of_limit(measured, row, unit, target, tern)
        if target.times:
            made["times"] = measured.paired(row, tern, row, fastest, lambda a, b: (a - (target.plus or 0)) / b)
        made["speedup"] = faster((case, 1), tern) if threads > 1 else None
        made["met"] = is_met(target, made)
    return made


def make_rows(measured, tern):
    """A dict a case and number of threads, in the order of measuring; `tern` is the name of Tern's peer."""
    return [make_row(measured, row, tern) for row in measured.units]


# ---- the table -------------------------------------------------------------------------------------


def number(value, form="{:.4g}"):
    return "" if value is None else form.format(value)


def wanted(row):
    """What the row is held to: ">= 1.5x or 90 %"."""
    target = row["target"]
    words = [text for text in (number(target.get("ratio"), ">= {:g}x"), number(target.get("share"), "{:g} %"),
                               number(target.get("most"), "<= {:g}")) if text]
    times = number(target.get("times"), "<= {:g}x the time") + number(target.get("plus"), " + {:g}")
    speedup = number(target.get("speedup"), "{:g}x of 1 thread")
    return ", ".join(filter(None, (" or ".join(words), times, speedup)))


HEADER = ("case", "threads", "tern", "fastest peer", "", "unit", "ratio", "limit", "target", "")


def cells(row):
    mark = {True: "met", False: "short", None: ""}[row["met"]]
    if row["tern"] is None:
        mark = "missing"
    ratio = number(row["ratio"], "{:.2f}x")
    if row["speedup"] is not None:
        ratio += f" ({row['speedup']:.2f}x of 1)"
    fastest = row["fastest"]
    return (row["case"], str(row["threads"]), number(row["tern"]), number(row["peers"].get(fastest)), fastest or "",
            row["unit"], ratio, number(row["share"], "{:.0f} %"), wanted(row), mark)


def table(run):
    """The whole report as text."""
    lines = [HEADER, *(cells(row) for row in run["rows"])]
    widths = [max(len(line[k]) for line in lines) for k in range(len(HEADER))]
    numeric = {1, 2, 3, 6, 7}
    text = [f"{run['tern']} on {run['cpu']}, {run['date']}, {run['rounds']} rounds, medians",
            "; ".join(f"{name} {version}" for name, version in run["versions"].items())]
    for threads, limits in run["limits"].items():
        known = ", ".join(f"{name} {value:.4g} {'GF/s' if 'fma' in name else 'GB/s'}" for name, value in limits.items())
        text.append(f"limits with {threads} thread{'s' if int(threads) > 1 else ''}: {known}")
    text.append("ratio: how many times Tern is as fast as the fastest peer; limit: the share of the machine's;")
    text.append("both are medians of what was measured in the same round")
    text.append("")
    for line in lines:
        padded = (cell.rjust(width) if k in numeric else cell.ljust(width)
                  for k, (cell, width) in enumerate(zip(line, widths)))
        text.append("  ".join(padded).rstrip())
    asked = [row["met"] for row in run["rows"] if row["met"] is not None]
    text.append("")
    text.append(f"{sum(asked)} of {len(asked)} targets met")
    text.extend(f"missing: {case}: {reason}" for case, reason in run["missing"].items())
    return "\n".join(text) + "\n"


# ---- the chart -------------------------------------------------------------------------------------

CHART = """\
set terminal pngcairo size 1000,{height} font "sans,9"
set output "{path}"
set title "{title}" noenhanced
set logscale x 2
set xlabel "times as fast as the fastest peer (bars), and the target (marks)"
set yrange [{last}:-0.5]
set ytics noenhanced scale 0
set lmargin {margin}
set grid x
set key off
set style fill solid 0.8
$rows << END
{rows}
END
set arrow from 1, graph 0 to 1, graph 1 nohead lc rgb "#444444"
plot $rows using (1):0:(1):2:($0-0.35):($0+0.35):4:ytic(1) with boxxyerror lc rgb variable, \\
     $rows using 3:0 with points pt 9 ps 1.2 lc rgb "black"
"""
GREEN, RED, GRAY = 0x2CA02C, 0xD62728, 0x7F7F7F


def draw(run, path):
    """A bar for each ratio, by gnuplot. Returns why there is no chart, or None."""
    colors = {True: GREEN, False: RED, None: GRAY}
    rows = [f'"{row["case"]}{"" if row["threads"] == 1 else " (" + str(row["threads"]) + ")"}" {row["ratio"]:.4g} '
            f'{row["target"].get("ratio", "NaN")} {colors[row["met"]]}' for row in run["rows"] if row["ratio"]]
    if not rows:
        return "no case has both Tern and a peer"
    if not shutil.which("gnuplot"):
        return "gnuplot is not installed"
    margin = max(len(row.split('"')[1]) for row in rows) + 2
    title = f"{run['tern']} on {run['cpu']}, {run['date']}"
    script = CHART.format(margin=margin, height=80 + 16 * len(rows), last=len(rows) - 0.5, path=path, title=title,
                          rows="\n".join(rows))
    drawn = subprocess.run(["gnuplot"], input=script, capture_output=True, text=True, check=False)
    if drawn.returncode == 0 and os.path.exists(path):
        return None
    return "gnuplot: " + (drawn.stderr.strip().splitlines() or ["failed"])[-1]
