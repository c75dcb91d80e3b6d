{# A name to compare with that of the other side; NULL where a privacy policy has encrypted it. #}
{% macro comparable_name(column) -%}
  case when substring({{ column }}, 1, 5) = 'gAAAA' then null else nullif(trim({{ column }}), '') end
{%- endmacro %}
