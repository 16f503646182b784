#!/usr/bin/env python3
"""Deterministic synthetic weights and inputs for the golden data.

Needs numpy and h5py only.  Three commands:

  weights SPEC.json OUT.h5     write a Keras-2 style HDF5 weight file
  input   OUTPUTS.json OUT.npz write the network inputs of one golden run
  check   SPEC.json FILE.h5    compare a weight file with the rule

How a value is made
-------------------
Every array depends only on its full HDF5 path ("<group>/<weight name>", for
example "Stem/conv2d_1/kernel:0") and on its shape:

    seed = first 8 bytes of sha256(path as UTF-8), big endian
    u    = numpy.random.Generator(numpy.random.PCG64(seed)).random(shape)
           (float64 in [0, 1), C order)

    kernel              (2u - 1) * sqrt(3 * gain / fan_in)
    bias, beta, moving_mean
                        (2u - 1) * sqrt(3) * 0.1
    gamma, moving_variance
                        0.5 + u

Only +, *, / and sqrt of doubles are used, so the float32 result is the same
bit for bit everywhere.  fan_in is kh * kw for a depthwise kernel and the
product of all but the last dimension for every other kernel.  kind and gain
are written in the spec next to the shape; the gain keeps the activations in a
useful range (heat maps neither flat nor one-hot).

Some kernels are no free parameters: the soft-argmax ramps, the identity
matrices that go with them and the context summing matrix.  Their "kind" in
the spec starts with "fixed_" and they are built by fixed_array().
"""

import argparse
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Description = Mapping[str, Any]  # a parsed spec/<net>.json or outputs/<net>.json


def rng_for(text: str) -> np.random.Generator:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:8], "big")))


