"""docs/benchmarks.md and its plots, from what one run gave; no figure comes from elsewhere but the peers'."""
import shutil
import subprocess
import textwrap

import attribution
import rows

WIDTH = 120

HEAD = """# Benchmarks

`make bench` writes this file, and every figure in it but those in the column *peer* is from that one run. To have your own: `make
bench` (about ten minutes; nothing else should run), or a part of it: `make bench BENCH="--seconds 1 --only relay"`, which writes
no document. A single measurement: `build/bin/kdc-bench MODE --spawn`; `kdc-bench --help` tells the modes.
"""

READING = """## How to read it

*limit* is what this machine allows for the same work, measured in the same run, in turns where both can be: bare `crypt_rn` on as many
threads as there are workers; on as many, one `mpz_powm_sec`, one power of the generator from a table and one signature; a bare relay: a process of
its own, with the same loop, frames, reactors and batching, each pair with one reactor from the start, and no encryption, directory or session. *ratio* is measured to limit. *wanted* and
*at most* are the bounds that were set before: for the ratio, and for what was measured. *peer* is the best server of another kind, by published measurements on
a machine of this kind: ngircd 26.1 and InspIRCd 3.15 (relay, round trips, memory), nats-server 2.9.10 (batched), MIT krb5kdc 1.20.1 (a key: one
service ticket). Each of those encrypts a message once on each link; here it is encrypted twice.

CPU is user and system time of the server's process (of its database where that is said), by the scheduler's count. On few cores that
server and generator share it is the figure that counts: rates and latencies depend on what else runs, it hardly does. Microseconds are
what the generator sees: from the call that sends to the moment the message is checked at its receiver.

*Login*: the rate is that of server, database and generator together on the same cores; with `handshakes before` the generator has done its
half of the Diffie-Hellman beforehand. *Keys*: one transaction for all that are under way. With few under way each pays a larger part of it,
and the system calls of its own three messages.

*Storm*: one pair's round trips, and 20 pairs that send a thousand messages a second together (talk), with logins at full bcrypt cost on
all workers and without. *Overload*: the same talk beside 2,000 strangers a second from 100 addresses, half of them silent, nearly half with
handshakes that they don't end, the rest logins; kdcd has its default limits; a thread of the generator's computes it on the same cores.
Both put the cores to full use, and the one who measures needs one at once, which on a machine of its own it would have. So the thread that
talks runs in real time where it may (SCHED_FIFO, which root may; `real_time` in the report tells; else it asks for short turns), and what comes from the
generator besides at the workers' niceness; and a kdcd that is spawned, and its database, are in the generator's session, since Linux shares the processor out
among sessions (autogroup) without looking at the niceness in them. kdcd's reactors go before others by themselves while people talk and all workers are busy,
where kdcd may (as root, or with RLIMIT_RTPRIO: here it had the generator's rights). *To a quiet machine*: against the talk alone. *To processor load alone*: against the same talk, through the same kdcd,
beside threads that only compute: as many as it has workers, at their niceness, and one for what the flood costs the generator. That much
comes from the scheduler and the machine under it, whoever asks for the cores; what exceeds it is the KDC's.
*Normal again*: somebody has logged in, and half a second begins in which no tenth has slow messages (more than one or two that took twice the quiet p99).
*Restart*: the time against that which the Diffie-Hellman of all sessions takes on these cores, the clients' half of it too, since it is
computed here as well; in it are also the generator's sockets, ten thousand sessions' key derivations on its side, and the database. The KDC's own
part is its CPU, against its half of the Diffie-Hellman. *Two reactors*: `measured` is CPU a message with two, `limit` with one; a reactor with a core to itself delivers 1 / CPU
messages a second, so the ratio is 2 × one / two. (What two deliver can't be seen directly where the generator needs the same cores.)
"""

MEMORY = """The kernel's part is what its own objects (`Slab`) grew by, halved, since both ends of each connection are on this machine.
What the sockets buffer comes on top while data is under way.
"""


def table(header, lines, align=None):
    align = align or ["---"] * len(header)
    rows_ = [header, align, *lines]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in rows_) + "\n"


def results_section(results):
    text = ["## Results\n"]
    header = ["what", "unit", "measured", "limit", "ratio", "wanted", "at most", "peer", "verdict"]
    align = ["---", "---", "---:", "---:", "---:", "---", "---", "---:", "---"]
    for section in dict.fromkeys(result.row.section for result in results):
        lines = [[cell.replace("|", "\\|") for cell in result.columns()]
                 for result in results if result.row.section == section]
        text.append(f"### {section}\n\n" + table(header, lines, align))
        if section == "Idle sessions":
            text.append(MEMORY)
    missed = dict.fromkeys(result.row.name for result in results if result.verdict().startswith("missed"))
    failed = dict.fromkeys(result.row.name for result in results if result.verdict() == "failed")
    told = "Missed: " + "; ".join(missed) + "." if missed else "No figure was missed."
    if failed:
        told += " Measured with a fault, so not at all: " + "; ".join(failed) + "."
    text.append("\n".join(textwrap.wrap(told, WIDTH)) + "\n")
    return text


