"""Who stages the scenes: processes of this machine, or the machines of a Ray cluster.

An engine takes jobs and yields each of them once, in any order, with None or with what is wrong with its scene. All
results are in the staging folder, so it makes no difference which engine, or which mixture of them, worked there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from spaceland.datasets.stage import SceneJob, stage_scene
from spaceland.errors import OutputError, SourceError, SpacelandError, require
from spaceland.processes import in_processes

Engine = Callable[[Sequence[SceneJob]], Iterator[tuple[SceneJob, str | None]]]
_RETRIES = 3
"""How often Ray repeats a scene whose worker died."""


def local_engine(workers: int) -> Engine:
    """Processes of this machine. Output errors end the run: no other scene could be written either."""

    def run(jobs: Sequence[SceneJob]) -> Iterator[tuple[SceneJob, str | None]]:
        yield from in_processes(stage_or_explain, jobs, workers)

    return run


def ray_engine(address: str | None = None, queue: int = 1000) -> Engine:
    """The machines of a Ray cluster, one task for each scene; all of them see the same dataset folder and sources.

    Args:
        address: Of the cluster, such as "auto" or "ray://head:10001"; by default RAY_ADDRESS, else a new local cluster.
        queue: Tasks given to Ray at a time; the others wait here, so that memory stays flat.

    Raises:
        DependencyError: Ray is not installed.
        SourceError: no cluster answers at the address.
    """
    require("ray", "ray")
    import ray

    def run(jobs: Sequence[SceneJob]) -> Iterator[tuple[SceneJob, str | None]]:
        started_here = not ray.is_initialized()
        if started_here:
            try:
                ray.init(address=address, log_to_driver=False, configure_logging=False)
            except (ConnectionError, ValueError, RuntimeError) as error:
                raise SourceError(f"no Ray cluster at {address or 'RAY_ADDRESS'} ({error})") from error
        try:
            # A worker that dies with its machine is replaced elsewhere; errors of our own are final.
            task = ray.remote(num_cpus=1, max_retries=_RETRIES)(stage_or_explain)
            running: dict[Any, SceneJob] = {}
            for job in jobs:
                running[task.remote(job)] = job
                if len(running) >= queue:
                    yield from _ready(ray, running)
            while running:
                yield from _ready(ray, running)
        finally:
            if started_here:
                ray.shutdown()

    return run


def _ready(ray: Any, running: dict[Any, SceneJob]) -> Iterator[tuple[SceneJob, str | None]]:
    """What has finished; a scene whose worker died again and again is reported, not the end of the run."""
    done, _ = ray.wait(list(running), num_returns=1)
    for reference in done:
        job = running.pop(reference)
        try:
            yield job, ray.get(reference)
        except ray.exceptions.RayTaskError as error:
            raise error.as_instanceof_cause() from None
        except ray.exceptions.RayError as error:
            yield job, f"its worker died {_RETRIES + 1} times ({type(error).__name__})"


def stage_or_explain(job: SceneJob) -> str | None:
    """Stage a scene; what is wrong with it, or None."""
    try:
        stage_scene(job)
    except OutputError:
        raise
    except SpacelandError as error:
        return str(error)
    return None
