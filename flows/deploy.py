"""Deployments: the flow `curate` registered with a Prefect server, scheduled, its parameters checked."""

import asyncio
from contextlib import suppress
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
from prefect.schedules import Cron, Schedule
from prefect.types.entrypoint import EntrypointType

from flows.curate import curate
from schemas.errors import RecipeError


def schedule_of(cron: str | None, timezone: str) -> Schedule | None:
    """Return a schedule, or None for none. Raises RecipeError where it is no cron expression or no timezone."""
    try:
        ZoneInfo(timezone)
        return Cron(cron, timezone=timezone) if cron else None
    except (ValueError, ZoneInfoNotFoundError) as error:
        raise RecipeError(
            "--cron '{cron}' --timezone '{timezone}': {error}", cron=cron, timezone=timezone, error=str(error)
        ) from None


def register(name: str, parameters: dict[str, Any], *, pool: str, schedule: Schedule | None) -> None:
    """Register deployment `curate/NAME` on a work pool, which is made where it is missing.

    Runs of one deployment never overlap: a run that is due while another works waits for it.
    """
    asyncio.run(_register(name, parameters, pool, schedule))


async def _register(name: str, parameters: dict[str, Any], pool: str, schedule: Schedule | None) -> None:
    async with get_client() as client:
        try:
            await client.read_work_pool(pool)
        except ObjectNotFound:
            with suppress(ObjectAlreadyExists):  # a worker that starts makes its pool, too
                await client.create_work_pool(WorkPoolCreate(name=pool, type="process"))
    deployment = await curate.ato_deployment(
        name=name,
        parameters=parameters,
        schedule=schedule,
        concurrency_limit=ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.ENQUEUE),
        enforce_parameter_schema=True,
        entrypoint_type=EntrypointType.MODULE_PATH,
        tags=["yuliao"],
    )
    await deployment.aapply(work_pool_name=pool)
