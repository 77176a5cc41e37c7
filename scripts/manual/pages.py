#!/usr/bin/python3
"""pages.py TABLES TEMPLATE: prints a man page (mdoc). In the template a line such as `@OPTIONS kdcd@` stands for
what a table of that program says; each of them is one function below.
"""
import json
import pathlib
import re
import sys
import textwrap

# Words that mdoc would take for a macro, or for punctuation, when they stand in a macro's line.
SPECIAL = re.compile(r"[A-Z%][A-Za-z0-9]{1,2}|[.,:;()\[\]?!|]")


def escaped(text):
    """As it is, on a text line or in a macro's."""
    return text.replace("\\", "\\e").replace("-", "\\-")


def word(text):
    """One word in a macro's line."""
    return ("\\&" if SPECIAL.fullmatch(text) else "") + escaped(text)


def words(text):
    return " ".join(word(part) for part in text.split())


def prose(text):
    """Each sentence begins a line, as mdoc asks for; no line begins as a macro does."""
    sentences = re.split(r"(?<=[.!?]) +(?=[A-Z0-9])", " ".join(text.split()))
    lines = [line for one in sentences
             for line in textwrap.wrap(escaped(one), 78, break_long_words=False, break_on_hyphens=False)]
    return "".join(("\\&" if line[0] in ".'" else "") + line + "\n" for line in lines)


def sentence(text):
    """With a capital letter, but for the name of a program."""
    if not re.match(r"kdc(d|-\w+)\b", text):
        text = text[:1].upper() + text[1:]
    return prose(text + ("" if text.endswith(".") else "."))


def option_text(option):
    """--name=ARGUMENT, as a macro's line has it."""
    return f"Fl \\-{word(option['name'])}" + (f" Ns = Ns Ar {word(option['argument'])}" if option["argument"] else "")


def options(program):
    out = ".Bl -tag -width Ds\n"
    for option in program["options"]:
        letter = f"Fl {word(option['letter'])} , " if option["letter"] else ""
        out += f".It {letter}{option_text(option)}\n"
        # That of a command's own option begins with the command's name.
        out += prose(option["doc"] + ".") if option["own"] else sentence(option["doc"])
        if option["values"]:
            out += "Known are\n" + " ,\n".join(f".Cm {word(value)}" for value in option["values"]) + " .\n"
    return out + ".El\n"


def commands(program):
    by_name = {option["name"]: option for option in program["options"]}
    out = ".Bl -tag -width Ds\n"
    for command in program["commands"]:
        arguments = "".join(f" Oo Ar {word(part.strip('[]'))} Oc" if part.startswith("[") else f" Ar {word(part)}"
                            for part in command["arguments"].split())
        own = "".join(f" Oo {option_text(by_name[name])} Oc" for name in command["options"])
        out += f".It Ic {words(' '.join(command['words']))}{own}{arguments}\n" + sentence(command["doc"])
    return out + ".El\n"


def environment(program):
    out = ".Bl -tag -width Ds\n"
    for option in program["options"]:
        if option["environment"]:
            out += f".It Ev {word(option['environment'])}\nAs\n.Fl \\-{word(option['name'])} .\n"
    return out + ".El\n"


def keys(program):
    """The options that may stand in the configuration file."""
    names = [option["name"] for option in program["options"] if option["environment"] and option["name"] != "config"]
    return " ,\n".join(f".Cm {word(name)}" for name in names) + " .\n"


def chat_commands(program):
    out = ".Bl -tag -width Ds\n"
    for command in program["chat_commands"]:
        arguments = f" Ar {words(command['arguments'])}" if command["arguments"] else ""
        out += f".It Ic /{word(command['name'])}{arguments}\n" + sentence(command["doc"])
    return out + ".El\n"


def exit_codes(program):
    out = ".Bl -tag -width Ds\n"
    for one in program["exit_codes"]:
        out += f".It {one['code']}\n" + sentence(one["doc"])
    return out + ".El\n"


def settings(program):
    out = ""
    for section in program["sections"]:
        out += f".Ss [{word(section['name'])}]\\&\n" + prose(section["doc"]) + ".Bl -tag -width Ds\n"
        for setting in section["settings"]:
            initial = " Li " + words(setting["initial"]) if setting["initial"] else ""
            out += f".It Cm {word(setting['key'])} No ={initial}\n" + prose(setting["doc"])
            if "min" in setting:
                out += f"From {setting['min']} to {setting['max']}.\n"
            if not setting["reloadable"]:
                out += "Takes a restart.\n"
        out += ".El\n"
    return out


def figures(program):
    out = ".Bl -tag -width Ds\n"
    for figure in program["figures"]:
        label = f" by {word(figure['label'])}" if figure["label"] else ""
        place = ", in status only" if figure["ours"] else ""
        out += f".It Cm {word(figure['name'])} Pq {word(figure['kind'])}{label}{place}\n" + sentence(figure["help"])
    return out + ".El\n"


TABLES = {"OPTIONS": options, "COMMANDS": commands, "ENVIRONMENT": environment, "KEYS": keys,
          "CHAT-COMMANDS": chat_commands, "EXIT-CODES": exit_codes, "SETTINGS": settings, "FIGURES": figures}


def main():
    tables_path, template = sys.argv[1:]
    tables = json.loads(pathlib.Path(tables_path).read_text(encoding="utf-8"))
    for line in pathlib.Path(template).read_text(encoding="utf-8").splitlines(keepends=True):
        asked = re.fullmatch(r"@(\S+) (\S+)@\n", line)
        if asked:
            line = TABLES[asked[1]](tables[asked[2]])
        sys.stdout.write(line)


if __name__ == "__main__":
    main()
