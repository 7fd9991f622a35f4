"""What to do about a rule: every rule has its sentence."""

from sequen_dagster.contract.codes import FILE_RULES, RECORD_RULES, field_rules
from sequen_dagster.contract.remedies import describe_remedies, describe_remedy


def test_every_rule_has_a_remedy_of_its_own() -> None:
    rules = [*RECORD_RULES, *FILE_RULES, *field_rules()]
    remedies = {rule: describe_remedy(rule) for rule in rules}

    assert [rule for rule, text in remedies.items() if not text.endswith(".")] == []
    assert len(set(remedies.values())) == len(rules)


def test_remedy_names_the_field_its_form_and_where_it_belongs() -> None:
    assert describe_remedy("missing_item_id") == "Send `item_id` on every impression and click."
    assert describe_remedy("invalid_rank") == "Send `rank` as a whole number from 0 on."
    assert describe_remedy("missing_identity") == (
        "Send `uid`, `sid` or `cid`, at least one of them and not a placeholder."
    )


def test_unknown_rule_has_no_remedy() -> None:
    assert describe_remedy("invalid_nothing") == ""


def test_several_rules_say_the_same_only_once() -> None:
    rules = ["invalid_original_timestamp", "invalid_rank", "invalid_server_timestamp"]

    assert describe_remedies(rules) == (
        "Send `original_timestamp` and `server_timestamp` as an ISO 8601 or unix time, from the "
        "year 2000 on and at most 24 hours ahead of the file's arrival. "
        "Send `rank` as a whole number from 0 on."
    )
    assert describe_remedies(["missing_rank", "invalid_rank"]) == (
        f"{describe_remedy('missing_rank')} {describe_remedy('invalid_rank')}"
    )
    assert describe_remedies(["(other)"]) == ""