def fixed_array(kind: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
    out = np.zeros(shape, dtype=np.float64)
    if kind == "fixed_ramp_x":  # (rows, cols, C, 1), 0..1 over columns
        out[...] = np.linspace(0.0, 1.0, shape[1])[None, :, None, None]
    elif kind == "fixed_ramp_y":  # (rows, cols, C, 1), 0..1 over rows
        out[...] = np.linspace(0.0, 1.0, shape[0])[:, None, None, None]
    elif kind == "fixed_identity":  # (1, 1, C, C)
        out[0, 0] = np.eye(shape[2])
    elif kind == "fixed_ramp_z":  # (D, C, C), 0..1 over depth, diagonal
        out[...] = np.linspace(0.0, 1.0, shape[0])[:, None, None] * np.eye(shape[1])
    elif kind == "fixed_context_sum":  # (J * K, J): K neighbours per joint
        per = shape[0] // shape[1]
        out[...] = np.repeat(np.eye(shape[1]), per, axis=0)
    else:
        raise ValueError("unknown kind " + kind)
    return out


def make_array(path: str, shape: Sequence[int], kind: str, gain: float = 1.0) -> NDArray[np.float32]:
    shape = tuple(shape)
    if kind.startswith("fixed_"):
        return fixed_array(kind, shape).astype(np.float32)
    u = rng_for(path).random(shape)
    if kind in ("kernel", "depthwise_kernel"):
        fan_in = shape[0] * shape[1] if kind == "depthwise_kernel" else int(np.prod(shape[:-1]))
        out = (2.0 * u - 1.0) * np.sqrt(3.0 * gain / fan_in)
    elif kind in ("bias", "beta", "moving_mean"):
        out = (2.0 * u - 1.0) * (np.sqrt(3.0) * 0.1)
    elif kind in ("gamma", "moving_variance"):
        out = 0.5 + u
    else:
        raise ValueError("unknown kind " + kind)
    made: NDArray[np.float32] = out.astype(np.float32)
    return made


def iter_arrays(spec: Description) -> Iterator[tuple[str, str, NDArray[np.float32]]]:
    for group in spec["groups"]:
        for w in group["weights"]:
            path = group["name"] + "/" + w["name"]
            yield group["name"], w["name"], make_array(path, w["shape"], w["kind"], w.get("gain", 1.0))


def weights_digest(spec: Description) -> str:
    h = hashlib.sha256()
    for _, _, a in iter_arrays(spec):
        h.update(np.ascontiguousarray(a).tobytes())
    return h.hexdigest()


def write_h5(spec: Description, filename: str | Path) -> None:
    import h5py

    with h5py.File(filename, "w") as f:
        f.attrs["layer_names"] = [g["name"].encode("utf8") for g in spec["groups"]]
        f.attrs["backend"] = b"tensorflow"
        f.attrs["keras_version"] = b"2.1.4"
        for group in spec["groups"]:
            g = f.create_group(group["name"])
            g.attrs["weight_names"] = [w["name"].encode("utf8") for w in group["weights"]]
            for w in group["weights"]:
                path = group["name"] + "/" + w["name"]
                g.create_dataset(w["name"], data=make_array(path, w["shape"], w["kind"], w.get("gain", 1.0)))


def upsample(a: NDArray[np.float64], axis: int, size: int) -> NDArray[np.float64]:
    """Linear interpolation along one axis, end points kept."""
    n = a.shape[axis]
    pos = np.arange(size) * ((n - 1) / (size - 1)) if size > 1 else np.zeros(1)
    i0 = np.minimum(pos.astype(int), max(n - 2, 0))
    t = (pos - i0).reshape([-1 if k == axis else 1 for k in range(a.ndim)])
    i1 = np.minimum(i0 + 1, n - 1)
    between: NDArray[np.float64] = np.take(a, i0, axis) * (1 - t) + np.take(a, i1, axis) * t
    return between


def make_input(name: str, shape: Sequence[int]) -> NDArray[np.float32]:
    """Smooth random image (H, W, 3) or clip (T, H, W, 3) in [-1, 1].

    A coarse grid of uniform values (9 x 9 cells; 3 key frames for a clip) is
    interpolated linearly to full size and a little pixel noise is added.  The
    generator is seeded with the name, as for the weights; the grid is drawn
    first, then the noise.
    """
    rng = rng_for(name)
    shape = tuple(shape)
    coarse = (3, 9, 9, 3) if len(shape) == 4 else (9, 9, 3)
    x = 3.0 * rng.random(coarse) - 1.5
    for axis in range(len(shape) - 1):
        x = upsample(x, axis, shape[axis])
    x = x + (0.4 * rng.random(shape) - 0.2)
    return np.clip(x, -1.0, 1.0).astype(np.float32)


def make_inputs(desc: Description) -> dict[str, NDArray[np.float32]]:
    """desc: the parsed outputs/<net>.json; returns {name: batched array}."""
    return {
        run["name"]: np.stack([make_input(n, desc["sample_shape"]) for n in run["samples"]]) for run in desc["runs"]
    }


def main() -> None:
    ap = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    sub = ap.add_subparsers(dest="cmd", required=True)
    for cmd, names in (("weights", ("spec", "out")), ("input", ("outputs", "out")), ("check", ("spec", "file"))):
        p = sub.add_parser(cmd)
        for n in names:
            p.add_argument(n)
    args = ap.parse_args()

    if args.cmd == "input":
        with open(args.outputs) as fid:
            desc = json.load(fid)
        arrays: dict[str, Any] = make_inputs(desc)
        for run in desc["runs"]:
            digest = hashlib.sha256(np.ascontiguousarray(arrays[run["name"]]).tobytes()).hexdigest()
            print(run["name"], arrays[run["name"]].shape, "ok" if digest == run["input_sha256"] else "DIFFERENT")
        np.savez(args.out, **arrays)
        return

    with open(args.spec) as fid:
        spec = json.load(fid)
    if args.cmd == "weights":
        write_h5(spec, args.out)
        print(args.out, "ok" if weights_digest(spec) == spec.get("weights_sha256") else "DIFFERENT")
    else:
        import h5py

        worst = 0.0
        with h5py.File(args.file, "r") as f:
            for group, name, a in iter_arrays(spec):
                worst = max(worst, float(np.abs(f[group][name][()] - a).max()))
        print("largest difference", worst)


if __name__ == "__main__":
    main()
