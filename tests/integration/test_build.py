"""What the build promises about its programs and about libkdcchat."""
import os
import re

import pytest

from support.make import BUILD, make, output
from support.programs import program


def libraries(name):
    return set(re.findall(r"^\s*(\S+?)\.so", output("ldd", program(name)), re.MULTILINE))


def test_kdc_chat_links_neither_mariadb_nor_libcrypt():
    linked = libraries("kdc-chat")
    assert "libnettle" in linked
    assert not linked & {"libmariadb", "libcrypt"}


def test_kdcd_links_what_it_is_made_of():
    assert {"libmariadb", "libcrypt", "libnettle", "libhogweed", "libgmp"} <= libraries("kdcd")


@pytest.mark.plain
@pytest.mark.parametrize("name", ["kdcd", "kdc-admin", "kdc-chat"])
def test_programs_are_hardened(name):
    headers = output("readelf", "--wide", "--file-header", "--program-headers", "--dynamic", program(name))
    assert re.search(r"Type:\s+DYN", headers), "position independent"
    assert re.search(r"GNU_RELRO", headers)
    assert re.search(r"BIND_NOW|FLAGS_1.*NOW", headers)
    assert re.search(r"GNU_STACK\s.*\sRW\s", headers), "no executable stack"
    assert "__stack_chk_fail" in output("nm", "--dynamic", "--undefined-only", program(name))


@pytest.mark.plain
def test_libkdcchat_shows_only_its_public_names():
    names = output("nm", "--extern-only", "--defined-only", BUILD / "libkdcchat.a")
    shown = re.findall(r"^[0-9a-f]+ \w (\S+)$", names, re.MULTILINE)
    assert shown
    assert [name for name in shown if not name.startswith("kc_")] == []


@pytest.mark.plain
def test_an_installed_libkdcchat_can_be_embedded(folder):
    """As another project would: pkg-config and one header, nothing of this checkout."""
    prefix = folder / "prefix"
    make("install", PREFIX=prefix)
    names = output("nm", "--extern-only", "--defined-only", prefix / "lib/libkdcchat.a")
    symbol = re.search(r" T (kc_\w+)$", names, re.MULTILINE)[1]
    source = folder / "embedder.c"
    source.write_text(f"#include <kdcchat.h>\nint main(void) {{ void (*volatile there)(void) = (void (*)(void)){symbol}; "
                      "return there == 0; }\n")
    flags = output("pkg-config", "--static", "--cflags", "--libs", "libkdcchat",
                   env={**os.environ, "PKG_CONFIG_PATH": str(prefix / "lib/pkgconfig")}).split()
    output("gcc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-Wno-cast-function-type", "-o", folder / "embedder",
           source, *flags)
    output(folder / "embedder")


@pytest.mark.plain
def test_installed_programs_say_their_version(folder):
    make("install", DESTDIR=folder, PREFIX="/usr")
    for name in ("bin/kdc-chat", "sbin/kdcd", "sbin/kdc-admin"):
        assert re.search(r"\d+\.\d+\.\d+", output(folder / "usr" / name, "--version"))
