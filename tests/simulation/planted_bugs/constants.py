"""Bugs that are another value, or a function that returns the same whatever its arguments."""

from __future__ import annotations

from datetime import timedelta

from chalicelib import gate, parameters, retry
from chalicelib.aws import eventbridge, other_accounts
from chalicelib.aws.codepipeline import CodePipeline
from chalicelib.aws.eventbridge import EventBridge
from chalicelib.aws.lambda_permission import LambdaPermissions
from chalicelib.holds import fate, making
from chalicelib.holds.hold import Hold
from chalicelib.holds.making import ClosedGate
from chalicelib.pipelines import estimate, execution, wait_cycles
from chalicelib.pipelines.reader import UpstreamReader
from chalicelib.pipelines.state import Parked, PipelineState
from chalicelib.records import log
from chalicelib.records.outcomes import Outcome
from tests.simulation.planted_bugs.bug import constant

# What the gate reads of its upstreams

# An upstream that is Stopping is taken for idle.
constant("stopping_is_idle", "Safe", 39, execution, "RUNNING", frozenset({"InProgress"}))
# Of one stage of an upstream, its execution counts as past the stage before it came there.
constant("past_too_early", "Safe", 28, PipelineState, "is_past", True)
# Whoever runs is taken for parked, where parked ones may pass.
PARKED = Parked("Deploy", None, None)
constant("always_parked", "Safe", 3, PipelineState, "find_parked", PARKED)
# An upstream that is held itself is taken for idle.
constant("held_is_idle", "Safe", 22, UpstreamReader, "_read_hold", None)
# No circle is seen.
constant("no_circle", "Told", 4, wait_cycles, "find_cycle", None)
# Each circle is taken for a deadlock.
constant("each_is_a_deadlock", "Told", 100, wait_cycles, "_waits_forever", True)
# A session in another account is used on when it has ended.
constant("session_for_ever", "Live", 22, other_accounts, "RENEW_BEFORE", timedelta(days=-365))

# How the gate holds

# Bypass is not looked at.
constant("bypass_ignored", "Answered", 341, parameters, "_read_bypass", False)
# Nobody lets EventBridge invoke the retry.
constant("no_permission", "Live", 0, LambdaPermissions, "allow_rules", None)
# A hold has no schedule, only events end it.
constant("no_schedule", "Live", 3, making, "build_schedule", "")
# Entries that failed in part are not looked at.
constant("failed_entries_ignored", "Live", 85, eventbridge, "_refuse_failed_entries", None)
# A wait in place lasts until CodePipeline ends it.
constant("no_hand_over", "Live", 270, making, "LONGEST_WAIT_IN_PROGRESS", timedelta(hours=25))
# A wait in place is handed over to a rule after an hour.
constant("early_hand_over", "Live", 40, making, "LONGEST_WAIT_IN_PROGRESS", timedelta(hours=1))

# How the retry ends a hold

# A hold never gives up.
constant("never_gives_up", "Live", 44, Hold, "is_past_deadline", False)
# A hold by a rule does not stop at its deadline.
constant("never_stops", "Once", 30, Hold, "ends_by_stopping", False)
# A condition's rules are not looked at: what it let pass is started again.
constant("conditions_ignored", "Once", 844, CodePipeline, "list_condition_attempts", ())
# A gate that refused is asked again for ever.
constant("refusals_ignored", "Clean", 110, retry, "REFUSALS", frozenset())
# The rule's target is not removed.
constant("target_stays", "Clean", 0, EventBridge, "remove_target", True)
# An execution that the gate let pass at a later attempt is started again.
constant("later_pass_ignored", "Once", 73, fate, "_end_by_passing", fate.HELD)
# The retry does not look at the upstreams.
constant("upstreams_ignored", "Once", 3, retry, "find_unsatisfied", ())
# A restart in PARALLEL mode takes the newest revisions.
constant("newest_revisions", "Live", 34, retry, "choose_revisions", ())

# What people read and wire up

# One success is enough to tell how long it usually takes.
constant("one_is_enough", "Told", 3, estimate, "MIN_SUCCESSES", 1)
# An answer that came too late is counted.
constant("late_counts", "Told", 1, log, "took_effect", True)
# A stage that AWS does not retry leaves its hold marked as ended.
constant("mark_stays", "Told", 90, retry, "_unmark", None)
# A rule that takes over from a wait in progress counts its hold again.
constant("held_again", "Told", 1, ClosedGate, "_choose_hold_outcome", Outcome.HELD)
# The rule of a gate that answered too late is counted as a hold when it ends.
constant("late_hold_counts", "Told", 25, ClosedGate, "_mark_uncounted", None)
# The end of a wait that the gate refuses is not reported.
constant("refused_untold", "Told", 270, gate, "_report_end_of_wait", None)
