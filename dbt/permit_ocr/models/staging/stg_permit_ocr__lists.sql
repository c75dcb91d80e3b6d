{{ config(enabled=var('permit_ocr_ledger_enabled')) }}

select
    list_id,
    name as list_name,
    source_conn_id,
    source_table,
    key_column,
    created_at
from {{ source('permit_ocr_ledger', 'lists') }}
