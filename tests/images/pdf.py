"""PDFs of one page, written by hand."""

from __future__ import annotations

_FORM = b"<</Type/XObject/Subtype/Form/BBox[0 0 400 400]%b/Length %d>>stream\n%b\nendstream"


def pdf(content: bytes, resources: bytes, *objects: bytes) -> bytes:
    """Return a PDF.

    :param content: what the page draws.
    :param resources: the entries of the page's dictionary of resources.
    :param objects: further ones, from number 5 on.
    """
    numbered = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 400 400]/Contents 4 0 R/Resources<<%b>>>>" % resources,
        b"<</Length %d>>stream\n%b\nendstream" % (len(content), content),
        *objects,
    ]
    file, places = b"%PDF-1.7\n", []
    for number, each in enumerate(numbered, 1):
        places.append(len(file))
        file += b"%d 0 obj%bendobj\n" % (number, each)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    return (
        file
        + b"xref\n0 %d\n0000000000 65535 f \n%btrailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF"
        % (
            len(numbered) + 1,
            table,
            len(numbered) + 1,
            len(file),
        )
    )


def nested_forms(levels: int, times: int, *, entries: bytes = b"", leaf: bytes = b"0 0 1 1 re f") -> bytes:
    """Return a PDF whose page draws a form that draws another several times, and so on.

    :param entries: of each form's dictionary.
    :param leaf: what the innermost form draws.
    """
    draws = b"/X Do " * times
    forms = [
        _FORM % (entries + b"/Resources<</XObject<</X %d 0 R>>>>" % (6 + level), len(draws), draws)
        for level in range(levels)
    ]
    return pdf(b"/X Do", b"/XObject<</X 5 0 R>>", *forms, _FORM % (entries, len(leaf), leaf))
