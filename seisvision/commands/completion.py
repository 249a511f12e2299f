"""Print a script by which bash completes the words and options of this command.

Put the line ``eval "$(seisvision completion)"`` into ~/.bashrc; in zsh put ``autoload -U bashcompinit; bashcompinit``
before it.
"""

from __future__ import annotations

import argparse

from seisvision.plain_text import say

SCRIPT = """\
_seisvision() {{
  local word=${{COMP_WORDS[COMP_CWORD]}} path= next one
  local -A known=(
{table}
  )
  for one in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
    next="${{path:+$path }}$one"
    [[ -n ${{known[$next]+set}} ]] && path=$next
  done
  COMPREPLY=($(compgen -W "${{known[${{path:-top}}]}}" -- "$word"))
  [[ ${{#COMPREPLY[@]}} -eq 0 && $word != -* ]] && COMPREPLY=($(compgen -f -- "$word"))
}}
complete -o filenames -F _seisvision seisvision
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """It has no options."""


def run(args: argparse.Namespace) -> int:
    """Print the script."""
    from seisvision.cli import build_parser

    table = "\n".join(
        f'    ["{path or "top"}"]="{" ".join(words)}"' for path, words in words_of(build_parser()).items()
    )
    say(SCRIPT.format(table=table))
    return 0


def words_of(parser: argparse.ArgumentParser, path: str = "") -> dict[str, list[str]]:
    """By the words before, what may come next: names of commands, or options."""
    found: dict[str, list[str]] = {path: [name for action in parser._actions for name in action.option_strings]}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            found[path] = list(action.choices)
            for name, inner in action.choices.items():
                found |= words_of(inner, f"{path} {name}".strip())
    return found