# ---- plots ----

class Plot:
    def __init__(self, name, title, x, y, *curves, logarithmic=True, latency=False):
        self.name = name
        self.title = title
        self.x = x
        self.y = y
        self.curves = curves  # (title, [(x, y)])
        self.logarithmic = logarithmic
        self.latency = latency  # then the y axis is logarithmic, too

    def script(self, path):
        lines = ["set terminal svg size 760,420 font 'sans,12' background 'white'", f"set output '{path}'",
                 f"set title '{self.title}' noenhanced", f"set xlabel '{self.x}'", f"set ylabel '{self.y}'",
                 "set key outside bottom center horizontal noenhanced", "set grid",
                 "set logscale y" if self.latency else "set yrange [0:*]"]
        if self.logarithmic:
            lines.append("set logscale x")
        for number, (_, points) in enumerate(self.curves):
            lines += [f"$data{number} << END", *(f"{x} {y}" for x, y in points), "END"]
        marks = "linespoints" if self.logarithmic else "lines"
        lines.append("plot " + ", ".join(f"$data{number} with {marks} lw 2 title '{title}'"
                                         for number, (title, _) in enumerate(self.curves)))
        return "\n".join(lines) + "\n"


def points(runs, series, section, path, scale=1.0):
    found = []
    for x, command in series:
        value = runs.done.get(tuple(runs.command(command))) or {}
        for key in (section, *path):
            value = value.get(key) if isinstance(value, dict) else None
        if value is not None:
            found.append((x, value * scale))
    return found


def with_aead(runs, series):
    bare = points(runs, series, "limit", rows.CPU)
    aead = points(runs, series, "limit", ("aead_us",), 0.1)
    return [(x, y + more) for (x, y), (_, more) in zip(bare, aead)]


def plots(runs):
    one, many, sizes = rows.PAIRS_WINDOW_1, rows.PAIRS_WINDOW_32, rows.SIZES
    sessions = [*rows.SESSIONS, (runs.words["sessions"], rows.IDLE)]
    churn = runs.done.get(tuple(runs.command(rows.CHURN))) or {}
    rss = [(x, y / 1048576) for x, y in churn.get("result", {}).get("rss", [])]
    return [
        Plot("relay-pairs", "Server CPU against pairs (100 bytes)", "pairs", "CPU s per 100,000 messages",
             ("kdcd, window 1", points(runs, one, "result", rows.CPU)),
             ("bare relay, window 1", points(runs, one, "limit", rows.CPU)),
             ("kdcd, window 32", points(runs, many, "result", rows.CPU)),
             ("bare relay, window 32", points(runs, many, "limit", rows.CPU))),
        Plot("relay-latency", "Latency against pairs (100 bytes, window 1)", "pairs", "microseconds",
             ("kdcd p50", points(runs, one, "result", rows.P50)), ("kdcd p99", points(runs, one, "result", rows.P99)),
             ("bare relay p50", points(runs, one, "limit", rows.P50)),
             ("bare relay p99", points(runs, one, "limit", rows.P99)), latency=True),
        Plot("relay-size", "Server CPU against size (20 pairs, window 8)", "bytes of text", "CPU s per 100,000 messages",
             ("kdcd", points(runs, sizes, "result", rows.CPU)), ("bare relay", points(runs, sizes, "limit", rows.CPU)),
             ("bare relay and AEAD", with_aead(runs, sizes))),
        Plot("relay-size-latency", "Latency against size (20 pairs, window 8)", "bytes of text", "microseconds",
             ("kdcd p50", points(runs, sizes, "result", rows.P50)), ("kdcd p99", points(runs, sizes, "result", rows.P99)),
             ("bare relay p50", points(runs, sizes, "limit", rows.P50)), latency=True),
        Plot("idle-memory", "Memory against idle sessions", "sessions", "bytes for each",
             ("kdcd, RSS", points(runs, sessions, "result", ("rss_per_session",))),
             ("kernel", points(runs, sessions, "result", ("kernel_per_session",)))),
        Plot("idle-relay", "The relay beside idle sessions", "idle sessions", "CPU s per 100,000 messages",
             ("with them", points(runs, sessions, "result", rows.CPU)),
             ("without, in the same run", points(runs, sessions, "limit", rows.CPU))),
        Plot("churn", "RSS while sessions come and leave", "seconds", "MiB", ("kdcd", rss), logarithmic=False),
    ]


