"""`deephar batch`: the poses and actions of thousands of files, on this machine or on a cluster."""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from deephar.cli.connection import Connection, api_key, with_connection
from deephar.cli.exits import DONE, INPUT_FAILED, INTERRUPTED, Failure
from deephar.cli.inputs import STDIN
from deephar.cli.options import BOX, CAMERA, COUNT, with_model

if TYPE_CHECKING:
    from deephar.bulk.batch import Batch
    from deephar.bulk.options import BatchOptions

FORMATS = ("csv", "coco", "openpose", "mot", "trc")


@click.command(
    epilog="""\b
Examples:
  deephar batch photos/ -o results/
  deephar batch 'videos/**/*.mp4' -o results/ --events --parquet
  find /data -name '*.jpg' | deephar batch - -o results/ --csv
  deephar batch /shared/photos -o /shared/results --ray auto

The same command goes on where it was interrupted.
"""
)
@click.argument("source", metavar="FOLDER|LIST|PATTERN|-")
@click.option(
    "-o", "--output", type=click.Path(file_okay=False, path_type=Path), required=True, metavar="DIR",
    help="The results: DIR/results has a file for each input, DIR/errors.jsonl those that failed.",
)  # fmt: skip
@click.option("--csv", is_flag=True, help="Also a table of all joints.")
@click.option("--format", "formats", type=click.Choice(FORMATS), multiple=True, help="Also this format; repeatable.")
@click.option("--parquet", is_flag=True, help="Also Parquet: people and actions.")
@click.option("--annotated", is_flag=True, help="Also pictures and videos with the skeletons drawn in.")
@click.option("--events", is_flag=True, help="Of videos also the poses of the frames, and the actions of each window.")
@click.option("--box", "boxes", type=BOX, multiple=True, help="Of a person, the same in every file; repeatable.")
@click.option("--camera", type=CAMERA, help="Of all pictures, in pixels, and the pelvis' distance in mm.")
@click.option("--max-people", type=COUNT, default=0, metavar="N", help="Largest number, without boxes.")
@click.option("--min-score", type=click.FloatRange(0, 1), metavar="SCORE", help="Lowest score of a person, 0 to 1.")
@click.option("--flip", is_flag=True, help="Average with the mirrored picture: better, twice the work.")
@click.option("--all", "people", flag_value="all", default="main", help="In videos all people, not only the main one.")
@click.option("--hop", type=COUNT, default=0, metavar="N", help="Sampled frames between two windows.")
@click.option("--top-k", type=COUNT, default=0, metavar="N", help="How many actions to name.")
@click.option("--in-flight", type=COUNT, default=0, metavar="N", help="Files at a time; absent: as the service gains.")
@click.option("--retry-errors", is_flag=True, help="Try those in errors.jsonl again.")
@click.option("--wait", "wait_s", type=click.FloatRange(min=0), default=600.0, show_default=True, metavar="SECONDS",
              help="For a service that went away.")  # fmt: skip
@click.option("--ray", metavar="ADDRESS", help="Do it on this Ray cluster: auto, or host:port. DIR is shared.")
@click.option(
    "--serve", default="", metavar="COMMAND", help="With --ray: the service's program.  [default: deephar-serve]"
)
@click.option(
    "--triton-urls", "tritons", default="", metavar="URLS", help="With --ray: the Tritons of the services, by commas."
)
@click.option("--services", default="", metavar="ADDRESSES", help="With --ray: services that run already, by commas.")
@with_model
@with_connection
def batch(
    connection: Connection,
    source: str,
    output: Path,
    csv: bool,
    formats: tuple[str, ...],
    parquet: bool,
    in_flight: int,
    retry_errors: bool,
    wait_s: float,
    ray: str | None,
    serve: str,
    services: str,
    tritons: str,
    **options: Any,
) -> int:
    """Asks for thousands of pictures and videos.

    FOLDER is searched with all folders in it; LIST is a text file with a path on each line, and - one from stdin;
    PATTERN is as 'photos/**/*.jpg', in quotes.

    What was done is kept, whatever happens: the same command goes on with the rest.
    """
    from deephar.bulk.inputs import WrongSource
    from deephar.bulk.options import BatchOptions
    from deephar.bulk.output_folder import OtherBatch

    if not ray and (serve or tritons or services):
        raise click.UsageError("--serve, --services and --triton-urls are of --ray; without it --address is asked")
    wanted = BatchOptions(**options)
    formats = tuple(dict.fromkeys((*("csv",) * csv, *formats)))
    _check_extras(wanted, parquet, ray is not None)
    try:
        with _listed(source) as text, _begun(text, output, wanted, retry_errors) as work:
            if ray is None:
                _run_here(work, connection, in_flight, wait_s)
            else:
                how = {"in_flight": in_flight, "wait_s": wait_s, "serve": serve, "triton_urls": tritons}
                _run_on_cluster(work, connection, ray, services, **how)
            _export(work, formats, parquet)
            return INPUT_FAILED if len(work.errors) else DONE
    except (WrongSource, OtherBatch) as error:
        raise click.UsageError(str(error)) from None
    except Interrupted:
        return INTERRUPTED


