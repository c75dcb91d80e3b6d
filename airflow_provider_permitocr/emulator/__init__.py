"""A local server that speaks the wire protocol of MainlandPermitOCR and reads images."""
