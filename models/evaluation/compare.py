"""One evaluation on several targets: the figures of each, and at which stage what is lost is lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

from tabulate import tabulate

from models.evaluation import stages
from models.evaluation.asked import answered
from models.evaluation.figures import ORIGINAL, Counting
from models.evaluation.opening import GATEWAY, Wanted, opened, protocol_of_crops
from models.evaluation.problem import EvaluationProblem
from models.evaluation.run import evaluate
from models.evaluation.stages import ComparedTarget, Comparison
from models.evaluation.targets.opening import open_target
from models.files.whole_file import write_whole

SAMPLES = 32  # whose outputs are compared at each stage
TABLE = "stages.md"
LOST = 0.05  # of a figure, which is printed with one decimal


def compare(
    wanted: Wanted,
    targets: Sequence[str],
    folder: Path,
    *,
    counting: Counting,
    limit: int | None = None,
    again: bool = False,
) -> str:
    """Evaluates each target in a folder of its own, and compares the outputs of some samples stage by stage.

    Args:
        wanted: What is evaluated; its target does not count.
        targets: As `--target` takes them; the first is the reference. The gateway takes no crops: it has figures only.
        folder: Of all, with `stages.md`.
        counting: Whose figures are compared.
        limit: Only so many samples.
        again: Begin anew.

    Returns:
        The text of `stages.md`.

    Raises:
        EvaluationProblem: A target is named twice.
        Exception: As `opened` and `evaluate`.
    """
    if len(set(targets)) < len(targets):
        raise EvaluationProblem("--target names one target twice")
    for target in targets:  # so that nobody hears of a mistake in the last one hours later
        with opened(replace(wanted, target=target)):
            pass
    figures = {}
    for target in targets:
        with opened(replace(wanted, target=target)) as asked:
            place = folder / target.replace(":", "-")
            found = evaluate(asked, place, counting=counting, limit=limit, again=again)
            figures[target] = _figures(found, counting)
    of_crops = [target for target in targets if target != GATEWAY]
    comparisons = _stages(wanted, of_crops, min(limit or SAMPLES, SAMPLES)) if len(of_crops) > 1 else []
    text = page(f"{wanted.model} on {wanted.dataset}", counting, figures, comparisons)
    write_whole(folder / TABLE, text.encode())
    return text


def page(
    title: str, counting: Counting, figures: Mapping[str, Mapping[str, float]], comparisons: Sequence[Comparison]
) -> str:
    """The figures of all targets, the differences of each stage, and what both say."""
    names = list(dict.fromkeys(chain.from_iterable(figures.values())))  # the gateway has others of actions
    rows = [[name, *(f"{of[name]:.1f}" if name in of else "" for of in figures.values())] for name in names]
    counted = "as the original counts, where it has the figure" if counting == ORIGINAL else "counted strictly"
    parts = [f"# {title}, by target", f"Figures {counted}."]
    parts += [tabulate(rows, headers=["", *figures], tablefmt="github", disable_numparse=True)]
    if comparisons:
        columns, of_stages = stages.table(comparisons)
        parts.append(f"Differences from {comparisons[0].reference}, on the same crops (0 to 1 of the crop, or scores):")
        parts.append(tabulate(of_stages, headers=columns, tablefmt="github", disable_numparse=True))
        parts.append("\n".join(f"- {one.text()}" for one in comparisons))
    lost = [_lost(name, pair, figures, comparisons) for name in names for pair in pairwise(figures)]
    if any(lost):
        parts.append("\n".join(f"- {text}" for text in lost if text))
    return "\n\n".join(parts) + "\n"


def _lost(
    name: str,
    pair: tuple[str, str],
    figures: Mapping[str, Mapping[str, float]],
    comparisons: Sequence[Comparison],
) -> str:
    before, after = pair
    if name not in figures[before] or name not in figures[after]:
        return ""
    change = figures[after][name] - figures[before][name]
    if abs(change) < LOST:
        return ""
    text = f"{name}: {change:+.1f} from {before} to {after}"
    if after == GATEWAY:
        return f"{text}: the gateway cuts its crops itself, by another resampling"
    at = next((one.parts_at() for one in comparisons if one.other == after), None)
    return f"{text}: at the {at}" if at else f"{text}: at crops that were not compared"


def _figures(found: Mapping[str, Any], counting: Counting) -> dict[str, float]:
    values = {figure["name"]: figure[counting] or figure["strict"] for figure in found["figures"]}
    return {name: value["value"] for name, value in values.items() if value and value["value"] is not None}


def _stages(wanted: Wanted, targets: Sequence[str], samples: int) -> list[Comparison]:
    with ExitStack() as stack:
        opened_targets = {}
        for name in targets:
            target = open_target(
                name, wanted.model, repository=wanted.repository, cache=wanted.cache, batch=stages.BATCH
            )
            stack.callback(target.close)
            opened_targets[name] = target
        compared = ComparedTarget(opened_targets)
        dataset, protocol = protocol_of_crops(wanted, compared)
        some = (dataset[index] for index in range(min(samples, len(dataset))))
        for _ in answered(protocol, some):
            pass
    return compared.comparisons
