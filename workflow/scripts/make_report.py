"""Makes the report: one self-contained HTML page of a run of the workflow.

In: the resolved configuration (JSON), the folder of results, the figures' stems, model cards.
Out: report.html. A result that the configuration names and that is missing ends the step.
"""

import sys

from dnalm import cli
from dnalm.errors import UserError


def parse_arguments(argv):
    parser = cli.make_parser(__doc__)
    add = parser.add_argument
    add("--config", required=True, help="resolved configuration, JSON")
    add("--results", default="results", help="folder of results")
    add("--figures", nargs="*", default=[], metavar="STEM", help="figures to show, paths without suffix")
    add("--cards", nargs="*", default=[], metavar="MODEL=FILE", help="model cards, Markdown")
    add("--browsers", nargs="*", default=[], metavar="HTML", help="pages of make_browser.py, to link")
    add("--output", required=True, help="HTML file to write")
    return parser.parse_args(argv)


def name_and_path(text: str) -> tuple[str, str]:
    name, equals, path = text.partition("=")
    if not (name and equals and path):
        raise UserError("--cards", f"found {text!r}, expected MODEL=FILE", "Name a model and its card.")
    return name, path


@cli.command
def main(argv=None) -> None:
    arguments = parse_arguments(argv)
    from dnalm import files
    from dnalm.report import page
    from dnalm.report.sources import Sources

    cards = dict(name_and_path(card) for card in arguments.cards)
    settings, browsers = files.read_json(arguments.config), arguments.browsers
    sources = Sources(settings, arguments.results, arguments.figures, cards, browsers)
    files.write_text(arguments.output, page.build(sources))


if __name__ == "__main__":
    sys.exit(main())
