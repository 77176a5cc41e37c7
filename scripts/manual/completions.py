#!/usr/bin/python3
"""completions.py TABLES bash|zsh PROGRAM: prints that shell's completion of that program's options and commands.

Each is one function: the program's tables, then code that is the same for all.
"""
import json
import pathlib
import shlex
import sys

BASH = r'''
    # Bash cuts words at = and : too. Of what is complete, `found` gets the command's words, `option` the option whose
    # value is being typed.
    local cur=${COMP_WORDS[COMP_CWORD]} word option='' only_words='' command i
    local -a found=() choices=()
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if [[ $word == : ]]; then # goes on with the word before
            ((++i < COMP_CWORD)) || return 0
        elif [[ -n $option && $word == = && ${COMP_WORDS[i - 1]} == --* ]]; then
            continue
        elif [[ -n $option ]]; then
            option=
        elif [[ -n $only_words || $word != -?* ]]; then
            found+=("$word")
        elif [[ $word == -- ]]; then
            only_words=1
        elif [[ $word == --* ]]; then
            option=${values[$word]+$word}
        else
            while word=${word#?}; [[ -n $word ]]; do # letters together; behind one with a value, that value
                [[ -z ${values[-${word:0:1}]+is} ]] || break
            done
            [[ ${#word} -ne 1 ]] || option=-$word
        fi
    done
    if [[ $cur == = && -n $option ]]; then
        cur=
    elif [[ $cur == : ]]; then
        return 0
    fi

    if [[ -n $option ]]; then
        case ${values[$option]} in
        '') ;;
        FILE)
            compopt -o filenames 2>/dev/null
            mapfile -t COMPREPLY < <(compgen -f -- "$cur")
            ;;
        *) # a list, with commas between
            compopt -o nospace 2>/dev/null
            mapfile -t COMPREPLY < <(compgen -P "${cur%"${cur##*,}"}" -W "${values[$option]}" -- "${cur##*,}")
            ;;
        esac
    elif [[ -z $only_words && $cur == -* ]]; then
        for command in "${!own[@]}"; do
            [[ "${found[*]} " != "$command "* ]] || general+=" ${own[$command]}"
        done
        mapfile -t COMPREPLY < <(compgen -W "$general" -- "$cur")
    else
        for command in "${commands[@]}"; do
            if [[ ${#found[@]} -eq 0 ]]; then
                choices+=("${command%% *}")
            elif [[ $command == "${found[*]} "* ]]; then
                command=${command#"${found[*]} "}
                choices+=("${command%% *}")
            fi
        done
        mapfile -t COMPREPLY < <(compgen -W "${choices[*]}" -- "$cur" | sort -u)
    fi
}
'''

ZSH = r'''
    # Of what is complete, `found` gets the command's words.
    local word only_words i curcontext=$curcontext context state state_descr
    local -a found choices line
    local -A opt_args
    for ((i = 2; i < CURRENT; i++)); do
        word=${words[i]}
        if [[ -n $only_words || $word != -?* ]]; then
            found+=("$word")
        elif [[ $word == -- ]]; then
            only_words=1
        elif [[ $word == --* ]]; then
            ((i += ${+with_value[$word]}))
        else
            while word=${word#?}; [[ -n $word ]]; do # letters together; behind one with a value, that value
                [[ -z ${with_value[-${word[1]}]} ]] || break
            done
            ((i += ${#word} == 1))
        fi
    done
    local -a specs=("${general[@]}")
    case "${found[*]} " in
@OWN@    esac
    _arguments -s -S : "${specs[@]}" '*: :->word' && return 0
    [[ $state == word ]] || return 1
    for word in "${commands[@]}"; do
        if [[ ${#found} -eq 0 || $word == "${found[*]} "* ]]; then
            word=${word#"${found[*]}"}
            word=${word# }
            # The first of two words has no description of its own.
            [[ ${word%%:*} == *' '* ]] && word=${word%% *}
            choices+=("$word")
        fi
    done
    typeset -U choices
    ((${#choices})) && _describe -t commands command choices
}
'''


def names(option):
    return ([f"-{option['letter']}"] if option["letter"] else []) + [f"--{option['name']}"]


def quoted(items):
    return " ".join(shlex.quote(item) for item in items)


def lines(items, indent):
    return "".join(f"{indent}{item}\n" for item in items)


def options_of(program, command):
    return [option for option in program["options"] if option["name"] in command["options"]]


def function_name(name):
    return "_" + name.replace("-", "_")


def bash(name, program):
    """A value is FILE, or the words of a list, or nothing that could be told beforehand."""
    commands = program.get("commands", [])
    general = [text for option in program["options"] if not option["own"] for text in names(option)]
    values = [f"[{text}]={shlex.quote('FILE' if option['argument'] == 'FILE' else ' '.join(option['values']))}"
              for option in program["options"] if option["argument"] for text in names(option)]
    own = [f"[{shlex.quote(' '.join(command['words']))}]="
           + shlex.quote(" ".join(text for option in options_of(program, command) for text in names(option)))
           for command in commands if command["options"]]
    return (f"# bash completion of {name}, made from its tables\n"
            f"{function_name(name)}()\n{{\n"
            f"    local general={shlex.quote(' '.join(general))}\n"
            f"    local -a commands=({quoted(' '.join(command['words']) for command in commands)})\n"
            f"    local -A values=(\n{lines(values, ' ' * 8)}    )\n"
            f"    local -A own=(\n{lines(own, ' ' * 8)}    )\n" + BASH.lstrip("\n")
            + f"complete -F {function_name(name)} {name}\n")


def zsh_specs(option):
    """What _arguments wants to know of it: one for each of its names."""
    doc = option["doc"]
    for special in "\\[]:":
        doc = doc.replace(special, "\\" + special)
    value = ""
    if option["argument"]:
        action = "_files" if option["argument"] == "FILE" else \
            f"_sequence compadd - {' '.join(option['values'])}" if option["values"] else " "
        value = f":{option['argument'].replace(':', chr(92) + ':')}:{action}"
    others = " ".join(names(option))
    for text in names(option):
        sign = "" if not option["argument"] else "=" if text.startswith("--") else "+"
        yield shlex.quote(f"({others}){text}{sign}[{doc}]{value}")


def zsh(name, program):
    commands = program.get("commands", [])
    general = [spec for option in program["options"] if not option["own"] for spec in zsh_specs(option)]
    described = [shlex.quote(f"{' '.join(command['words'])}:{command['doc']}") for command in commands]
    with_value = [text for option in program["options"] if option["argument"] for text in names(option)]
    own = "".join(f"    {shlex.quote(' '.join(command['words']) + ' ')}*)\n        specs+=(\n"
                  + lines((spec for option in options_of(program, command) for spec in zsh_specs(option)), " " * 12)
                  + "        )\n        ;;\n"
                  for command in commands if command["options"])
    return (f"#compdef {name}\n# zsh completion of {name}, made from its tables\n"
            f"{function_name(name)}()\n{{\n"
            f"    local -a general=(\n{lines(general, ' ' * 8)}    )\n"
            f"    local -a commands=(\n{lines(described, ' ' * 8)}    )\n"
            f"    local -A with_value=({quoted(part for text in with_value for part in (text, '1'))})\n"
            + ZSH.lstrip("\n").replace("@OWN@", own) + f"{function_name(name)} \"$@\"\n")


def main():
    tables_path, shell, name = sys.argv[1:]
    tables = json.loads(pathlib.Path(tables_path).read_text(encoding="utf-8"))
    sys.stdout.write({"bash": bash, "zsh": zsh}[shell](name, tables[name]))


if __name__ == "__main__":
    main()
