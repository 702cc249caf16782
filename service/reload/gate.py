"""The gate: it decides whether a new generation may answer, by the judged queries and its time in the shadow."""

import asyncio
from collections.abc import Sequence

from service.errors import CheckpointRefused
from service.generations.generation import Generation
from service.generations.generations import Generations
from service.observability.observer import Observer
from service.reload.balancing import Balancing
from service.reload.job import Job, Shadowed
from service.reload.jobs import Jobs
from service.reload.judge import Judge
from service.reload.judged import Verdict
from service.reload.order import Order
from service.reload.shadow import Comparison, Shadow


class Gate:
    """Judges the generation of one job at a time. `orders` to activate it end its time in the shadow."""

    def __init__(
        self,
        *,
        judge: Judge,
        balancing: Balancing,
        shadow: Shadow,
        generations: Generations,
        jobs: Jobs,
        observer: Observer,
    ) -> None:
        self._judge = judge
        self._balancing = balancing
        self._shadow = shadow
        self._generations = generations
        self._jobs = jobs
        self._observer = observer
        self.orders: asyncio.Queue[Order] = asyncio.Queue()

    async def require_judgements(self) -> None:
        """Raise CheckpointRefused if there are judgements, and none that a generation can be judged by."""
        verdict = await asyncio.to_thread(self._judge.unusable)
        if verdict is not None:
            raise verdict.refusal()

    async def balance(self, generation: Generation) -> Generation:
        """Return `generation` with the weights of its hybrid searches, with which it is judged and answers."""
        balanced = await self._balancing.balanced(generation)
        self._observer.step("reload.balanced")
        return balanced

    async def balance_active(self) -> bool:
        """Give the active generation the weights of one collection that has none, or has outgrown them.

        Returns whether there was such a collection. Raises InstarError if they cannot be found or recorded now.
        """
        generation = self._generations.acquire()
        collection = await asyncio.to_thread(self._balancing.next_collection, generation)
        if collection is None:
            return False
        balance = await self._balancing.find(generation, collection)
        await self._generations.weigh(generation.number, {**generation.record.weights, collection: balance})
        return True

    async def judge(
        self, job: Job, generation: Generation, warned: Sequence[str], *, force: bool
    ) -> CheckpointRefused | None:
        """Compare `generation` with the active one; returns the reason not to activate it, or None.

        With `force` the reason becomes a warning of the job. A job may be judged several times: `warned` are its
        warnings from before, which stay.
        """
        verdict = await self._judge.judge(self._generations.acquire(), generation)
        self._observer.step("reload.judged")
        job.warnings = list(warned)
        return note_verdict(job, verdict, force=force)

    async def stay_in_shadow(self, job: Job, generation: Generation, share: float, warned: Sequence[str]) -> None:
        """Keep `generation` in the shadow until there is an order to activate it, and the judgement allows that."""
        shadowed = job.shadowed = job.shadowed or Shadowed()

        def note(compared: Comparison | None) -> None:
            shadowed.count(compared)
            if compared is None:
                self._observer.shadow_skipped()
            else:
                self._observer.shadow_compared(compared.overlap, compared.active_seconds, compared.shadow_seconds)

        self.orders = asyncio.Queue()
        await self._generations.show(generation)
        await self._jobs.enter(job, "shadow")
        with self._shadow.shadowing(generation, share, note):
            while True:
                order = await self.orders.get()
                # Documents and judgements may have changed since.
                refusal = await self.judge(job, generation, warned, force=order.force)
                if refusal is None:
                    job.by = order.by
                    order.accept()
                    return
                order.refuse(refusal)


def note_verdict(job: Job, verdict: Verdict, *, force: bool) -> CheckpointRefused | None:
    """Note the verdict in the job; returns the reason to refuse it, or None. With `force` that is a warning instead."""
    job.judged = verdict.judged
    if verdict.warning is not None:
        job.warn(verdict.warning)
    if verdict.objection is not None and force:
        job.warn(f"force lets it answer all the same: {verdict.objection}")
    elif verdict.objection is not None and job.shadow is not None:
        job.warn(f"POST /admin/activate refuses it as it is: {verdict.objection}")
    return None if force or verdict.objection is None else verdict.refusal()
