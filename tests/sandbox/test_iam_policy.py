"""What a policy says to a request: statements, wildcards, conditions, principals."""

from __future__ import annotations

import fnmatch
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.iam.policy import Caller, PolicyRequest, PolicyVerdict, judge, judge_resource_policy
from sandbox.iam.wildcards import arn_condition_matches, resource_matches, text_matches

ACCOUNT = "123456789012"
RULE = f"arn:aws:events:eu-central-1:{ACCOUNT}:rule/gate-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/gate"
CALLER = Caller(ACCOUNT, ROLE, f"arn:aws:sts::{ACCOUNT}:assumed-role/gate/session")
ALLOW, DENY, SILENCE = PolicyVerdict.ALLOW, PolicyVerdict.DENY, PolicyVerdict.SILENCE


def statement(effect: str = "Allow", **elements: Any) -> dict[str, Any]:
    if not elements.keys() & {"Action", "NotAction"}:
        elements["Action"] = "events:PutRule"
    if not elements.keys() & {"Resource", "NotResource"}:
        elements["Resource"] = "*"
    return {"Effect": effect, **elements}


def judge_statements(
    *statements: dict[str, Any],
    action: str = "events:PutRule",
    resource: str = RULE,
    **context: str | list[str],
) -> PolicyVerdict:
    """What a policy of these statements says; `context` with __ for the colon of a key."""
    keys = {
        key.replace("__", ":"): tuple([value] if isinstance(value, str) else value)
        for key, value in context.items()
    }
    return judge([{"Statement": list(statements)}], PolicyRequest(action, resource, keys))


@pytest.mark.parametrize(
    ("elements", "answer"),
    [
        ({"Action": "events:PutRule"}, ALLOW),
        ({"Action": "EVENTS:putrule"}, ALLOW),
        ({"Action": "events:Put*"}, ALLOW),
        ({"Action": "events:PutRul?"}, ALLOW),
        ({"Action": "*"}, ALLOW),
        ({"Action": ["events:DeleteRule", "events:PutRule"]}, ALLOW),
        ({"Action": "events:PutRules"}, SILENCE),
        ({"Action": "events:PutRule?"}, SILENCE),
        ({"Action": "Put*"}, SILENCE),
        ({"Action": []}, SILENCE),
        ({"NotAction": "events:DeleteRule"}, ALLOW),
        ({"NotAction": ["events:DeleteRule", "events:Put*"]}, SILENCE),
        ({"Resource": RULE}, ALLOW),
        ({"Resource": RULE.replace("gate", "Gate")}, SILENCE),
        ({"Resource": "arn:*:events:*:*:rule/gate-*"}, ALLOW),
        ({"Resource": "arn:*:events:*:*:rule/gate-?"}, ALLOW),
        ({"Resource": "arn:*:events:*:*:rule/gate-??"}, SILENCE),
        ({"Resource": "arn:aws:events:*"}, ALLOW),
        ({"Resource": "arn:aws:ev*:rule/gate-1"}, ALLOW),
        ({"Resource": "arn:aws:*-1"}, SILENCE),
        ({"Resource": f"arn:aws:events:us-east-1:{ACCOUNT}:rule/gate-1"}, SILENCE),
        ({"Resource": "arn:*:events:*:999999999999:rule/gate-1"}, SILENCE),
        ({"NotResource": "arn:*:events:*:*:rule/other"}, ALLOW),
        ({"NotResource": "arn:*:events:*:*:rule/*"}, SILENCE),
    ],
)
def test_actions_and_resources(elements: dict[str, Any], answer: PolicyVerdict) -> None:
    assert judge_statements(statement(**elements)) is answer


def test_a_resource_with_the_callers_account_in_it() -> None:
    in_own_account = statement(Resource="arn:aws:events:*:${aws:PrincipalAccount}:rule/*")
    assert judge_statements(in_own_account, aws__principalaccount=ACCOUNT) is ALLOW
    assert judge_statements(in_own_account, aws__principalaccount="999999999999") is SILENCE
    assert judge_statements(in_own_account) is SILENCE


def test_a_variables_value_is_no_pattern() -> None:
    assert text_matches("${aws:username}", "anything", {"aws:username": ("*",)}) is False
    assert text_matches("${aws:username}", "*", {"aws:username": ("*",)}) is True
    assert text_matches("a${*}", "ab", {}) is False
    assert text_matches("a${*}", "a*", {}) is True
    assert text_matches("${aws:username, 'none'}", "none", {}) is True


