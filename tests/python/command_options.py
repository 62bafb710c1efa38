"""Prints what sub-commands the reference's ``butler`` has, with their options and the defaults of these."""

import click
from canonical import show
from lsst.daf.butler.cli.butler import cli


def default(parameter):
    """What an option is if it is not given, as text; none if that is nothing at all."""
    value = parameter.default
    if isinstance(value, (list, tuple)):
        value = ",".join(value)
    return str(value) if isinstance(value, (str, int, bool)) and value != "" else None


def described(command):
    """The arguments and options of a command; divisions of its help are none."""
    found = {"arguments": [], "options": {}}
    for parameter in command.params:
        if isinstance(parameter, click.Argument):
            found["arguments"].append(parameter.name)
            continue
        names = parameter.opts + parameter.secondary_opts
        if not names[0].startswith("--option-section") and "--help" not in names:
            found["options"][" ".join(sorted(names))] = default(parameter)
    return found


if __name__ == "__main__":
    context = click.Context(cli)
    commands = {name: cli.get_command(context, name) for name in cli.list_commands(context)}
    show({"butler": described(cli)} | {name: described(command) for name, command in commands.items()})
