"""The gate's five promises (docs/reliability.md), each checked on what really happened in a run."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from sandbox import eventbridge
from sandbox.account import ACCOUNT, REGION
from sandbox.clock import utcnow
from sandbox.codepipeline.execution import PipelineExecution
from sandbox.codepipeline.jobs import Job
from sandbox.world import Dials
from tests.simulation.calls import SECRET
from tests.simulation.people import PREFIX
from tests.simulation.record import Answer, Record, Start, asked
from tests.simulation.weather import PERMANENT

MOMENT = timedelta(milliseconds=1)
RUNNING = ("InProgress", "Stopping")


def broken(record: Record, dials: Dials) -> list[str]:
    """The promises that a run, which ends now, broke: as sentences."""
    return [*safe(record), *live(record, utcnow(), dials.rule_warmup), *clean(record), *once(record, dials.token_memory), *answered(record)]


def safe(record: Record) -> Iterator[str]:
    """The gate never reports success while an execution of an upstream runs, as the answers it read stood."""
    for job_id, answer in record.answers.items():
        job = record.job(job_id)
        if not answer.success or job is None:
            continue
        for upstream in asked(job)["depends_on"]:
            read = answer.turn.read.get(upstream, {})
            if upstream not in answer.turn.complete:
                yield f"Safe: {record.whose(job_id)} passed though the gate had not read all executions of {upstream}"
            for execution, (status, _) in read.items():
                if status in RUNNING:
                    yield f"Safe: {record.whose(job_id)} passed though the gate had read that {upstream} {execution[:8]} is {status}"


def live(record: Record, end: datetime, warmup: timedelta) -> Iterator[str]:
    """Every held execution is followed by a newer one (in PARALLEL mode, its own restart with its variables and revisions), at the
    latest retry_minutes + 1 minute after the upstreams are idle and AWS answers.
    """
    for held, answers in holds(record).items():
        execution, latest = record.executions[held], answers[-1]
        if _excused(record, execution, latest):
            continue
        # Two gates of one execution share its rule: the one that made it last says how often it fires, and for whom.
        orders = [asked(job) for job in record.jobs() if job.action.execution is execution]
        minutes = max(order["retry_minutes"] for order in orders)
        upstreams = {name for order in orders for name in order["depends_on"]}
        released = _released(record, execution)
        busy = [piece for name in upstreams for piece in [*record.busy(name), *record.held(name)]]
        since = latest.at + warmup
        quiet = {since, *(ended for _, ended in busy if ended is not None), *(trouble + MOMENT for trouble in record.troubles)}
        for begins in sorted(moment for moment in quiet if moment >= since):
            until = begins + timedelta(minutes=minutes + 1)
            if until > end or (released is not None and released <= until):
                break
            idle = not any(begun <= until and (ended is None or ended > begins) for begun, ended in busy)
            if idle and not any(begins <= trouble <= until for trouble in record.troubles):
                what = f"started again at {released:%d %H:%M:%S}" if released else "never started again"
                yield (
                    f"Live: {execution.pipeline_name} {held[:8]}, held since {latest.at:%d %H:%M:%S}, {what}, though "
                    f"{', '.join(sorted(upstreams))} idle and AWS answers since {begins:%d %H:%M:%S}, and retry_minutes is {minutes}"
                )
                break
    yield from _faithful(record)


def holds(record: Record) -> dict[str, list[Answer]]:
    """The answers that held an execution ("k8s waits for infra since ..."), by the execution's id."""
    found: dict[str, list[Answer]] = {}
    for job_id, answer in record.answers.items():
        job = record.job(job_id)
        if job is not None and _is_hold(job, answer):
            found.setdefault(job.action.execution.id, []).append(answer)
    return found


def _is_hold(job: Job, answer: Answer) -> bool:
    return not answer.success and answer.text.startswith(f"{job.action.execution.pipeline_name} waits for ")


