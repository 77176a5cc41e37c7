"""What `make bench` measures: each row of the table, what it should reach, and the series that are plotted.

Ratios are to what this machine allows for the same work, measured in the same run of kdc-bench. `peer` is the best known
server of another kind, measured on a machine of this kind (published figures, not from this run), in the same unit.
"""
import dataclasses
import typing

CPU = ("server_cpu_s_per_100k",)
EACH = ("server_cpu_ms_each",)
P50 = ("latency", "p50_us")
P99 = ("latency", "p99_us")
SIZE = ["--size", "100"]
RELAY = ["relay", "--pairs", "50", *SIZE]
BATCH = ["--batch"]
CHACHA = ["--suite", "chacha20-poly1305"]
ONE_CORE = ["--reactors", "1", "--server-cpus", "0", "--cpus", "0"]  # as many as kdcd has by itself on one core
ONE_REACTOR = ["--reactors", "1", "--server-cpus", "0", "--cpus", "1"]  # and the generator on the other core
QUICK = ["--group", "ffdhe2048"]  # where sessions are only to be there, or to come and go
MANY = ["--sessions", "{sessions}"]
OVERLOAD = ["overload"]
RESTART = ["restart", *MANY, "--concurrency", "64"]
CHURN = ["churn", "--concurrency", "64", *QUICK, "--seconds", "{churn}"]
IDLE = ["idle", *MANY, *QUICK]
PROFILED = [("window 32", RELAY), ("window 1", [*RELAY, "--window", "1"]), ("batched", [*RELAY, *BATCH])]


@dataclasses.dataclass
class Row:
    section: str
    name: str
    unit: str
    command: list
    figure: tuple
    ratio: typing.Optional[str] = None  # of the report
    wanted: typing.Optional[str] = None  # of the ratio: "< 1.25" or "> 0.95"
    most: typing.Optional[float] = None  # the figure's own bound
    peer: typing.Optional[float] = None
    per: float = 1  # the figure is divided by it
    second: typing.Optional[list] = None  # another command: the ratio is capacity(second) to capacity(command)


def reactors(name, *options):
    """Two reactors against one.

    What two could deliver with the generator's work taken out can't be seen on a machine where the generator shares their
    cores. CPU per message can: a reactor that has a core to itself delivers 1 / cpu messages a second, so one does 1 / cpu_1
    and two 2 / cpu_2, and the ratio is 2 cpu_1 / cpu_2. It is less than 2 by what two reactors cost more for each
    message: fewer messages in each turn, and contention.
    """
    command = ["relay", "--pairs", "50", *SIZE, "--workers", "2", *options]
    return Row("Two reactors", name, "CPU s/100k", [*command, "--reactors", "1"], CPU, "capacity", "> 1.7",
               second=[*command, "--reactors", "2"])


