{# The day of a time in a named time zone. A plain cast would take the session's zone. #}
{% macro day_in_zone(moment, zone) -%}
  {{ return(adapter.dispatch('day_in_zone', 'permit_ocr')(moment, zone)) }}
{%- endmacro %}

{% macro default__day_in_zone(moment, zone) -%}
  cast({{ moment }} at time zone '{{ zone }}' as date)
{%- endmacro %}
