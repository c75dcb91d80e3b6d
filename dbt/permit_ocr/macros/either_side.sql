{# Whether a boolean is true of the front or the back; NULL where neither was examined. #}
{% macro either_side(column) -%}
  case when front.{{ column }} then true when back.{{ column }} then true else coalesce(front.{{ column }}, back.{{ column }}) end
{%- endmacro %}
