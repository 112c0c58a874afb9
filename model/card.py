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


def write_card(target: Path) -> None:
    """Fill the template with the figures of `target`'s evaluation, as `target/README.md`."""
    evaluation = json.loads((target / EVALUATION).read_text(encoding="utf-8"))
    settings = evaluation["settings"]
    text = TEMPLATE.read_text(encoding="utf-8")
    fields = {
        "{{table}}": figures_table(evaluation["rows"]),
        "{{steps}}": str(settings["num_inference_steps"]),
        "{{guidance}}": str(settings["guidance_scale"]),
    }
    for field, value in fields.items():
        text = text.replace(field, value)
    (target / "README.md").write_text(text, encoding="utf-8")
