"""Bugs that are another value, or a function that always returns the same."""

from __future__ import annotations

from datetime import timedelta

from chalicelib import gate, parameters, retry
from chalicelib.aws import eventbridge, lambda_permission, other_accounts
from chalicelib.aws.codepipeline import CodePipeline
from chalicelib.aws.eventbridge import EventBridge
from chalicelib.aws.lambda_permission import LambdaPermissions
from chalicelib.holds import continuation, making
from chalicelib.holds.hold import Hold
from chalicelib.holds.making import ClosedGate
from chalicelib.holds.schedule import Schedule
from chalicelib.pipelines import estimate, execution, upstream, wait_cycles
from chalicelib.pipelines.reader import UpstreamReader
from chalicelib.pipelines.state import Parked, PipelineState
from chalicelib.records import log
from chalicelib.records.outcomes import Outcome
from tests.simulation.planted_bugs.bug import constant

# What the gate reads of its upstreams

# An upstream that is Stopping counts as idle.
constant("stopping_is_idle", "Safe", 50, execution, "RUNNING", frozenset({"InProgress"}))
# An execution counts as past the stage that a gate waits for before it has reached it.
# An upstream that was cancelled a moment ago is idle.
constant("cancelled_is_idle", "Safe", 1, upstream, "RESTART_TIME", timedelta(0))
# The result of a cancelled execution is that of the one before it.
FINISHED = frozenset({"Succeeded", "Failed", "Stopped"})
constant("cancelled_has_no_result", "Safe", 13, execution, "FINISHED", FINISHED)
constant("past_too_early", "Safe", 75, PipelineState, "is_past", True)
# Every running upstream counts as parked, if parked upstreams may pass.
PARKED = Parked("Deploy", None, None)
constant("always_parked", "Safe", 61, PipelineState, "find_parked", PARKED)
# An upstream that is held counts as idle.
constant("held_is_idle", "Safe", 31, UpstreamReader, "_read_hold", None)
# No cycle is noticed.
constant("no_circle", "Told", 4, wait_cycles, "find_cycle", None)
# A session in another account is used after it has expired.
constant("session_for_ever", "Live", 22, other_accounts, "RENEW_BEFORE", timedelta(days=-365))

# An old execution that only the state shows is not looked for.
constant("old_is_idle", "Safe", 61, UpstreamReader, "_may_lack_running", False)

# How the gate holds

# Bypass is ignored.
constant("bypass_ignored", "Answered", 341, parameters, "_read_bypass", False)
# EventBridge does not get the permission to invoke the retry function.
constant("no_permission", "Live", 0, LambdaPermissions, "allow_rules", None)
# A conflict in AddPermission counts as the permission, also while the function is being updated.
constant("updating_is_permission", "Live", 80, lambda_permission, "read_error_message", "it exists")
# A hold has no schedule, only events end it.
constant("no_schedule", "Live", 3, Schedule, "expression", "")
# Entries that failed in part are ignored.
constant("failed_entries_ignored", "Live", 77, eventbridge, "_refuse_failed_entries", None)
# A wait in the mode wait lasts until CodePipeline ends it.
constant("no_hand_over", "Live", 175, making, "LONGEST_WAIT_IN_PROGRESS", timedelta(hours=25))
# A wait in the mode wait is handed over to a rule after an hour.
constant("early_hand_over", "Live", 175, making, "LONGEST_WAIT_IN_PROGRESS", timedelta(hours=1))

# How the retry ends a hold

# A hold never gives up.
constant("never_gives_up", "Live", 1608, Hold, "is_past_deadline", False)
# A hold by a rule does not stop at its deadline.
constant("never_stops", "Once", 96, Hold, "ends_by_stopping", False)
# A condition's rules are ignored: a gate that is one is refused, as if it were not waiting.
constant("conditions_ignored", "Answered", 51, CodePipeline, "list_condition_attempts", ())
# A gate that refused is invoked again forever.
constant("refusals_ignored", "Clean", 110, retry, "REFUSALS", frozenset())
# The rule's target is not removed.
constant("target_stays", "Clean", 0, EventBridge, "remove_target", True)
# A rule that EventBridge does not delete immediately stays.
constant("lingering_rule_stays", "Clean", 75, eventbridge, "MAX_DELETE_ATTEMPTS", 1)
# The retry function does not check the upstreams.
constant("upstreams_ignored", "Once", 3, retry, "find_unsatisfied", ())
# A restart in PARALLEL mode takes the newest revisions.
constant("newest_revisions", "Same", 11, continuation, "choose_revisions", ())

# What people read and wire up

# One success is enough to estimate the usual duration.
constant("one_is_enough", "Told", 3, estimate, "MIN_SUCCESSES", 1)
# An answer that came too late is counted.
constant("late_counts", "Told", 5, log, "took_effect", True)
# A rule that takes over from a wait in progress counts its hold again.
constant("held_again", "Told", 12, ClosedGate, "_choose_hold_outcome", Outcome.HELD)
# The rule of a gate that answered too late is counted as a hold when it ends.
constant("late_hold_counts", "Told", 12, ClosedGate, "_mark_uncounted", None)
# The end of a wait that the gate refuses is not reported.
constant("refused_untold", "Told", 90, gate, "_report_end_of_wait", None)

# Answers that are some seconds old

# After an event, the retry function checks once.
constant("one_check_after_event", "Live", 0, retry, "CHECKS_AFTER_EVENT", 1)
