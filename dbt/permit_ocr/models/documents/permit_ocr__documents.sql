with front as (
    select * from {{ ref('stg_permit_ocr__permits') }} where card_side = 'FRONT'
),

back as (
    select * from {{ ref('stg_permit_ocr__permits') }} where card_side = 'BACK'
),

documents as (
    select image_key from front
    union
    select image_key from back
)

select
    documents.image_key,
    front.status as front_status,
    back.status as back_status,
    front.error_code as front_error_code,
    back.error_code as back_error_code,
    front.quality_flags as front_quality_flags,
    back.quality_flags as back_quality_flags,
    front.warn_card_infos as front_warn_card_infos,
    back.warn_card_infos as back_warn_card_infos,
    coalesce(front.permit_kind, back.permit_kind) as permit_kind,
    front.document_type,
    front.chinese_name,
    front.english_name,
    front.sex_printed,
    front.sex_code,
    front.birthday,
    front.birthday_printed,
    front.document_number,
    front.valid_from,
    front.valid_until,
    front.validity_printed,
    front.issue_authority,
    front.issue_address,
    front.times_issued,
    front.nationality,
    back.back_document_type,
    back.back_chinese_name,
    back.back_id_number,
    back.back_history_number,
    {{ permit_ocr.either_side('warn_photocopy') }} as warn_photocopy,
    {{ permit_ocr.either_side('warn_recapture') }} as warn_recapture,
    {{ permit_ocr.either_side('warn_photoshopped') }} as warn_photoshopped,
    {{ permit_ocr.either_side('warn_not_enabled') }} as warn_not_enabled,
    {{ permit_ocr.either_side('is_doubtful') }} as is_doubtful,
    {{ permit_ocr.either_side('is_expired') }} as is_expired,
    {{ permit_ocr.either_side('declared_differs') }} as declared_differs,
    {{ permit_ocr.printed_kind('front.permit_kind') }}
        <> {{ permit_ocr.printed_kind('back.permit_kind') }} as type_mismatch,
    {{ permit_ocr.comparable_name('front.chinese_name') }}
        <> {{ permit_ocr.comparable_name('back.back_chinese_name') }} as name_mismatch,
    front.review_status as front_review_status,
    back.review_status as back_review_status,
    front.reviewed_at as front_reviewed_at,
    back.reviewed_at as back_reviewed_at,
    front.corrections as front_corrections,
    back.corrections as back_corrections,
    case
        when back.processed_at > front.processed_at then back.processed_at
        else coalesce(front.processed_at, back.processed_at)
    end as processed_at{{ permit_ocr.carried_columns(['front', 'back']) }}
from documents
left join front on front.image_key = documents.image_key
left join back on back.image_key = documents.image_key
