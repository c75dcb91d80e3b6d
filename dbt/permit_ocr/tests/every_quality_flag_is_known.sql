-- A later version of the provider has flags that this package does not know: update both.
with listed as (
    select
        image_key,
        card_side,
        (length(quality_flags) - length(replace(quality_flags, '"', ''))) / 2 as flag_count
    from {{ ref('stg_permit_ocr__permits') }}
    where quality_flags is not null and quality_flags <> '[]'
),

known as (
    select image_key, card_side, count(*) as flag_count
    from {{ ref('permit_ocr__flags') }}
    where card_side is not null
    group by image_key, card_side
)

select listed.image_key, listed.card_side, listed.flag_count, known.flag_count as known_flag_count
from listed
left join known on known.image_key = listed.image_key and known.card_side = listed.card_side
where listed.flag_count <> coalesce(known.flag_count, 0)
