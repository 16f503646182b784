"""One recipe for each of deephar's networks.

After the papers (arXiv 1802.09232, appendix B and section 5; arXiv 1912.08077) and, where they are silent, the original's
training scripts. A number that is ours is marked so.
"""

from __future__ import annotations

from models.training.recipe import Recipe
from models.training.recipes import h36m, mpii, ntu, ntu_cvpr18, penn, penn_cvpr18

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (mpii.RECIPE, h36m.RECIPE, penn.RECIPE, ntu.RECIPE, penn_cvpr18.RECIPE, ntu_cvpr18.RECIPE)
}