class Interrupted(Exception):
    """Ctrl-C or SIGTERM came. What was finished is kept."""


@contextmanager
def _listed(source: str) -> Iterator[str]:
    """Gives the source; of stdin a copy, since it is gone through several times."""
    if source != STDIN:
        yield source
        return
    with tempfile.NamedTemporaryFile(prefix="deephar-", suffix=".list") as copy:
        shutil.copyfileobj(sys.stdin.buffer, copy)
        copy.flush()
        yield copy.name


@contextmanager
def _begun(source: str, output: Path, options: BatchOptions, retry_errors: bool) -> Iterator[Batch]:
    """Gives the batch, with its folder for itself; at the end it says what was done and how to go on."""
    from deephar.bulk.batch import Batch
    from deephar.bulk.error_list import ErrorList
    from deephar.bulk.inputs import Source
    from deephar.bulk.output_folder import OutputFolder
    from deephar.bulk.progress import Progress

    inputs, folder = Source(source, without=output), OutputFolder(output)
    with folder.owned(options.fingerprint(inputs.root)), closing(ErrorList(folder, retry_errors)) as errors:
        progress = Progress()
        work = Batch(inputs, folder, options, errors, progress)
        try:
            with progress:
                yield work
        except BaseException:
            progress.tell(f"{progress.summary()}; the same command goes on with the rest")
            raise
        progress.tell(progress.summary())
        if len(errors):
            progress.tell(f"{len(errors):,} without a result: {errors.path} says why; --retry-errors tries them again")


def _run_here(work: Batch, connection: Connection, in_flight: int, wait_s: float) -> None:
    from deephar.bulk import local
    from deephar.bulk.asking import Service

    where = connection.address
    address = where.url if where.is_rest else f"grpc{'s' * where.is_encrypted}://{where.target}"
    try:
        service = Service(address, api_key() or None, connection.ca)
        asyncio.run(local.run(work, service, in_flight, wait_s))
    except (local.Interrupted, KeyboardInterrupt):
        raise Interrupted from None


def _run_on_cluster(work: Batch, connection: Connection, address: str, services: str, **how: Any) -> None:
    from deephar.bulk import ray_job

    given = tuple(part.strip() for part in services.split(",") if part.strip())
    cluster = ray_job.Cluster(address, given, api_key=api_key() or None, ca=connection.ca, **how)
    try:
        ray_job.run(work, cluster)
    except KeyboardInterrupt:
        raise Interrupted from None


def _export(work: Batch, formats: tuple[str, ...], parquet: bool) -> None:
    """Makes what is wanted of all results."""
    from deephar.formats import FormatError

    if parquet:
        from deephar.bulk.parquet import write_parquet

        work.progress.tell(f"written: {write_parquet(work.output, (input.id for input in work.finished()))}")
    for name in formats:
        from deephar.bulk.exports import write_format

        try:
            written = write_format(work.output, name, work.finished)
        except FormatError as error:
            raise Failure(str(error)) from None
        work.progress.tell(f"written: {', '.join(map(str, written))}")


def _check_extras(options: BatchOptions, parquet: bool, cluster: bool) -> None:
    """Raises `Failure` where something is not installed that is needed at the end."""
    wanted = {"parquet": ("pyarrow", parquet), "draw": ("cv2", options.annotated), "ray": ("ray", cluster)}
    for extra, (module, is_wanted) in wanted.items():
        if is_wanted and find_spec(module) is None:
            raise Failure(f'{module} is not installed, which this needs: pip install "deephar-client[{extra}]"')
