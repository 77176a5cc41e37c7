"""The man pages and the shell completions say what the programs' own help says, and do what they are for."""
import json
import os
import re
import shutil
import subprocess

import pexpect
import pytest

from support.make import BUILD, make, need, output
from support.programs import ROOT, program

pytestmark = pytest.mark.plain

PAGES = {"kdcd.8": "kdcd", "kdc-admin.8": "kdc-admin", "kdc-chat.1": "kdc-chat", "kdc.conf.5": None}
PROGRAMS = ("kdcd", "kdc-admin", "kdc-chat")
EXIT_CODES = {"kdcd": "kdc/kdcd", "kdc-admin": "kdc/admin", "kdc-chat": "client/cli"}


@pytest.fixture(scope="module")
def manual():
    """The folder of what `make manual` makes."""
    make("manual")
    return BUILD / "manual"


def help_of(name):
    return output(program(name), "--help")


def options_of(name):
    """(letter or "", long name, argument or ""), as the help has them."""
    found = re.findall(r"^ {2,6}(?:-(.), )?--([\w-]+)(?:=(\S+))?", help_of(name), re.MULTILINE)
    assert {long for _, long, _ in found} >= {"help", "usage", "version"}
    return found


def commands_of(name):
    """Each command's line in the help, without what it does: "user add NAME"."""
    part = help_of(name).partition("Commands:\n")[2].partition("\n\n")[0]
    return [found.strip() for found in re.findall(r"^  (\w.*?)(?:   *\S.*)?$", part, re.MULTILINE)]


def settings():
    """(section, key, default) of the sample."""
    section = None
    for line in output(program("kdcd"), "--sample-config").splitlines():
        if re.fullmatch(r"\[\w+\]", line):
            section = line
        elif re.match(r"#\w+ =", line):
            key, initial = line[1:].split(" =", 1)
            yield section, key, initial.strip()


@pytest.fixture(scope="module")
def shown(manual):
    """A page as a terminal shows it, without its line breaks: shown("kdcd.8")."""
    need("groff")

    def text(page):
        page = output("groff", "-mdoc", "-Tutf8", "-P-cbou", "-rLL=1000n", manual / page)
        return page.replace("‐", "-").replace("−", "-").replace("’", "'")
    return text


def test_operations_has_every_figure_as_the_program_has_it(manual):
    figures = json.loads((manual / "tables.json").read_text(encoding="utf-8"))["kdcd"]["figures"]
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    rows = [f"| `{one['name']}` | {one['kind']}{', `status` only' if one['ours'] else ''} | {one['label'] or ''} |"
            f" {one['help']} |" for one in figures]
    assert len(rows) > 60 and "\n".join(rows) + "\n\n" in text


