"""Deployments of a module's flows, in a process pool: any machine that has lab2mqtt runs them."""

from dataclasses import asdict
import importlib

from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import WorkPool
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
from prefect.types.entrypoint import EntrypointType
from prefect.workers.process import ProcessWorker

from lab2mqtt import wire
from lab2mqtt.core.errors import Misconfigured
from lab2mqtt.prefect.patience import VARIABLE, Patience
from lab2mqtt.prefect.task_flow import TaskFlow
from lab2mqtt.runtime.address import Broker

PACKAGED = {"plate-resort": "lab2mqtt.prefect.plate_resort", "ot2": "lab2mqtt.prefect.ot2"}


def load(what: str) -> list[TaskFlow[...]]:
    """The flows of a module.

    Args:
        what: A device of which lab2mqtt has a module, or the import path of one's own.

    Raises:
        Misconfigured: There is no such module, or it has no flows of a device.
    """
    path = PACKAGED.get(what, what)
    own = (
        f"make one by `lab2mqtt prefect module {what} > my_flows.py`, and `lab2mqtt prefect deploy my_flows`"
    )
    try:
        found = importlib.import_module(path)
    except ModuleNotFoundError as missing:
        if missing.name and not (path == missing.name or path.startswith(f"{missing.name}.")):
            raise
        raise Misconfigured(
            f"there is no module {path!r} that Python can import here, and lab2mqtt has none but for "
            f"{', '.join(PACKAGED)}; {own}"
        ) from None
    flows = [one for one in vars(found).values() if isinstance(one, TaskFlow)]
    if not flows:
        raise Misconfigured(f"{path} has no flows of a device; {own}")
    return flows


async def deploy(
    flows: list[TaskFlow[...]], pool: str, broker: Broker, base: str, patience: Patience
) -> list[str]:
    """Make the pool if it is missing, and the deployments; gives their full names.

    What workers are told: the broker's address, never a password. That is $LAB2MQTT_PASSWORD of the worker.

    Raises:
        Misconfigured: There is a pool of that name and of another type.
    """
    environment = {"LAB2MQTT_BROKER": str(broker)}
    if base != wire.DEFAULT_BASE:
        environment["LAB2MQTT_BASE"] = base
    for name, seconds in asdict(patience).items():
        if seconds != getattr(Patience(), name):
            environment[VARIABLE.format(name.upper())] = f"{seconds:g}"
    async with get_client() as client:
        found = await _pool(client, pool)
        if found.type != ProcessWorker.type:
            raise Misconfigured(
                f"the pool {pool!r} is of the type {found.type!r}, and not {ProcessWorker.type!r}"
            )
    names = []
    for one in flows:
        made = await one.ato_deployment(
            one.deployment,
            work_pool_name=pool,
            description=one.description,
            tags=["lab2mqtt", one.device],
            job_variables={"env": environment},
            entrypoint_type=EntrypointType.MODULE_PATH,
        )
        await made.aapply()
        names.append(f"{one.name}/{made.name}")
    return names


async def _pool(client: PrefectClient, name: str) -> WorkPool:
    try:
        return await client.read_work_pool(name)
    except ObjectNotFound:
        template = ProcessWorker.get_default_base_job_template()
        wanted = WorkPoolCreate(name=name, type=ProcessWorker.type, base_job_template=template)
        try:
            return await client.create_work_pool(wanted)
        except ObjectAlreadyExists:
            return await client.read_work_pool(name)
