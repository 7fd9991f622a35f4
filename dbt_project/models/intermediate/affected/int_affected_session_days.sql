{{ config(materialized='table') }}
{# Days whose sessions may count differently now. #}
with

{# Of a day only the numbers of sessions of each kind count, not which sessions they are ... #}
changed_counts as (
    select * from {{ changes_of('int_session_sources', [
        'source', 'is_first_source', 'is_given', 'has_impression', 'has_click', 'has_conversion',
        'session_date',
    ]) }} as changed_counts
),

changed_sessions as (
    select * from {{ changes('int_session_sources') }}
),

changed_matches as (
    select * from {{ changes('int_completeness_matches') }}
),

{# ... but for those with an event that matches an attribute. #}
sessions_with_matches as (
    select session_key
    from {{ ref('int_completeness_matches') }}

    union distinct

    select session_key
    from changed_matches
),

days_affected as (
    select session_date as day
    from changed_counts

    union distinct

    select session_date as day
    from changed_sessions
    where session_key in (select sessions_with_matches.session_key from sessions_with_matches)

    union distinct

    select session_date as day
    from {{ ref('int_session_sources') }}
    where session_key in (select changed_matches.session_key from changed_matches)
)

select * from days_affected