def _excused(record: Record, execution: PipelineExecution, held: Answer) -> bool:
    """Nobody waits for this restart any more: its pipeline was deleted, its rule removed by a person (as the message says one may),
    the execution itself was stopped, or its stage retried by a person after it was held.
    """
    return (
        execution.pipeline_name in record.deleted
        or execution.id in record.released
        or execution.status != "Failed"
        or any(one.execution == execution.id and one.state == "RESUMED" and one.at >= held.at for one in record.changes)
    )


def _released(record: Record, held: PipelineExecution) -> datetime | None:
    """When it was followed by a newer execution, or in PARALLEL mode by its own restart."""
    if held.mode == "PARALLEL":
        return next((start.at for start in record.starts if start.turn.held == held.id), None)
    history = record.pipelines[held.pipeline_name].history
    return history[held.number + 1].started if held.number + 1 < len(history) else None


def _faithful(record: Record) -> Iterator[str]:
    """A restart has the held execution's variables, as far as the pipeline still declares them, and in PARALLEL mode its revisions."""
    for start in record.starts:
        held = record.executions.get(start.turn.held)
        if held is None:
            continue
        new = start.execution
        for name, value in held.variables.items():
            if name in new.variables and new.variables[name] != value:
                yield f"Live: {start.pipeline} {new.id[:8]}, restart of {held.id[:8]}, has {name}={new.variables[name]}, not {value}"
        if held.mode == "PARALLEL":
            for action, revision in held.revisions.items():
                if action in new.revisions and new.revisions[action].id != revision.id:
                    yield f"Live: {start.pipeline} {new.id[:8]}, restart of {held.id[:8]}, took another revision of {action}"


def clean(record: Record) -> Iterator[str]:
    """When all is idle, no rule of the gate is left that has a target."""
    running = [
        f"{name} {one.id[:8]}" for name, pipeline in record.pipelines.items() if not pipeline.deleted for one in pipeline.running.values()
    ]
    if running:
        yield f"Clean: it never comes to rest: {', '.join(running)} still running"
    for name, rule in eventbridge.backend(ACCOUNT, REGION).event_buses["default"].rules.items():
        if name.startswith(PREFIX) and rule.targets:
            yield f"Clean: the rule of {name[-36:-28]} is left with its target"


def once(record: Record, memory: timedelta | None) -> Iterator[str]:
    """A hold starts its pipeline at most once, and only while it stands: never when a newer execution exists (PARALLEL aside), never
    while an upstream runs, never for an execution that the gate let pass. `memory`: how long AWS remembers a clientRequestToken.
    """
    first: dict[str, Start] = {}
    for start in record.starts:
        turn, pipeline = start.turn, start.pipeline
        held = record.executions.get(turn.held)
        if held is None or held.pipeline_name != pipeline:
            yield f"Once: {pipeline} {start.execution.id[:8]} was started by the hold of {turn.held[:8]}, which is none of its executions"
            continue
        what = f"{pipeline} {held.id[:8]} was started again as {start.execution.id[:8]}"
        before = first.setdefault(held.id, start)
        if before is not start and not (_has_twin(record, held) and memory is not None and start.at - before.at >= memory):
            yield f"Once: {what}, after it had been as {before.execution.id[:8]}"
        read = start.read.get(pipeline, {})
        if read.get(held.id, ("unread", 0))[0] != "Failed":
            yield f"Once: {what}, though the retry had read that it is {read.get(held.id, ('unread', 0))[0]}"
        if turn.at_start is not None and turn.at_start.passed and turn.at_start.status == "Failed":
            yield f"Once: {what}, though the gate had let it pass"
        if held.mode != "PARALLEL":
            newest = max(read.items(), key=lambda item: item[1][1], default=(held.id, ("", 0.0)))[0]
            if newest != held.id and read[newest][1] > read.get(held.id, ("", 0.0))[1]:
                yield f"Once: {what}, though the retry had read of the newer {newest[:8]}, which is {read[newest][0]}"
            elif turn.at_start is not None and turn.at_start.newer:
                yield f"Once: {what}, though the newer {turn.at_start.newer[0][:8]} existed"
        yield from _early(record, start, what)


