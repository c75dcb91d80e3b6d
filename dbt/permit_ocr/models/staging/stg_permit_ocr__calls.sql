{{ config(enabled=var('permit_ocr_ledger_enabled')) }}

with calls as (
    select
        *,
        -- Kept as text, exactly as it was given.
        cast(unit_price as decimal(38, 12)) as price
    from {{ source('permit_ocr_ledger', 'calls') }}
)

select
    call_id,
    list_id,
    image_key,
    card_side,
    account,
    dag_id,
    task_id,
    run_id,
    map_index,
    task_try,
    intended_at,
    answered_at,
    code,
    case billed when 1 then true when 0 then false end as is_billed,
    price as unit_price,
    currency,
    case billed when 1 then price when 0 then cast(0 as decimal(38, 12)) end as cost,
    request_id,
    permit_kind
from calls
