"""Fetches the previews of many tracks at once; a kill at any moment spoils nothing."""

import asyncio
import collections
import dataclasses
from collections.abc import Callable, Iterator, Sequence

import httpx
from tqdm import tqdm

from tagjax.previews.client import Client, ClientConfig
from tagjax.previews.ledger import FAILED, FOUND, NO_DATA, NO_PREVIEW, Ledger, Record
from tagjax.previews.limiter import Limiter

_POLL = 0.1
"""Seconds between two checks whether to stop."""


@dataclasses.dataclass(frozen=True)
class FetchConfig:
    """How tracks are fetched.

    Attributes:
      client: how a single track is fetched.
      rate: largest number of requests to the API in `per` seconds; requests for audio do not
        count.
      per: the period of `rate`, seconds.
      concurrency: number of tracks that are fetched at once.
      give_up_after: number of tracks in a row whose failure ends the run.
      give_up_pauses: number of pauses in a row, because of the quota, that a run endures.
      grace: seconds that the tracks in progress may still take when the run is to stop.
    """

    client: ClientConfig = ClientConfig()
    rate: float = 50.0
    per: float = 5.0
    concurrency: int = 16
    give_up_after: int = 50
    give_up_pauses: int = 12
    grace: float = 3.0


def unfinished(ids: Sequence[str], ledger: Ledger) -> list[str]:
    """The ids whose audio is still to be fetched."""
    return [sng_id for sng_id in ids if not ledger.is_final(sng_id)]


def fetch(
    ids: Sequence[str],
    ledger: Ledger,
    config: FetchConfig | None = None,
    asked: Callable[[], int] = int,
) -> str:
    """Fetches the audio of tracks into the ledger's folder, unless it is there already.

    Args:
      ids: ids of the tracks, each once.
      ledger: the ledger of the audio folder, which gets a record of each track that was reached.
      config: how to fetch; None for the defaults.
      asked: says whether to stop, and is called all the time. On a stop no further track is begun,
        and the tracks in progress get `grace` seconds.

    Returns:
      The reason if it gave up before the last track, else "".

    Raises:
      OSError: the audio or the ledger could not be written.
    """
    return asyncio.run(_fetch(ids, ledger, config or FetchConfig(), asked))


@dataclasses.dataclass
class _Run:
    """The state that the workers share."""

    todo: Iterator[str]
    bar: tqdm
    counts: collections.Counter[str]
    stopping: bool = False
    gave_up: str = ""
    failed: int = 0

    def add(self, record: Record, config: FetchConfig) -> None:
        """Counts a finished track; many failures in a row end the run."""
        self.counts[record.status] += 1
        self.failed = self.failed + 1 if record.status == FAILED else 0
        if self.failed == config.give_up_after:
            self.gave_up = f"the last {self.failed} tracks failed ({record.reason})"
        named = (f"{self.counts[s]} {s}" for s in (FOUND, NO_PREVIEW, NO_DATA, FAILED))
        self.bar.set_postfix_str(", ".join(named), refresh=False)
        self.bar.update()


async def _fetch(
    ids: Sequence[str], ledger: Ledger, config: FetchConfig, asked: Callable[[], int]
) -> str:
    todo = unfinished(ids, ledger)
    done = len(ids) - len(todo)
    limiter = Limiter(config.rate, config.per)
    counts = collections.Counter(
        record.status for record in map(ledger.records.get, ids) if record is not None
    )
    counts[FAILED] = 0  # These are fetched again.
    with tqdm(
        total=len(ids), initial=done, desc="previews", unit=" tracks", mininterval=1.0
    ) as bar:
        run = _Run(iter(todo), bar, counts)
        async with httpx.AsyncClient(
            timeout=None,  # The client limits the time of a whole request.
            limits=httpx.Limits(max_keepalive_connections=config.concurrency),
            follow_redirects=True,
            headers={"User-Agent": "tagjax"},
        ) as http:
            client = Client(http, limiter, config.client)
            workers = min(config.concurrency, len(todo))
            tasks = {
                asyncio.create_task(_work(run, client, ledger, config)) for _ in range(workers)
            }
            await _supervise(tasks, run, limiter, config, asked)
    return run.gave_up


async def _work(run: _Run, client: Client, ledger: Ledger, config: FetchConfig) -> None:
    for sng_id in run.todo:
        record, body = await client.fetch(sng_id)
        if body:
            await asyncio.to_thread(ledger.store, record, body)
        else:
            ledger.append(record)
        run.add(record, config)
        if run.stopping or run.gave_up:
            return


async def _supervise(
    tasks: set[asyncio.Task],
    run: _Run,
    limiter: Limiter,
    config: FetchConfig,
    asked: Callable[[], int],
) -> None:
    """Waits for the workers, but only `grace` seconds longer once the run is to stop."""
    loop = asyncio.get_running_loop()
    deadline = float("inf")
    while tasks:
        finished, tasks = await asyncio.wait(
            tasks, timeout=_POLL, return_when=asyncio.FIRST_COMPLETED
        )
        for task in finished:
            if not task.cancelled():
                task.result()
        if limiter.waiting >= 1.0:
            run.bar.set_postfix_str(f"the quota is used up: going on in {limiter.waiting:.0f} s")
        if limiter.level > config.give_up_pauses and not run.gave_up:
            run.gave_up = f"the quota is used up, after {config.give_up_pauses} pauses too"
        if not run.stopping and (asked() or run.gave_up):
            run.stopping, deadline = True, loop.time() + config.grace
        if loop.time() > deadline:
            for task in tasks:
                task.cancel()