def _has_twin(record: Record, held: PipelineExecution) -> bool:
    """In PARALLEL mode, another execution that took the same revisions: the restarts of the two cannot be told apart, and only the
    clientRequestToken keeps a hold whose rule could not be removed from a second start (docs/reliability.md, "What is not promised").
    """
    restarts = {start.execution.id for start in record.starts if start.turn.held == held.id}
    took = {action: revision.id for action, revision in held.revisions.items()}
    return held.mode == "PARALLEL" and any(
        {action: revision.id for action, revision in other.revisions.items()} == took
        for other in record.pipelines[held.pipeline_name].history
        if other is not held and other.id not in restarts
    )


def _early(record: Record, start: Start, what: str) -> Iterator[str]:
    """It saw that an upstream of its hold runs, or did not look."""
    told = _kept_upstreams(record, start)
    for upstream in told:
        gone = record.deleted.get(upstream)
        if gone is not None and gone <= start.at:
            continue  # a deleted upstream counts as idle, whatever an earlier look of the same turn had read
        if any(status in RUNNING for status, _ in start.read.get(upstream, {}).values()):
            yield f"Once: {what}, though the retry had read that {upstream} runs"
        elif upstream not in start.turn.complete and upstream not in record.deleted:
            yield f"Once: {what}, though the retry had not read all executions of {upstream}"


def _kept_upstreams(record: Record, start: Start) -> list[str]:
    """The upstreams of the newest hold that the gate made for this execution, as far as the gate's jobs tell without doubt."""
    orders = [
        tuple(asked(job)["depends_on"])
        for job in record.jobs()
        if job.action.execution.id == start.turn.held and job.action.configuration.get("UserParameters")
    ]
    return list(orders[0]) if len(set(orders)) == 1 else []


def answered(record: Record) -> Iterator[str]:
    """Every job gets a result (exactly one: a second is refused by CodePipeline), and no word of the gate holds a credential."""
    for job in record.jobs():
        action = job.action
        if job.answered or action.execution.pipeline_name in record.deleted or action.status == "Abandoned":
            continue
        turns = [turn for turn in record.turns if turn.job == job.id]
        ended = None if action.status == "InProgress" else action.updated
        whose = f"{action.execution.pipeline_name} {action.execution.id[:8]}"
        if not turns and not record.lost_invocations:
            yield f"Answered: the gate was never invoked for {whose}"
        in_time = [turn for turn in turns if ended is None or (turn.ended is not None and turn.ended < ended)]
        for turn in in_time:
            if not turn.hits:
                yield f"Answered: {whose} has no result, though the gate ran without a fault at {turn.began:%d %H:%M:%S}"
        if in_time and not in_time[-1].error:
            yield f"Answered: {whose} has no result, and the gate ended at {in_time[-1].began:%d %H:%M:%S} as if it had"
    yield from _given_up(record)
    for words in record.words:
        if SECRET in words:
            at = words.index(SECRET)
            yield f"Answered: a credential stands in: ...{words[max(0, at - 150) : at + 20]!r}"


def _given_up(record: Record) -> Iterator[str]:
    """A job that fails without a hold has a reason that a person has to mend: its parameters, a denied call, an upstream that is gone."""
    for job_id, answer in record.answers.items():
        job = record.job(job_id)
        if job is None or answer.success or _is_hold(job, answer):
            continue
        order = asked(job)
        reasons = (
            any(hit.endswith(PERMANENT) for hit in answer.turn.hits),
            any(name in record.deleted for name in order["depends_on"]),
            "execution" not in order,
        )
        if not any(reasons):
            yield f"Answered: {record.whose(job_id)} failed without a hold or a reason: {answer.text[:120]}"
