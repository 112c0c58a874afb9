"""Write the model card beside the weights, its figures taken from the evaluation's JSON."""

import json
from pathlib import Path
from typing import Any

from model.check import ATTRIBUTES

EVALUATION = "evaluation.json"
TEMPLATE = Path(__file__).with_name("card.md")
COLUMNS = ("all right", "one thing", "two things", *ATTRIBUTES)


def figures_table(rows: dict[str, dict[str, Any]]) -> str:
    """The evaluation as a Markdown table, one line for each size and language."""
    lines = [
        "| size | language | prompts | " + " | ".join(COLUMNS) + " |",
        "|---" * (len(COLUMNS) + 3) + "|",
    ]
    for key, row in rows.items():
        size, language = key.split()
        cells = " | ".join(f"{row[column]:.1f}" for column in COLUMNS)
        lines.append(f"| {size} | {language} | {row['prompts']} | {cells} |")
    return "\n".join(lines)


def plain_table(first: str, rows: dict[str, dict[str, Any]]) -> str:
    """Rows of one set of columns as a Markdown table; `first` heads the rows' names."""
    columns = list(next(iter(rows.values())))
    lines = [f"| {first} | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    lines += [
        f"| {name} | " + " | ".join(str(row[column]) for column in columns) + " |"
        for name, row in rows.items()
    ]
    return "\n".join(lines)


def write_companion_card(kind: str, fields: dict[str, str], target: Path) -> None:
    """Fill `card-<kind>.md` with a companion's figures and fields, as `target/README.md`."""
    evaluation = json.loads((target / EVALUATION).read_text(encoding="utf-8"))
    settings = evaluation["settings"]
    template = TEMPLATE.with_name(f"card-{kind}.md").read_text(encoding="utf-8")
    fields = {
        "table": plain_table("", evaluation["rows"]),
        "steps": str(settings["num_inference_steps"]),
        "guidance": str(settings["guidance_scale"]),
        **fields,
    }
    (target / "README.md").write_text(fill(template, fields), encoding="utf-8")


def fill(template: str, fields: dict[str, str]) -> str:
    """The template with every {{name}} replaced by its field."""
    for name, value in fields.items():
        template = template.replace("{{" + name + "}}", value)
    return template


def write_card(target: Path) -> None:
    """Fill the template with the figures of `target`'s evaluation, as `target/README.md`."""
    evaluation = json.loads((target / EVALUATION).read_text(encoding="utf-8"))
    settings = evaluation["settings"]
    fields = {
        "table": figures_table(evaluation["rows"]),
        "steps": str(settings["num_inference_steps"]),
        "guidance": str(settings["guidance_scale"]),
    }
    text = fill(TEMPLATE.read_text(encoding="utf-8"), fields)
    (target / "README.md").write_text(text, encoding="utf-8")
