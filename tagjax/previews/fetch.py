"""Previews of many tracks at once, in an order that a kill at any moment does not spoil."""

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
"""Seconds between two looks at whether to stop."""


@dataclasses.dataclass(frozen=True)
class FetchConfig:
    """How tracks are fetched.

    Attributes:
      client: how one is.
      rate: requests to the API in `per` seconds, at most; audio is not counted.
      per: seconds.
      concurrency: tracks at once.
      give_up_after: so many tracks in a row fail: there is no point in going on now.
      give_up_pauses: so many pauses for the quota in a row, likewise.
      grace: seconds that tracks on their way get when the run is to stop.
    """

    client: ClientConfig = ClientConfig()
    rate: float = 50.0
    per: float = 5.0
    concurrency: int = 16
    give_up_after: int = 50
    give_up_pauses: int = 12
    grace: float = 3.0


def unfinished(ids: Sequence[str], ledger: Ledger) -> list[str]:
    """The ids that there is something to fetch for."""
    return [sng_id for sng_id in ids if not ledger.is_final(sng_id)]


def fetch(
    ids: Sequence[str],
    ledger: Ledger,
    config: FetchConfig | None = None,
    asked: Callable[[], int] = int,
) -> str:
    """Fetches the audio of tracks into the ledger's folder, what is there already excepted.

    Args:
      ids: of the tracks, each once.
      ledger: of the audio folder; has a record of every track that was reached.
      config: how.
      asked: whether to stop; it is asked all the time, and if so, tracks on their way get
        `grace` seconds and no further one is begun.

    Returns:
      Why it gave up before the last track, or "".

    Raises:
      OSError: audio or ledger could not be written.
    """
    return asyncio.run(_fetch(ids, ledger, config or FetchConfig(), asked))


@dataclasses.dataclass
class _Run:
    """What the workers share."""

    todo: Iterator[str]
    bar: tqdm
    counts: collections.Counter[str]
    stopping: bool = False
    gave_up: str = ""
    failed: int = 0

    def add(self, record: Record, config: FetchConfig) -> None:
        """Counts a finished track; many failed ones in a row end the run."""
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
            timeout=None,  # Of a whole request, by the client.
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
    """Waits for the workers; when the run is to stop, for `grace` seconds and no more."""
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
