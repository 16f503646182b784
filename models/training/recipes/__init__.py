"""One recipe for each of deephar's networks.

After the papers (CVPR'18: arXiv 1802.09232, section 5 and appendix B; TPAMI'20: arXiv 1912.08077) and the original's
training scripts; each recipe says where its numbers are from, and which are ours.
"""

from __future__ import annotations

from models.training.recipe import Recipe
from models.training.recipes import h36m, mpii, ntu, ntu_cvpr18, penn, penn_cvpr18

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (mpii.RECIPE, h36m.RECIPE, penn.RECIPE, ntu.RECIPE, penn_cvpr18.RECIPE, ntu_cvpr18.RECIPE)
}