def draw(folder, runs):
    """The plots that have data: [(title, file)]."""
    if shutil.which("gnuplot") is None:
        return []
    made = []
    images = folder / "benchmarks"
    images.mkdir(exist_ok=True)
    for plot in plots(runs):
        if not all(curve for _, curve in plot.curves):
            continue
        path = images / f"{plot.name}.svg"
        done = subprocess.run(["gnuplot"], input=plot.script(path), text=True, capture_output=True, check=False)
        if done.returncode == 0:
            made.append((plot.title, f"benchmarks/{plot.name}.svg"))
        else:
            print(f"gnuplot: {plot.name}: {done.stderr.strip()[:300]}")
    return made


def plots_section(folder, runs):
    made = draw(folder, runs)
    if not made:
        return ["## Plots\n\nThere are none: gnuplot wasn't there when this was written.\n"]
    return ["## Plots\n", *(f"![{title}]({path})\n" for title, path in made)]


# ---- where the time goes ----

def attribution_section(profiles):
    head = "## Where a message's time goes\n"
    if not profiles:
        return [head, "Nobody knows: perf (Debian's `linux-perf`) wasn't there when this was written.\n"]
    lines = []
    for name in attribution.CATEGORIES:
        shares = [profile["shares"].get(name, 0) for _, profile in profiles]
        if max(shares) >= 0.0005:
            lines.append([name, *(f"{share * profile['ns']:.0f} ({share:.1%})"
                                  for share, (_, profile) in zip(shares, profiles))])
    lines.append(["**together**", *(f"**{profile['ns']:.0f}**" for _, profile in profiles)])
    category, sentence = attribution.largest_of_ours([profile for _, profile in profiles])
    samples = ", ".join(f"{profile['samples']:,}" for _, profile in profiles)
    told = (f"`perf record -F {attribution.SAMPLES_PER_S} -g` on kdcd while 50 pairs relay 100 bytes under aes-256-gcm ({samples} "
            "samples): nanoseconds of the server's CPU for each message. A sample in the kernel counts for the system call that it "
            "was in; sending on the loopback includes TCP's receiving half, up to the other's socket. One in our program counts by "
            "the function that ran.")
    following = f"The largest that is ours is *{category}*. The next gain would be {sentence}"
    return [head, fill(told), table(["what", *(f"{name}, ns" for name, _ in profiles)], lines,
                                    ["---", *("---:" for _ in profiles)]), fill(following)]


def fill(text):
    return "\n".join(textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False)) + "\n"


# ---- all of it ----

RUNS = """## Each run

The commands, from the checkout's root, each with `--spawn --json`; and what was used while it was measured (not while sessions
were made ready for it): the server's CPU, user and system, its database's and the generator's; the server's memory at the end. Every run ended
without an error, and with no message lost, doubled or out of order, unless *failed* is said.
"""


def used(report):
    """The cells of one run."""
    if report is None:
        return ["failed", *[""] * 10]
    result = report.get("result", {})
    spent, latency, server = result.get("used", {}), result.get("latency", {}), report.get("server", {})
    rate = next((result[name] for name in ("per_s", "delivered_per_s") if name in result), None)
    cells = [f"{rate:,.0f}" if rate is not None else "-",
             *(f"{latency[name]:,.0f}" if name in latency else "-" for name in ("p50_us", "p99_us"))]
    cells += [f"{spent.get(name, 0):.2f}" for name in ("seconds", "server_user_s", "server_system_s", "database_cpu_s",
                                                       "generator_cpu_s")]
    return cells + [f"{server.get(name, 0) / 1048576:.1f}" for name in ("rss", "pss", "peak_rss")]


def runs_section(results, runs):
    commands = [command for result in results for command in (result.row.command, result.row.second) if command]
    commands += [command for series in rows.SWEEPS for _, command in series]
    lines = []
    for words in dict.fromkeys(map(runs.words_of, commands)):
        command = next(each for each in commands if runs.words_of(each) == words)
        lines.append([f"`kdc-bench {words}`", *used(runs.done.get(tuple(runs.command(command))))])
    header = ["command", "per s", "p50 us", "p99 us", "over s", "user s", "system s", "database s", "generator s", "RSS MiB",
              "PSS MiB", "peak MiB"]
    return [RUNS, table(header, lines, ["---", *["---:"] * 11])]


def write(folder, described, results, runs, profiles):
    folder.mkdir(exist_ok=True)
    parts = [HEAD, "## The machine\n", table(["what", ""], described), READING, *results_section(results),
             *plots_section(folder, runs), *attribution_section(profiles), *runs_section(results, runs)]
    (folder / "benchmarks.md").write_text("\n".join(parts))
