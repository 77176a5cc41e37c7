"""What it was measured on: for the table's first line and for the document."""
import datetime
import os
import pathlib
import platform
import subprocess

LIBRARIES = ["libnettle8", "libhogweed6", "libgmp10", "libcrypt1", "libevent-2.1-7", "libmariadb3", "mariadb-server-core",
             "gcc", "libc6"]


def cpu():
    return next((line.split(":", 1)[1].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
                 if line.startswith("model name")), platform.machine())


def line():
    return f"{os.cpu_count()} cores, {cpu()}, Linux {platform.release()}"


def output(*command):
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip()


def versions():
    told = output("dpkg-query", "-W", "-f=${db:Status-Abbrev} ${Package} ${Version}\n", *LIBRARIES)
    found = [words[1:] for words in map(str.split, told.splitlines()) if words[0] == "ii"]
    return ", ".join(f"{name} {version}" for name, version in found)


def memory():
    for words in map(str.split, pathlib.Path("/proc/meminfo").read_text().splitlines()):
        if words[0] == "MemTotal:":
            return f"{int(words[1]) / 1024 / 1024:.1f} GiB"
    return "unknown"


def virtual():
    flags = next((text for text in pathlib.Path("/proc/cpuinfo").read_text().splitlines() if text.startswith("flags")),
                 "")
    return " (a virtual machine)" if " hypervisor" in flags else ""


def description(programs):
    """(what, value) as the machine was before the first measurement."""
    system = platform.freedesktop_os_release().get("PRETTY_NAME", "")
    return [
        ("date", datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")),
        ("program", output(str(programs / "kdcd"), "--version")),
        ("cores", f"{os.cpu_count()}, {cpu()}{virtual()}; the server, its database and the generator share them"),
        ("memory", memory()),
        ("system", f"{system}, Linux {platform.release()}"),
        ("libraries", versions()),
        ("load average before", " ".join(f"{load:.2f}" for load in os.getloadavg())),
    ]
