"""Small files that take all the memory or time that they are given."""

from __future__ import annotations

import struct
import sys
import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Final

import pillow_heif
from PIL import Image

_FORM: Final = b"<</Type/XObject/Subtype/Form/BBox[0 0 400 400]%b/Length %d>>stream\n%b\nendstream"
_GROUP: Final = b"/Group<</S/Transparency/I true/K true>>"


def bombs() -> Iterator[tuple[str, bytes]]:
    """Yield them by name."""
    pillow_heif.register_heif_opener()
    yield from _pdfs()
    yield from _pngs()
    yield from _jpegs()
    yield from _large()
    yield from _tiffs()
    yield from _others()


def pdf(content: bytes, resources: bytes, *objects: bytes, box: bytes = b"0 0 400 400") -> bytes:
    """Return a PDF of one page; ``objects`` are numbered from 5 on."""
    numbered = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[%b]/Contents 4 0 R/Resources<<%b>>>>" % (box, resources),
        b"<</Length %d>>stream\n%b\nendstream" % (len(content), content),
        *objects,
    ]
    file, places = b"%PDF-1.7\n", []
    for number, each in enumerate(numbered, 1):
        places.append(len(file))
        file += b"%d 0 obj%bendobj\n" % (number, each)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    index = b"xref\n0 %d\n0000000000 65535 f \n%b" % (len(numbered) + 1, table)
    end = b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (len(numbered) + 1, len(file))
    return file + index + end


def nested_forms(levels: int, times: int, *, entries: bytes = b"", leaf: bytes = b"0 0 1 1 re f") -> bytes:
    """Return a PDF whose page draws a form that draws another form several times, and so on."""
    draws = b"/X Do " * times
    forms = [
        _FORM % (entries + b"/Resources<</XObject<</X %d 0 R>>>>" % (6 + level), len(draws), draws)
        for level in range(levels)
    ]
    return pdf(b"/X Do", b"/XObject<</X 5 0 R>>", *forms, _FORM % (entries, len(leaf), leaf))


def _pdfs() -> Iterator[tuple[str, bytes]]:
    whole = b"0 0 400 400 re f"
    yield "PDF nested forms", nested_forms(10, 8)
    yield "PDF nested groups", nested_forms(10, 8, entries=_GROUP)
    yield "PDF nested groups, painted", nested_forms(6, 8, entries=_GROUP, leaf=whole)
    yield "PDF nested deeply", nested_forms(2000, 1)
    yield (
        "PDF nested in itself",
        pdf(
            b"/X Do",
            b"/XObject<</X 5 0 R>>",
            _FORM % (b"/Resources<</XObject<</X 5 0 R>>>>", 12, b"/X Do /X Do "),
        ),
    )
    flate = zlib.compress(whole + b" " * 200_000_000, 9)
    yield (
        "PDF content of 200 MB",
        pdf(b"", b"").replace(
            b"4 0 obj<</Length 0>>stream\n\nendstream",
            b"4 0 obj<</Length %d/Filter/FlateDecode>>stream\n%b\nendstream" % (len(flate), flate),
        ),
    )
    twice = zlib.compress(zlib.compress(b" " * 900_000_000, 9), 9)
    yield (
        "PDF content packed twice",
        pdf(b"", b"").replace(
            b"4 0 obj<</Length 0>>stream\n\nendstream",
            b"4 0 obj<</Length %d/Filter[/FlateDecode/FlateDecode]>>stream\n%b\nendstream"
            % (len(twice), twice),
        ),
    )
    yield "PDF many paths", pdf(b"0 0 m 400 400 l S " * 500_000, b"")
    yield "PDF many states", pdf(b"q " * 3_000_000, b"")
    yield "PDF huge page", pdf(whole, b"", box=b"0 0 1e9 1e9")
    yield "PDF thin page", pdf(whole, b"", box=b"0 0 1e9 1")
    yield "PDF tiny page", pdf(whole, b"", box=b"0 0 1e-9 1e-9")
    yield "PDF page without numbers", pdf(whole, b"", box=b"nan inf 0 0")
    yield (
        "PDF tiny pattern",
        pdf(
            b"/Pattern cs /P scn 0 0 400 400 re f",
            b"/Pattern<</P 5 0 R>>",
            b"<</PatternType 1/PaintType 1/TilingType 1/BBox[0 0 1 1]/XStep .001/YStep .001/Resources<<>>"
            b"/Length 12>>stream\n0 0 1 1 re f\nendstream",
        ),
    )
    yield "PDF dashes", pdf(b"[.00001 .00001] 0 d 0 0 m 400 400 l S", b"")
    yield (
        "PDF shading",
        pdf(
            b"/S sh " * 2000,
            b"/Shading<</S 5 0 R>>",
            b"<</ShadingType 1/ColorSpace/DeviceRGB/Domain[0 1 0 1]/Matrix[400 0 0 400 0 0]/Function 6 0 R>>",
            b"<</FunctionType 4/Domain[0 1 0 1]/Range[0 1 0 1 0 1]/Length 20>>stream\n"
            b"{ 2 copy mul }\nendstream",
        ),
    )
    yield (
        "PDF image of 65,000 by 65,000",
        pdf(
            b"400 0 0 400 0 0 cm /I Do",
            b"/XObject<</I 5 0 R>>",
            b"<</Type/XObject/Subtype/Image/Width 65000/Height 65000/BitsPerComponent 8/ColorSpace/DeviceRGB"
            b"/Length 1>>stream\n \nendstream",
        ),
    )
    kids = b"[" + b"3 0 R " * 300_000 + b"]"
    yield "PDF many pages", pdf(whole, b"").replace(b"[3 0 R]/Count 1", kids + b"/Count 300000")
    yield "PDF pages in a circle", pdf(whole, b"").replace(b"[3 0 R]/Count 1", b"[2 0 R 2 0 R]/Count 1")
    yield "PDF arrays in arrays", pdf(b"[" * 1_000_000, b"")
    yield "PDF dictionaries in dictionaries", pdf(whole, b"/A" + b"<</A" * 200_000)
    yield "PDF xref of nothing", b"%PDF-1.7\n" + b"1 0 obj<<>>endobj\n" * 500_000
    yield "PDF clips", pdf(b"0 0 400 400 re W n " * 300_000 + whole, b"")


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", len(content), kind) + content + struct.pack(">I", zlib.crc32(kind + content))