# --- Man pages -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_no_fault_that_mandoc_knows(manual, page):
    need("mandoc")
    done = subprocess.run(["mandoc", "-T", "lint", str(manual / page)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False)
    # It looks for other pages where this system has its own.
    ours = "|".join(re.escape(rf"Xr {name} {number}").replace(r"\-", r".{1,2}")
                    for name, _, number in (other.rpartition(".") for other in PAGES))
    told = [line for line in done.stdout.splitlines()
            if not re.search(rf"referenced manual not found: ({ours})( |$)", line.replace("\\-", "-"))]
    assert told == []


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_set_without_a_warning(manual, page):
    need("groff")
    assert output("groff", "-mdoc", "-ww", "-Tutf8", "-z", manual / page) == ""
    if shutil.which("man"):
        done = subprocess.run(["man", "--warnings=w", "-l", str(manual / page)], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, check=True,
                              env={**os.environ, "MANWIDTH": "80", "LC_ALL": "C.UTF-8"})
        assert done.stderr == "" and len(done.stdout) > 1000


@pytest.mark.parametrize("page", [page for page, name in PAGES.items() if name])
def test_a_page_has_every_option(shown, page):
    text = shown(page)
    for letter, long, argument in options_of(PAGES[page]):
        shape = (f"-{letter}, " if letter else "") + f"--{long}" + (f"={argument}" if argument else "")
        assert re.search(rf"^ +{re.escape(shape)}\s*$", text, re.MULTILINE), shape


@pytest.mark.parametrize("page", ["kdc-admin.8", "kdc-chat.1"])
def test_a_page_has_every_command(shown, page):
    listed = re.search(r"The commands are:\n(.*?)\n +The options,", shown(page), re.DOTALL)[1]
    commands = commands_of(PAGES[page])
    assert len(commands) >= 6
    for command in commands:
        # In the page a command's own options stand before its arguments.
        words = r"(?: \[--\S+\])* ".join(re.escape(word) for word in re.split(r" (?=[A-Z\[])", command))
        assert re.search(rf"^ +{words}(?: \[--\S+\])*(?: {{2,}}\S.*)?$", listed, re.MULTILINE), command


@pytest.mark.parametrize("page", [page for page, name in PAGES.items() if name])
def test_a_page_and_the_help_have_every_exit_code(shown, page):
    name = PAGES[page]
    enum = re.search(r"enum exit_code \{(.*?)\};", (ROOT / EXIT_CODES[name] / "exit_code.h").read_text(), re.DOTALL)[1]
    codes = re.findall(r"^ +EXIT_\w+ =\s+(\d+)", enum, re.MULTILINE)
    assert len(codes) >= 6
    in_page = re.search(r"^EXIT STATUS\n(.*?)^\S", shown(page), re.DOTALL | re.MULTILINE)[1]
    in_help = help_of(name).partition("Exit status:\n")[2]
    for code in codes:
        assert re.search(rf"^ +{code} +(?:[A-Z]|kdcd )", in_page, re.MULTILINE), code
        assert re.search(rf"^ *{code}  [a-z]", in_help, re.MULTILINE), code


def test_kdc_conf_has_every_setting_with_its_default(shown):
    text = shown("kdc.conf.5")
    parts = dict(re.findall(r"^   (\[\w+\])\n(.*?)(?=^   \[|^\S)", text, re.DOTALL | re.MULTILINE))
    expected = list(settings())
    assert len(expected) >= 30 and set(parts) == {section for section, _, _ in expected}
    for section, key, initial in expected:
        assert re.search(rf"^ +{re.escape(f'{key} = {initial}'.strip())}(?: {{2,}}\S.*)?\s*$", parts[section],
                         re.MULTILINE), (section, key)


def test_kdc_chat_has_every_variable_and_every_command_of_the_chat(shown):
    text = shown("kdc-chat.1")
    source = (ROOT / "client/cli/options.c").read_text()
    variables = set(re.findall(r'"(KDC_CHAT_\w+)"', source))
    assert len(variables) >= 9 and all(re.search(rf"^ +{name}\b", text, re.MULTILINE) for name in variables)
    table = re.search(r"chat_commands\[\] = \{(.*?)\n\};", (ROOT / "client/cli/chat_input.c").read_text(), re.DOTALL)[1]
    commands = re.findall(r'^    \{ "(\w+)"', table, re.MULTILINE)
    assert len(commands) >= 7 and all(re.search(rf"^ +/{name}\b", text, re.MULTILINE) for name in commands)


# --- Completions -----------------------------------------------------------------------------------------------------


@pytest.fixture
def bash(manual):
    """bash("kdc-admin", "user", "l"): what bash offers for the last word. Words are cut as bash cuts them."""
    def offers(name, *words):
        script = ('source "$1"; shift; complete -p "$1" >/dev/null || exit 1; function=$(complete -p "$1" | sed '
                  "'s/.*-F \\([^ ]*\\) .*/\\1/'); "
                  'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}; '
                  '"$function" "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"; '
                  '((${#COMPREPLY[@]} == 0)) || printf "%s\\n" "${COMPREPLY[@]}"')
        told = output("bash", "--norc", "-c", script, "bash", manual / "bash" / name, name, *words, cwd=ROOT)
        return told.splitlines()
    return offers


@pytest.mark.parametrize("name", PROGRAMS)
def test_bash_knows_every_option_and_command(manual, bash, name):
    told = output("bash", "--norc", "-c", f"source '{manual}/bash/{name}' && complete -p {name}")
    assert re.fullmatch(rf"complete -F _{name.replace('-', '_')} {name}\n", told)
    offered = set(bash(name, "-"))
    commands = commands_of(name)
    for command in commands:
        words = re.sub(r" [A-Z\[].*", "", command).split()
        for number, word in enumerate(words):
            assert word in bash(name, *words[:number], "")
        offered |= set(bash(name, *words, "-"))
    for letter, long, _ in options_of(name):
        assert f"--{long}" in offered and (not letter or f"-{letter}" in offered)


def test_bash_completes_what_is_being_typed(bash):
    assert bash("kdc-admin", "user", "l") == ["list", "lock"]
    assert bash("kdc-admin", "user", "add", "") == []
    assert bash("kdc-admin", "user", "delete", "--y") == ["--yes"]
    assert bash("kdc-admin", "user", "list", "--y") == []
    assert bash("kdc-chat", "li") == ["list", "listen"]
    assert bash("kdc-chat", "listen", "--co") == ["--config", "--count"]
    # Values of options are no commands, however they are written.
    for before in (["--user", "list"], ["-u", "list"], ["-ulist"], ["-du", "list"], ["--user", "=", "list"],
                   ["--server", "host", ":", "19268"], ["-s", "host"]):
        assert bash("kdc-chat", *before, "reg") == ["register"], before
    assert bash("kdc-chat", "--user", "") == []
    assert bash("kdc-chat", "--suite", "=", "a") == ["aes-256-gcm"]
    assert bash("kdc-chat", "--suite", "=") == bash("kdc-chat", "--suite", "")
    assert bash("kdc-chat", "--group", "ffdhe4096,ffdhe30") == ["ffdhe4096,ffdhe3072"]
    assert bash("kdcd", "-c", "Make") == bash("kdcd", "--config", "=", "Make") == ["Makefile"]
    assert bash("kdc-chat", "--", "-") == []


@pytest.fixture
def zsh(manual, folder):
    """zsh("kdc-admin user l"): what stands on the screen after two tabs."""
    need("zsh")
    children = []

    def shows(line):
        child = pexpect.spawn("zsh", ["-f", "-i"], encoding="utf-8", timeout=20, dimensions=(60, 200), cwd=str(ROOT),
                              env={"PATH": os.environ["PATH"], "HOME": str(folder), "TERM": "dumb", "LC_ALL": "C.UTF-8"})
        children.append(child)
        child.sendline(f"unset zle_bracketed_paste; fpath=('{manual}/zsh' $fpath); autoload -Uz compinit; compinit -u -D; "
                       "TRAPUSR1() { }; PS1='RE''ADY '")
        child.expect("READY ")
        child.send(line + "\t\t")
        # What is typed next is shown once the completion is done with; ^U takes both away.
        child.send(" DONE\x15")
        child.expect("DONE")
        return child.before
    yield shows
    for child in children:
        child.close(force=True)


def test_zsh_completes_commands_and_options_with_what_they_do(zsh):
    told = zsh("kdc-admin user ")
    for words in ("Make an account", "List all accounts", "Lock an account, and end its session"):
        assert words in told
    told = zsh("kdc-admin -c user user delete --")
    assert "don't ask" in told and "Print JSON" in told and "this file's first line" not in told
    told = zsh("kdc-chat --user list li")
    assert "print who is online" in told and "print the texts that arrive" in told
    told = zsh("kdc-chat listen --co")
    assert "end after N texts" in told and "the configuration file" in told
    assert "ffdhe3072" in zsh("kdc-chat --group ffdhe2048,")
    told = zsh("kdcd --")
    assert "Print a commented configuration" in told


@pytest.mark.parametrize("name", PROGRAMS)
def test_zsh_knows_every_option_and_command(manual, name):
    need("zsh")
    output("zsh", "-n", manual / "zsh" / f"_{name}")
    text = (manual / "zsh" / f"_{name}").read_text()
    assert text.startswith(f"#compdef {name}\n")
    for letter, long, argument in options_of(name):
        assert f")--{long}{'=' if argument else ''}[" in text
        assert not letter or f")-{letter}{'+' if argument else ''}[" in text
    for command in commands_of(name):
        words = re.sub(r" [A-Z\[].*", "", command)
        assert f"'{words}:" in text
