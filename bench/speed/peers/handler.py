"""What one writes first: a FastAPI handler around ONNX Runtime."""

import json
import sys
from typing import Annotated, Any

import uvicorn
from fastapi import FastAPI, Form, UploadFile

from bench.speed.peers import common

app = FastAPI()
network = common.session()


@app.post("/v1/pose")
def pose(image: UploadFile, boxes: Annotated[str, Form()]) -> dict[str, Any]:
    """Runs in FastAPI's pool of threads; ONNX Runtime takes all cores for each picture."""
    wanted = json.loads(boxes)
    return {"people": common.people(network, [image.file.read()] * len(wanted), wanted)}


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]), access_log=False)
