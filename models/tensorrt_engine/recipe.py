"""How to request a precision, which differs between TensorRT's versions.

Up to TensorRT 10 a builder flag lets it compute an fp32 graph in fp16 or bf16 where that is faster. TensorRT 11 has no
such flags: there every network is strongly typed and computes in the types that the graph itself names (NVIDIA,
"Migrating from TensorRT 10.x to 11.x").
"""

from __future__ import annotations

from dataclasses import dataclass

from models.tensorrt_engine.key import PRECISIONS
from models.tensorrt_engine.problem import EngineProblem

_FIRST_STRONGLY_TYPED = 11
_FIRST_WITH_BF16 = 8  # compute capability: Ampere


@dataclass(frozen=True)
class Recipe:
    """How TensorRT is to build an engine."""

    graph: str  # precision that is written into the graph
    flag: str | None  # precision that the builder may use besides; None: only the graph's
    strongly_typed: bool


def recipe_for(tensorrt: str, compute_capability: str, precision: str) -> Recipe:
    """The recipe for a precision.

    Args:
        tensorrt: Its `__version__`.
        compute_capability: Of the GPU, such as "8.9".
        precision: One of `PRECISIONS`.

    Raises:
        EngineProblem: The GPU does not compute in that precision.
        ValueError: There is no such precision.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"{precision} is none of {', '.join(PRECISIONS)}")
    if precision == "bf16" and _major(compute_capability) < _FIRST_WITH_BF16:
        raise EngineProblem(
            f"bf16 needs a GPU of compute capability {_FIRST_WITH_BF16}.0 or more, this one has {compute_capability}. "
            "Use --precision fp16 or fp32."
        )
    if _major(tensorrt) >= _FIRST_STRONGLY_TYPED:
        return Recipe(graph=precision, flag=None, strongly_typed=True)
    return Recipe(graph="fp32", flag=None if precision == "fp32" else precision, strongly_typed=False)


def _major(version: str) -> int:
    return int(version.partition(".")[0])