def test_a_deny_outdoes_every_allow() -> None:
    deny = statement("Deny", Action="events:*")
    assert judge_statements(deny, statement()) is DENY
    assert judge_statements(statement(), deny) is DENY
    assert judge_statements(statement(), statement("Deny", Action="lambda:*")) is ALLOW
    request = PolicyRequest("events:PutRule", RULE)
    assert judge([{"Statement": statement()}, {"Statement": deny}], request) is DENY


def test_no_policy_says_nothing() -> None:
    assert judge([], PolicyRequest("events:PutRule", RULE)) is SILENCE
    assert judge([{}], PolicyRequest("events:PutRule", RULE)) is SILENCE


@pytest.mark.parametrize(
    ("operator", "pattern", "principal", "holds"),
    [
        ("StringEquals", "events.amazonaws.com", "events.amazonaws.com", True),
        ("StringEquals", "events.amazonaws.com", "sns.amazonaws.com", False),
        ("StringEquals", "events.amazonaws.com", "Events.amazonaws.com", False),
        ("StringEquals", "*", "events.amazonaws.com", False),
        ("StringEquals", ["a", "events.amazonaws.com"], "events.amazonaws.com", True),
        ("StringEquals", "events.amazonaws.com", None, False),
        ("StringEqualsIfExists", "events.amazonaws.com", None, True),
        ("StringEqualsIfExists", "events.amazonaws.com", "sns.amazonaws.com", False),
        ("StringNotEquals", "events.amazonaws.com", "sns.amazonaws.com", True),
        ("StringNotEquals", ["a", "b"], "b", False),
        ("StringNotEquals", "events.amazonaws.com", None, True),
        ("StringEqualsIgnoreCase", "Events.AmazonAWS.com", "events.amazonaws.com", True),
        ("StringNotEqualsIgnoreCase", "Events.AmazonAWS.com", "events.amazonaws.com", False),
        ("StringLike", "*.amazonaws.com", "events.amazonaws.com", True),
        ("StringLike", "?vents.*", "events.amazonaws.com", True),
        ("StringNotLike", "*.amazonaws.com", "events.amazonaws.com", False),
        ("ArnLike", "arn:aws:iam::*:role/*", ROLE, True),
        ("ArnLike", "arn:aws:iam:*:role/*", ROLE, False),
        ("ArnEquals", "arn:*:iam::*:role/gate", ROLE, True),
        ("ArnNotLike", "arn:aws:iam::*:role/*", ROLE, False),
        ("ArnLike", "arn:aws:iam::*:role/*", "events.amazonaws.com", False),
        ("Bool", "true", "True", True),
        ("Bool", True, "true", True),
        ("Bool", "false", "true", False),
        ("NumericLessThan", "10", "9", True),
        ("NumericLessThan", 10, "10", False),
        ("NumericNotEquals", "10", "9", True),
        ("NumericGreaterThanEquals", "10", "ten", False),
        ("Null", "true", None, True),
        ("Null", "true", "x", False),
        ("Null", "false", "x", True),
    ],
)
def test_conditions(operator: str, pattern: object, principal: str | None, holds: bool) -> None:
    keys = {} if principal is None else {"lambda__principal": principal}
    condition = {operator: {"lambda:Principal": pattern}}
    for effect, verdict in (("Allow", ALLOW), ("Deny", DENY)):
        answer = judge_statements(statement(effect, Condition=condition), **keys)
        assert answer is (verdict if holds else SILENCE)


@pytest.mark.parametrize(
    ("operator", "targets", "holds"),
    [
        ("ForAllValues:StringEquals", ["a", "b"], True),
        ("ForAllValues:StringEquals", ["a", "x"], False),
        ("ForAllValues:StringEquals", [], True),
        ("ForAnyValue:StringEquals", ["x", "b"], True),
        ("ForAnyValue:StringEquals", ["x"], False),
        ("ForAnyValue:StringEquals", [], False),
        ("ForAnyValue:StringNotEquals", ["a", "x"], True),
        ("ForAnyValue:StringNotEquals", [], False),
        ("ForAllValues:StringNotEquals", ["a", "x"], False),
    ],
)
def test_conditions_on_keys_with_many_values(
    operator: str, targets: list[str], holds: bool
) -> None:
    condition = {operator: {"events:TargetArn": ["a", "b"]}}
    answer = judge_statements(statement(Condition=condition), events__targetarn=targets)
    assert answer is (ALLOW if holds else SILENCE)


