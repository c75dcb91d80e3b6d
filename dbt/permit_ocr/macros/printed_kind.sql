{# A kind of document as the card names it: residents of Hong Kong and Macao share a type, Chinese or not. #}
{% macro printed_kind(column) -%}
  case {{ column }} when 'hong_kong_macao_non_chinese' then 'hong_kong_macao' else {{ column }} end
{%- endmacro %}