def _png(
    width: int, height: int, *chunks: bytes, depth: int = 8, color: int = 2, interlaced: int = 0
) -> bytes:
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlaced))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + _chunk(b"IEND", b"")


def _zeros(size: int) -> bytes:
    packing = zlib.compressobj(9)
    piece = bytes(1_000_000)
    whole, rest = divmod(size, len(piece))
    parts = [packing.compress(piece) for _ in range(whole)]
    return b"".join([*parts, packing.compress(bytes(rest)), packing.flush()])


def _pngs() -> Iterator[tuple[str, bytes]]:
    pixels = _chunk(b"IDAT", _zeros(8000 * 3 * 8000 + 8000))
    yield "PNG 64 million pixels", _png(8000, 8000, pixels)
    yield "PNG 64 million with alpha", _png(8000, 8000, _chunk(b"IDAT", _zeros(8000 * 32001)), color=6)
    yield (
        "PNG 64 million of 16 bits",
        _png(8000, 8000, _chunk(b"IDAT", _zeros(8000 * 64001)), color=6, depth=16),
    )
    yield "PNG interlaced", _png(8000, 8000, pixels, interlaced=1)
    yield "PNG 4 billion pixels", _png(65_535, 65_535, pixels)
    yield "PNG one row", _png(64_000_000, 1, pixels)
    yield "PNG more pixels than it says", _png(100, 100, _chunk(b"IDAT", _zeros(400_000_000)))
    yield "PNG many chunks", _png(10, 10, _chunk(b"tEXt", b"") * 1_000_000)
    yield "PNG many empty pixels", _png(10, 10, _chunk(b"IDAT", b"") * 1_000_000)
    packed, pixels = b"x\x00\x00" + _zeros(400_000_000), _chunk(b"IDAT", _zeros(2000 * 6001))
    yield "PNG profile of 400 MB", _png(2000, 2000, _chunk(b"iCCP", packed), pixels)
    yield "PNG text of 400 MB", _png(2000, 2000, _chunk(b"zTXt", packed), pixels)


def _saved(picture: Image.Image, image_format: str, **options: object) -> bytes:
    file = BytesIO()
    picture.save(file, image_format, **options)
    return file.getvalue()


