{{ config(enabled=var('permit_ocr_ledger_enabled')) }}

select
    dag_id,
    task_id,
    run_id,
    map_index,
    list_id,
    since as window_since,
    until as window_until,
    shard,
    task_try,
    started_at,
    ended_at,
    case is_whole when 1 then true else false end as is_whole,
    listed as listed_images,
    left_images,
    calls,
    billed as billed_calls,
    cost as cost_text,
    calls_per_second,
    outcome
from {{ source('permit_ocr_ledger', 'runs') }}
