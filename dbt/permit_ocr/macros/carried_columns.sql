{# The columns that the image list gave along, each with a comma in front. `sides`: relations to take them from. #}
{% macro carried_columns(sides=none) -%}
  {%- for name in var('permit_ocr_carried_columns') -%}
    {%- set column = adapter.quote(name) -%}
    {%- if sides is none %},
    {{ column }}
    {%- else %},
    coalesce({% for side in sides %}{{ side }}.{{ column }}{{ ', ' if not loop.last }}{% endfor %}) as {{ column }}
    {%- endif -%}
  {%- endfor -%}
{%- endmacro %}
