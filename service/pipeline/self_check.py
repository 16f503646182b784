"""The self-check: a small picture through all networks of the default model."""

from __future__ import annotations

import time

import numpy as np

from service.networks.catalogue import Catalogue
from service.networks.model import PERSON_NETWORK
from service.networks.server import InferenceServer
from service.pipeline.stream import StreamParts
from service.video.windows import Sample, Window
from service.vision.crops import whole_picture
from service.vision.images import encode_image

LONGEST_SILENCE_S = 3.5  # of a network with pending calls; with the interval of the checks, /readyz fails within 5 s
_PICTURE = encode_image(np.full((64, 64, 3), 128, np.uint8), "image/jpeg")


class SelfCheck:
    """Answers a picture and a clip of the service's own with the default model, past admission."""

    def __init__(self, catalogue: Catalogue, server: InferenceServer, parts: StreamParts) -> None:
        self._catalogue, self._server, self._parts = catalogue, server, parts

    async def run(self) -> None:
        """Raises the error that a caller would get now."""
        model, parts = self._catalogue.named(None), self._parts
        with parts.pixels.hold() as held:
            picture = await parts.decoder.decode(_PICTURE, held)
            await parts.search.detect(picture)
            output = await parts.inference.run(model, picture, [whole_picture(picture.width, picture.height)])
            if model.card.clip is not None:
                assert output.features is not None
                sample = Sample(0, 0.0, output.features[0], output.crop_windows[0], output.version)
                await parts.clip.run(model, [Window((sample,) * model.card.clip.frames)])

    def stuck_since(self, began: float) -> str | None:
        """Returns why a check that began then (`time.monotonic`) does not end; None if the service may just be busy."""
        model = self._catalogue.named(None)
        needed = (PERSON_NETWORK, model.frame_network, model.clip_network)
        active = {name: activity for name in needed if (activity := self._server.activity.get(name)) is not None}
        silent = [name for name, a in active.items() if a.silent_s() > max(LONGEST_SILENCE_S, a.patience_s())]
        if silent:
            return f"Triton does not answer for {', '.join(silent)}"
        if time.monotonic() - began > LONGEST_SILENCE_S and not any(
            activity.waiting or activity.answered_after(began) for activity in active.values()
        ):
            return "pictures are not decoded"
        return None