ROWS = [
    Row("Handshake and login", "handshake, ffdhe3072", "CPU ms", ["handshake"], EACH, "cpu_to_arithmetic", "< 1.1"),
    Row("Handshake and login", "resume, ffdhe3072", "CPU ms", ["resume"], EACH, "cpu_to_arithmetic", "< 1.1"),
    Row("Handshake and login", "login, cost 10", "per s", ["login", "--cost", "10"], ("per_s",), "rate_to_bcrypt",
        "> 0.95"),
    Row("Handshake and login", "login, cost 10", "CPU ms", ["login", "--cost", "10"], EACH, "cpu_to_bcrypt", "< 1.05"),
    Row("Handshake and login", "login, cost 10, handshakes before", "per s", ["login", "--cost", "10", "--prepared"],
        ("per_s",), "rate_to_bcrypt", "> 0.95"),
    Row("Handshake and login", "login, cost 12", "per s", ["login", "--cost", "12"], ("per_s",), "rate_to_bcrypt",
        "> 0.95"),
    Row("Handshake and login", "login, cost 12", "CPU ms", ["login", "--cost", "12"], EACH, "cpu_to_bcrypt", "< 1.05"),

    Row("Conversation keys", "keys, 8 under way", "CPU ms", ["keys"], EACH, most=0.018, peer=0.177),
    Row("Conversation keys", "keys, 64 under way", "CPU ms", ["keys", "--concurrency", "64"], EACH, most=0.018,
        peer=0.177),
    Row("Conversation keys", "keys, 512 under way", "CPU ms", ["keys", "--concurrency", "512"], EACH, most=0.018,
        peer=0.177),

    Row("Relay", "pingpong on one core, p50", "us", ["pingpong", *ONE_CORE], P50, "p50_to_bare", "< 1.2", 40, 47),
    Row("Relay", "pingpong on one core, p99", "us", ["pingpong", *ONE_CORE], P99, "p99_to_bare", None, 75, 81),
    Row("Relay", "relay, window 32", "CPU s/100k", RELAY, CPU, "cpu_to_bare", "< 1.25", 0.55, 0.68),
    Row("Relay", "relay, window 1", "CPU s/100k", [*RELAY, "--window", "1"], CPU, "cpu_to_bare", "< 1.25", 1.0, 1.22),
    Row("Relay", "relay, window 1, p50", "us", [*RELAY, "--window", "1"], P50, "p50_to_bare"),
    Row("Relay", "relay, batched", "CPU s/100k", [*RELAY, *BATCH], CPU, "cpu_to_bare_and_aead", "< 1.25", 0.09, 0.09),
    Row("Relay", "relay, batched, chacha20", "CPU s/100k", [*RELAY, *BATCH, *CHACHA], CPU, "cpu_to_bare_and_aead",
        "< 1.25", 0.15, 0.18),
    Row("Relay", "relay, inner real, window 32", "CPU s/100k", [*RELAY, "--inner", "real"], CPU, "cpu_to_bare"),
    Row("Relay", "relay, one reactor, window 32", "CPU s/100k", [*RELAY, *ONE_REACTOR], CPU, "cpu_to_bare", "< 1.25"),
    Row("Relay", "relay, one reactor, window 1", "CPU s/100k", [*RELAY, "--window", "1", *ONE_REACTOR], CPU,
        "cpu_to_bare", "< 1.25"),

    reactors("two to one, window 32"),
    reactors("two to one, window 1", "--window", "1"),
    reactors("two to one, batched", *BATCH),

    Row("Idle sessions", "RSS of each, aes-256-gcm", "bytes", IDLE, ("rss_per_session",), most=4096, peer=13200),
    Row("Idle sessions", "PSS of each, aes-256-gcm", "bytes", IDLE, ("pss_per_session",)),
    Row("Idle sessions", "RSS of each, chacha20", "bytes", [*IDLE, *CHACHA], ("rss_per_session",), most=4096,
        peer=13200),
    Row("Idle sessions", "kernel besides, each", "bytes", IDLE, ("kernel_per_session",)),
    Row("Idle sessions", "relay beside them", "CPU s/100k", IDLE, CPU, "cpu_to_none_idle", "< 1.2"),
    Row("Idle sessions", "growth under churn", "KiB", CHURN, ("growth",), most=1024, per=1024),

    Row("Storm and overload", "storm, round trip p99", "us", ["storm"], ("pingpong", *P99), "pingpong_p99", "< 2"),
    Row("Storm and overload", "storm, talk p99", "us", ["storm"], ("talk", *P99), "talk_p99", "< 2"),
    Row("Storm and overload", "storm, workers' time in bcrypt", "share", ["storm"], ("workers_busy",),
        "workers_busy", "> 0.5"),  # else there was no storm
    Row("Storm and overload", "overload, talk p99, to a quiet machine", "us", OVERLOAD, P99, "during_p99", "< 2"),
    Row("Storm and overload", "overload, talk p99, to processor load alone", "us", OVERLOAD, ("during", *P99),
        "during_p99_to_hogs", "< 2"),
    Row("Storm and overload", "overload, refused with busy, p50", "ms", OVERLOAD,
        ("load", "silent", "busy_after", "p50_us"), per=1000),
    Row("Storm and overload", "overload, refused with busy, p99", "ms", OVERLOAD,
        ("load", "silent", "busy_after", "p99_us"), most=100, per=1000),
    Row("Storm and overload", "overload, RSS at its peak", "MiB", OVERLOAD, ("rss_peak",), "rss_peak",
        per=1024 * 1024),
    Row("Storm and overload", "overload, normal again after", "s", OVERLOAD, ("normal_after_s",), most=1),

    Row("Restart", "accepts after", "ms", RESTART, ("accepts_after_ms",), most=100),
    Row("Restart", "all sessions back after", "s", RESTART, ("all_back_s",), "back_to_arithmetic", "< 1.1"),
    Row("Restart", "resumed, of the KDC's CPU", "CPU ms", RESTART, EACH, "cpu_to_arithmetic", "< 1.1"),
    Row("Restart", "that had to give a password", "sessions", RESTART, ("by_password",), most=0),
]


def sweep(*options):
    return ["relay", *options, *QUICK, "--seconds", "{sweep}"]


# For the plots: (value on the x axis, command).
BY_PAIRS = [(n, ["--pairs", str(n), *SIZE]) for n in (1, 5, 20, 50, 200)]
PAIRS_WINDOW_1 = [(n, sweep(*options, "--window", "1")) for n, options in BY_PAIRS]
PAIRS_WINDOW_32 = [(n, sweep(*options)) for n, options in BY_PAIRS]
SIZES = [(n, sweep("--pairs", "20", "--size", str(n), "--window", "8")) for n in (10, 100, 1000, 4000, 16000)]
SESSIONS = [(n, ["idle", "--sessions", str(n), *QUICK, "--seconds", "{sweep}"]) for n in (100, 1000, 3000)]
SWEEPS = [PAIRS_WINDOW_1, PAIRS_WINDOW_32, SIZES, SESSIONS]
