with ranked as (
    select
        *,
        -- A history has a row for each recognition. Rows without a version are older than the ledger.
        row_number() over (
            partition by image_key, card_side
            order by coalesce(version, -1) desc, processed_at desc
        ) as permit_ocr_recency
    from {{ source('permit_ocr', 'permits') }}
)

select
    image_key,
    card_side,
    status,
    error_code,
    error_message,
    type as document_type,
    permit_kind,
    name as chinese_name,
    english_name,
    sex as sex_printed,
    sex_code,
    birthday,
    birthday_raw as birthday_printed,
    number as document_number,
    valid_from,
    valid_until,
    valid_date as validity_printed,
    issue_authority,
    issue_address,
    issue_number as times_issued,
    nationality,
    profile as portrait,
    back_type as back_document_type,
    back_name as back_chinese_name,
    back_id_number,
    back_history_number,
    warn_card_infos,
    warn_photocopy,
    warn_recapture,
    warn_photoshopped,
    warn_not_enabled,
    quality_flags,
    is_doubtful,
    is_expired,
    declared_differs,
    image_format,
    image_bytes as image_size_bytes,
    image_width,
    image_height,
    image_prepared,
    image_digest,
    reused_from,
    request_id,
    tries as runs_tried,
    image_updated_at,
    processed_at,
    run_id,
    attempt_status,
    attempt_code,
    attempted_at,
    version as ledger_version,
    review_status,
    reviewed_at,
    corrections{{ permit_ocr.carried_columns() }}
from ranked
where permit_ocr_recency = 1
