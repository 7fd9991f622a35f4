"""What to do about a rule: every rule has its sentence."""

from sequen_dagster.contract.remedies import describe_remedy
from sequen_dagster.contract.rules import FILE_RULES, RECORD_RULES, field_rules


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
