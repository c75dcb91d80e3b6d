with of_images as (
    select
        permits.image_key,
        permits.card_side,
        kinds.flag,
        kinds.flag_group,
        kinds.is_doubt,
        kinds.meaning
    from {{ ref('stg_permit_ocr__permits') }} as permits
    -- A JSON list of names, which hold no quotes: no database's JSON functions are needed.
    inner join {{ ref('permit_ocr__flag_kinds') }} as kinds
        on permits.quality_flags like {{ dbt.concat(["'%\"'", "kinds.flag", "'\"%'"]) }}
    where permits.quality_flags <> '[]'
),

of_documents as (
    select
        documents.image_key,
        cast(null as {{ dbt.type_string() }}) as card_side,
        kinds.flag,
        kinds.flag_group,
        kinds.is_doubt,
        kinds.meaning
    from {{ ref('permit_ocr__documents') }} as documents
    inner join {{ ref('permit_ocr__flag_kinds') }} as kinds
        on
            (kinds.flag = 'type_mismatch' and documents.type_mismatch)
            or (kinds.flag = 'name_mismatch' and documents.name_mismatch)
),

flags as (
    select * from of_images
    union all
    select * from of_documents
)

select
    image_key,
    card_side,
    flag,
    flag_group,
    is_doubt,
    meaning
from flags
