"""What all parts of `lite` agree on: the joints of layout pa16, and the clips that actions are read from."""

from __future__ import annotations

import numpy as np

from models.protocol.joints import PA16, flip_indices
from models.protocol.labels import PENN_ACTIONS

NUM_JOINTS = len(PA16)
PELVIS, THORAX = 0, 1
R_SHOULDER, L_SHOULDER, R_HIP, L_HIP = 4, 5, 10, 11
ARMS, LEGS = np.arange(4, 10), np.arange(10, 16)
FLIP = flip_indices(PA16)  # the joints of a mirrored person: left and right change places
# Bones as child <- parent; bone i leads to joint i + 1.
PARENTS = np.array([0, 1, 2, 1, 1, 4, 5, 6, 7, 0, 0, 10, 11, 12, 13])
FEATURES_PER_FRAME = NUM_JOINTS * 3  # x, y, score

# The data with actions has neither pelvis nor thorax nor neck: of the body pa16[3:16] remain.
FIRST_JOINT = 3
BODY_JOINTS = NUM_JOINTS - FIRST_JOINT
BODY_FLIP = FLIP[FIRST_JOINT:] - FIRST_JOINT

NUM_FRAMES, INTERVAL_S = 16, 0.1  # of a clip; seconds between two of them
ACTIONS = PENN_ACTIONS
