"""Specimens: permits of invented people, drawn, marked SPECIMEN, labelled with what they show."""

from __future__ import annotations

from airflow_provider_permitocr.emulator.specimens.drawing.effects import Effect
from airflow_provider_permitocr.emulator.specimens.kinds import DRAWABLE, KINDS, PermitKind
from airflow_provider_permitocr.emulator.specimens.label import Label, read_label, write_label
from airflow_provider_permitocr.emulator.specimens.permits import Permit, Person, make_permit, make_person
from airflow_provider_permitocr.emulator.specimens.specimen import Specimen, draw_scenery, draw_specimen
from airflow_provider_permitocr.emulator.specimens.stand_ins import draw_stand_ins

__all__ = [
    "DRAWABLE",
    "KINDS",
    "Effect",
    "Label",
    "Permit",
    "PermitKind",
    "Person",
    "Specimen",
    "draw_scenery",
    "draw_specimen",
    "draw_stand_ins",
    "make_permit",
    "make_person",
    "read_label",
    "write_label",
]
