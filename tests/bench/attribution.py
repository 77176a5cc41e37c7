"""Where a message's time goes: perf on kdcd while it relays, its samples folded into categories.

A sample in the kernel counts for the system call that it belongs to; one outside by its function and library.
"""
import collections
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
SETTLE_SECONDS = 2.5  # until all are logged in and talk
SAMPLES_PER_S = 1999

SEND = "kernel: send"
RECEIVE = "kernel: receive"
WAKE = "kernel: waking another thread"
EPOLL = "kernel: epoll"
SCHEDULING = "kernel: scheduling"
KERNEL = "kernel: rest"
AEAD = "AEAD"
KDF = "HKDF, HMAC and SHA-512"
WIRE = "records, frames, messages"
SESSION = "directory, sessions, legs"
QUEUE = "queue: inbox and mail"
LOOP = "connections and reactor"
MEMORY = "memory: allocating, copying"
WIPING = "wiping"
EVENTS = "libevent"
REST = "rest"
CATEGORIES = [SEND, RECEIVE, WAKE, EPOLL, SCHEDULING, KERNEL, AEAD, KDF, WIRE, SESSION, QUEUE, LOOP, MEMORY, WIPING, EVENTS,
              REST]

# In a kernel call chain, the first that any of its functions matches.
KERNEL_RULES = [
    (WAKE, r"eventfd_|do_futex|sys_futex"),
    (SEND, r"sys_sendto|sys_sendmsg|sys_writev|sock_write_iter"),
    (RECEIVE, r"sys_recvfrom|sys_recvmsg|sock_read_iter"),
    (EPOLL, r"sys_epoll|do_epoll"),
    (SCHEDULING, r"schedule|switch"),
]
# By the function that was running, or its library.
USER_RULES = [
    (WIPING, r"^(explicit_bzero|memset|__memset|secret_wipe|secret_residue|secret_registers|wipe)"),
    (KDF, r"sha512|sha256|hmac|hkdf|^kdf_"),
    (AEAD, r"gcm|ghash|aes|chacha|poly1305|memxor|^aead_|^suite_|cbc|des3|^seal|^open_|ctr_crypt|ctr_fill"),
    (MEMORY, r"malloc|calloc|realloc|^_int_|^c?free$|^__libc_free|arena|memcpy|memmove|memcmp|^buffer_|^tcache|unlink_chunk"),
    (QUEUE, r"^mail|^inbox_|^reactor_post|pthread_mutex|pthread_cond|lll_lock"),
    (WIRE, r"^record|^frame_|^message_|^reader_|^writer_|^put_|^get_"),
    (SESSION, r"^session|^directory|^conversation|^leg|^take_|credit|relay"),
    (LOOP, r"^connection|^reactor|^timer_wheel|^on_|^flush|^guest_of|^seat|^host_|^deliver|^run$|^ready|clock_gettime|^recv$|^send$|__libc_recv|__libc_send|__send|__recv|epoll_wait"),
]
FRAME = re.compile(r"^\s+[0-9a-f]+ (.+?) \((.*)\)$")

# What would help most, by the largest category that is ours to change.
NEXT = {
    AEAD: "a cipher that does several blocks at once and its hash in the same pass (Nettle's does one after the other), or one "
          "call for all the records of a turn.",
    KDF: "derive fewer keys on the way of a message.",
    WIRE: "check and rewrite the header of a ciphertext message in place, without decoding it into a struct.",
    SESSION: "find the leg of a message where the last one's was, before searching for it.",
    QUEUE: "gather a whole turn's mail to another reactor and hand it over at once.",
    LOOP: "touch fewer lines of a connection for each message: keep together what reading and writing need.",
    MEMORY: "open a record straight into the buffer of the receiver's, so that a message is copied once less.",
    WIPING: "know how deep the ciphers really go, and wipe no deeper at a turn's end.",
    EVENTS: "wait with epoll directly: libevent's bookkeeping is the largest part of ours.",
    REST: "look into what isn't named in this table.",
}
OURS = list(NEXT)


def category(frames):
    """Of one sample: its frames (function, library), the innermost first."""
    function, library = frames[0]
    if "kernel" in library or library.startswith("["):
        names = [name for name, where in frames if "kernel" in where or where.startswith("[")]
        for found, pattern in KERNEL_RULES:
            if any(re.search(pattern, name) for name in names):
                return found
        return KERNEL
    if "libevent" in library:
        return EVENTS
    for found, pattern in USER_RULES:
        if re.search(pattern, function):
            return found
    return AEAD if "nettle" in library else REST


def fold(script):
    """The samples of `perf script`, counted by category; and by function for what is in no category."""
    shares = collections.Counter()
    unknown = collections.Counter()
    frames = []
    for line in [*script.splitlines(), ""]:
        found = FRAME.match(line)
        if found:
            frames.append((found[1], found[2]))
        elif not line.strip() and frames:
            where = category(frames)
            shares[where] += 1
            if where in (REST, KERNEL):
                unknown[frames[0]] += 1
            frames = []
    return shares, unknown


def available():
    return shutil.which("perf") is not None


def profile(programs, command, seconds):
    """{"shares": {category: share}, "ns": of CPU for a message, "samples"}; None (and a line) when it can't be had."""
    with tempfile.TemporaryDirectory(prefix="kdc-bench-perf-") as folder:
        data = pathlib.Path(folder) / "perf.data"
        password = pathlib.Path(folder) / "password"
        server = subprocess.Popen(
            [sys.executable, str(HERE / "scratch.py"), "--kdcd", str(programs / "kdcd"), "--accounts", "200",
             "--quick-logins"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        with server:
            told = json.loads(server.stdout.readline())
            password.touch(mode=0o600)
            password.write_text(told["password"] + "\n")
            load = subprocess.Popen(
                [str(programs / "kdc-bench"), *command, "--server", told["server"], "--pid", str(told["pid"]), "--users",
                 told["users"], "--password-file", str(password), "--no-limits", "--json", "--seconds",
                 str(seconds + SETTLE_SECONDS + 1)], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
            time.sleep(SETTLE_SECONDS)
            recorded = subprocess.run(
                ["perf", "record", "-q", "-F", str(SAMPLES_PER_S), "-g", "-p", str(told["pid"]), "-o", str(data), "--",
                 "sleep", str(seconds)], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
            output, _ = load.communicate()
            server.stdin.close()
        if recorded.returncode != 0 or load.returncode != 0:
            print(f"no attribution: perf: {recorded.stderr.strip()[:300]}; kdc-bench: {load.returncode}", file=sys.stderr)
            return None
        script = subprocess.run(["perf", "script", "-i", str(data), "-F", "ip,sym,dso"], stdin=subprocess.DEVNULL,
                                capture_output=True, text=True, check=False)
    shares, unknown = fold(script.stdout)
    total = sum(shares.values())
    if total == 0:
        print(f"no attribution: perf script: {script.stderr.strip()[:300]}", file=sys.stderr)
        return None
    report = json.loads(output)
    return {"shares": {name: count / total for name, count in shares.items()},
            "ns": report["result"]["server_cpu_s_per_100k"] * 1e4, "samples": total,
            "unknown": [(*where, count / total) for where, count in unknown.most_common(8)]}


def largest_of_ours(profiles):
    """By nanoseconds over all profiles: the category, and the sentence."""
    sums = collections.Counter()
    for one in profiles:
        for name in OURS:
            sums[name] += one["shares"].get(name, 0) * one["ns"]
    name = max(OURS, key=lambda each: sums[each])
    return name, NEXT[name]
