{{ config(enabled=var('permit_ocr_ledger_enabled')) }}

select
    {{ permit_ocr.day_in_zone('intended_at', var('permit_ocr_timezone')) }} as cost_day,
    account,
    dag_id,
    permit_kind,
    currency,
    count(*) as calls,
    sum(case when is_billed then 1 else 0 end) as billed_calls,
    sum(case when is_billed is null then 1 else 0 end) as unknown_calls,
    sum(case when is_billed and unit_price is null then 1 else 0 end) as unpriced_calls,
    sum(cost) as cost
from {{ ref('stg_permit_ocr__calls') }}
where code is null or code <> 'NotSent'
group by 1, 2, 3, 4, 5