def _jpegs() -> Iterator[tuple[str, bytes]]:
    jpeg = _saved(Image.new("RGB", (64, 64), "red"), "JPEG")
    progressive = _saved(Image.new("L", (8000, 8000)), "JPEG", progressive=True)
    scan = progressive.rindex(b"\xff\xda")
    yield "JPEG of FF", b"\xff\xd8\xff" + b"\xff" * 60_000_000
    yield "JPEG of restart markers", b"\xff\xd8" + b"\xff\xd0" * 30_000_000
    yield "JPEG of stuffed zeros", b"\xff\xd8\xff\xe0\x00\x02" + b"\xff\x00" * 30_000_000
    yield "JPEG of empty segments", b"\xff\xd8" + b"\xff\xe0\x00\x02" * 15_000_000
    yield "JPEG of ends", b"\xff\xd8" + b"\xff\xd9\xff\xd8\xff" * 12_000_000
    table = b"\x00" + bytes(64)
    segment = b"\xff\xdb" + struct.pack(">H", 2 + 65 * 1000) + table * 1000
    yield "JPEG of tables", b"\xff\xd8" + segment * 900
    yield "JPEG many scans", progressive[:scan] + progressive[scan:-2] * 2000 + b"\xff\xd9"
    yield "JPEG 65,500 by 65,500", jpeg.replace(b"\x00\x40\x00\x40", b"\xff\xdc\xff\xdc")
    yield "JPEG many comments", jpeg[:2] + b"\xff\xfe\xff\xff".ljust(65_537, b"x") * 900 + jpeg[2:]
    exif = (
        b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\xff\xff"
        + b"\x01\x0e\x00\x02\xff\xff\xff\xff\x00\x00\x00\x08" * 5000
    )
    yield "JPEG exif of lies", jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:]


def _large() -> Iterator[tuple[str, bytes]]:
    white = Image.new("RGB", (8000, 8000), "white")
    yield "HEIC 64 million pixels", _saved(white, "HEIF", quality=1)
    yield "AVIF 64 million pixels", _saved(white, "AVIF", quality=1, speed=10)
    yield "WebP 64 million pixels", _saved(white, "WEBP", lossless=True)
    yield "WebP 64 million with alpha", _saved(white.convert("RGBA"), "WEBP", lossless=True)
    yield (
        "WebP 268 million pixels",
        _saved(Image.new("L", (16_383, 16_383)).convert("RGB"), "WEBP", quality=1),
    )
    yield "GIF 64 million pixels", _saved(white.convert("P"), "GIF")
    yield "BMP 64 million bits", _saved(white.convert("1"), "BMP")
    yield "JPEG 400 million pixels", _saved(Image.new("L", (20_000, 20_000)), "JPEG")


def _tiff(*entries: tuple[int, int, int, int], pixels: bytes = b"") -> bytes:
    """Return a TIFF of one directory; entries are tag, type, count and value."""
    packed = b"".join(struct.pack("<HHII", *each) for each in sorted(entries))
    directory = struct.pack("<H", len(entries)) + packed + struct.pack("<I", 0)
    return b"II*\x00" + struct.pack("<I", 8) + directory + pixels


def _tiffs() -> Iterator[tuple[str, bytes]]:
    white = Image.new("RGB", (8000, 7900), "white")
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits"):
        yield f"TIFF 63 million pixels, {compression}", _saved(white, "TIFF", compression=compression)
    yield "TIFF of 16 bits", _saved(Image.new("I;16", (8000, 7900)), "TIFF", compression="tiff_lzw")
    yield "TIFF group 4", _saved(Image.new("1", (60_000, 1000)), "TIFF", compression="group4")
    yield (
        "TIFF 4 billion pixels",
        _tiff((256, 4, 1, 65_535), (257, 4, 1, 65_535), (258, 3, 1, 8), (262, 3, 1, 1)),
    )
    yield "TIFF values without end", _tiff((256, 4, 1, 10), (257, 4, 1, 10), (270, 2, 0xFFFFFFFF, 8))
    many = b"II*\x00\x08\x00\x00\x00"
    for _ in range(100_000):
        many += struct.pack("<HHHIII", 1, 256, 4, 1, 10, len(many) + 18)
    yield "TIFF many directories", many
    yield (
        "TIFF directories in a circle",
        b"II*\x00\x08\x00\x00\x00" + struct.pack("<HHHIII", 1, 256, 4, 1, 10, 8),
    )


def _others() -> Iterator[tuple[str, bytes]]:
    small = Image.new("P", (10, 10))
    yield "GIF many pictures", _saved(small, "GIF", save_all=True, append_images=[small.rotate(90)] * 2000)
    yield (
        "BMP 4 billion pixels",
        b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, 65_535, 65_535, 1, 24, *[0] * 6),
    )
    yield "WebP of nothing", b"RIFF\xff\xff\xff\xffWEBPVP8L\xff\xff\xff\xff/" + b"\xff" * 100
    boxes = b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + b"\x00\x00\x00\x08free" * 1_000_000
    yield "HEIC many boxes", boxes
    yield (
        "HEIC box of 16 EB",
        b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic\x00\x00\x00\x01meta" + b"\xff" * 8,
    )
    yield "blanks", b" " * 60_000_000
    yield "PDF after blanks", b" " * 1000 + b"%PDF-" + b"<" * 30_000_000


if __name__ == "__main__":
    for number, (name, content) in enumerate(bombs()):
        Path(sys.argv[1], f"{number:02} {name}").write_bytes(content)