def test_all_conditions_of_a_statement_must_hold() -> None:
    both = statement(Condition={"StringEquals": {"a:x": "1", "a:y": "2"}, "Bool": {"a:z": "true"}})
    assert judge_statements(both, a__x="1", a__y="2", a__z="true") is ALLOW
    assert judge_statements(both, a__x="1", a__y="2", a__z="false") is SILENCE
    assert judge_statements(both, a__x="1", a__y="3", a__z="true") is SILENCE


@pytest.mark.parametrize(
    "operator", ["DateLessThan", "IpAddress", "StringEqual", "ForSomeValues:StringEquals"]
)
def test_an_operator_that_is_not_known_is_taken_from_its_safe_side(operator: str) -> None:
    condition = {operator: {"a:x": "1"}}
    assert judge_statements(statement(Condition=condition), a__x="1") is SILENCE
    assert judge_statements(statement("Deny", Condition=condition), a__x="1") is DENY


@pytest.mark.parametrize(
    ("principal", "verdict"),
    [
        ({"AWS": ROLE}, (ALLOW, True)),
        ({"AWS": [CALLER.session_arn]}, (ALLOW, True)),
        ("*", (ALLOW, True)),
        ({"AWS": "*"}, (ALLOW, True)),
        ({"AWS": ACCOUNT}, (ALLOW, False)),
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, (ALLOW, False)),
        ({"AWS": ROLE + "2"}, (SILENCE, False)),
        ({"AWS": "999999999999"}, (SILENCE, False)),
        ({"Service": "lambda.amazonaws.com"}, (SILENCE, False)),
    ],
)
def test_the_principals_of_a_resource_policy(
    principal: object, verdict: tuple[PolicyVerdict, bool]
) -> None:
    assume = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    request = PolicyRequest("sts:AssumeRole", ROLE + "-other")
    assert judge_resource_policy({"Statement": assume}, request, CALLER) == verdict


@pytest.mark.parametrize(("effect", "verdict"), [("Allow", SILENCE), ("Deny", DENY)])
def test_not_principal_is_taken_from_its_safe_side(effect: str, verdict: PolicyVerdict) -> None:
    assume = {"Effect": effect, "NotPrincipal": {"AWS": ROLE}, "Action": "sts:AssumeRole"}
    request = PolicyRequest("sts:AssumeRole", ROLE)
    assert judge_resource_policy({"Statement": assume}, request, CALLER)[0] is verdict


LETTERS = st.text(alphabet="aB:/*?.[$", max_size=8)


@given(pattern=LETTERS, text=LETTERS)
def test_string_like_is_what_a_shell_calls_a_glob(pattern: str, text: str) -> None:
    assert text_matches(pattern, text, {}) == fnmatch.fnmatchcase(text, pattern.replace("[", "[[]"))


@given(pattern=LETTERS, text=LETTERS)
def test_a_resource_never_matches_more_than_a_glob_would(pattern: str, text: str) -> None:
    assert not resource_matches(pattern, text, {}) or text_matches(pattern, text, {})
    assert not arn_condition_matches(pattern, text, {}) or text_matches(pattern, text, {})


STATEMENTS = st.builds(
    statement,
    st.sampled_from(["Allow", "Deny"]),
    Action=st.sampled_from(["*", "events:*", "events:PutRule", "lambda:*"]),
    Resource=st.sampled_from(["*", RULE, "arn:aws:events:*:*:rule/other"]),
    Condition=st.just({})
    | st.sampled_from(["StringEquals", "StringNotEquals", "Odd"]).map(
        lambda operator: {operator: {"a:x": "1"}}
    ),
)


@given(st.lists(STATEMENTS), st.permutations(range(5)), st.sampled_from(["1", "2"]))
def test_the_order_of_statements_says_nothing_and_a_deny_can_only_take_away(
    statements: list[dict[str, Any]], order: list[int], value: str
) -> None:
    answer = judge_statements(*statements, a__x=value)
    shuffled = [statements[place] for place in order if place < len(statements)]
    assert judge_statements(*shuffled, *statements[5:], a__x=value) is answer
    assert judge_statements(*statements, statement("Deny", Resource=RULE), a__x=value) is DENY
    without_denials = [statement for statement in statements if statement["Effect"] == "Allow"]
    assert answer is DENY or judge_statements(*without_denials, a__x=value) is answer
