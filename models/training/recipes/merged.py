"""The phases that both merged networks share (CVPR'18, appendix B).

Poses with RMSprop; the action part alone with SGD and clips by twos; then all of it, five epochs with a tenth of the
last rate. The paper lowers the rates when the validation stands still: epochs and milestones are ours.
"""

from __future__ import annotations

from models.training.recipe import Phase, Share

RATE, FACTOR, MILESTONES = 2e-4, 0.2, (30, 40)
MOMENTUM = 0.98


def phases(dataset: str, poses: tuple[Share, ...], beside_clips: tuple[Share, ...], epoch: int) -> tuple[Phase, ...]:
    """The phases of a network.

    Args:
        dataset: With the actions.
        poses: A batch of pictures.
        beside_clips: The pictures that go with two clips when everything learns.
        epoch: Steps of an epoch of the phases with clips.
    """
    clips = Share(dataset=dataset, count=2, clips=True)
    return (
        Phase(
            name="pose",
            epochs=120,
            steps_per_epoch=1_000,
            trains="pose",
            optimizer="rmsprop",
            learning_rate=1e-3,
            milestones=(80, 100),
            factor=FACTOR,
            batch=poses,
            pose_loss="cvpr_elasticnet",
        ),
        Phase(
            name="actions",
            epochs=50,
            steps_per_epoch=epoch,
            trains="actions",
            optimizer="sgd",
            momentum=MOMENTUM,
            learning_rate=RATE,
            milestones=MILESTONES,
            factor=FACTOR,
            batch=(clips,),
        ),
        Phase(
            name="all",
            epochs=5,
            steps_per_epoch=epoch,
            trains="all",
            optimizer="sgd",
            momentum=MOMENTUM,
            learning_rate=RATE * FACTOR ** len(MILESTONES) / 10,
            batch=(*beside_clips, clips),
            pose_loss="cvpr_elasticnet",
        ),
    )
