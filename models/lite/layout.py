"""What all networks of `lite` share: the joints of layout pa16, and the clip."""

from __future__ import annotations

import numpy as np

from models.protocol.joints import PA16, flip_indices
from models.protocol.labels import PENN_ACTIONS

NUM_JOINTS = len(PA16)
PELVIS, THORAX, NECK, HEAD = range(4)
# Pairs: the person's right joint, then the left one.
SHOULDERS, ELBOWS, WRISTS, HIPS, KNEES, ANKLES = np.arange(4, NUM_JOINTS).reshape(6, 2)
LIMBS = np.arange(SHOULDERS[0], NUM_JOINTS)  # all of these twelve
ARMS, LEGS = np.concatenate([SHOULDERS, ELBOWS, WRISTS]), np.concatenate([HIPS, KNEES, ANKLES])
FLIP = flip_indices(PA16)  # the joints of a mirrored person: left and right change places
# Bone i leads from joint PARENTS[i] to joint i + 1.
PARENTS = np.array([0, 1, 2, 1, 1, 4, 5, 6, 7, 0, 0, 10, 11, 12, 13])
FEATURES_PER_FRAME = NUM_JOINTS * 3  # x, y, score

# The data with actions has neither pelvis nor thorax nor neck. The body's joints are the other ones, pa16[3:16].
FIRST_JOINT = HEAD
BODY_JOINTS = NUM_JOINTS - FIRST_JOINT
BODY_FLIP = FLIP[FIRST_JOINT:] - FIRST_JOINT
BODY_HEAD = HEAD - FIRST_JOINT
BODY_SHOULDERS, BODY_ELBOWS, BODY_WRISTS = (pair - FIRST_JOINT for pair in (SHOULDERS, ELBOWS, WRISTS))
BODY_HIPS, BODY_KNEES, BODY_ANKLES = (pair - FIRST_JOINT for pair in (HIPS, KNEES, ANKLES))
BODY_ARMS, BODY_LEGS = ARMS - FIRST_JOINT, LEGS - FIRST_JOINT

NUM_FRAMES, INTERVAL_S = 16, 0.1  # of a clip; seconds between two of them
ACTIONS = PENN_ACTIONS
