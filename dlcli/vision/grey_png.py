"""PNG files of 28x28 grey pixels, as datasets are exported to, without a look for anything else.

Opening such a file with Pillow, and looking for transparency, EXIF data and further frames, takes
three times as long. Files that hold any of these, or are damaged, are left to it.
"""

import zlib
from typing import BinaryIO

from PIL import Image

from dlcli.nn.dimensions import IMAGE_SIDE

# Chunks are a length, a kind, that many bytes and a checksum (ISO/IEC 15948, section 5). The first
# is a header of width, height, 8 bits, grey, and the only compression, filtering and order.
_SIDE = IMAGE_SIDE.to_bytes(4)
_HEADER = b"IHDR" + _SIDE + _SIDE + bytes([8, 0, 0, 0, 0])
_START = b"\x89PNG\r\n\x1a\n\0\0\0\x0d" + _HEADER + zlib.crc32(_HEADER).to_bytes(4)
_END = b"\0\0\0\0IEND" + zlib.crc32(b"IEND").to_bytes(4)
# Pixels that cannot be compressed take 900 bytes.
_MAX_BYTES = 2_000


def read_grey_png(file: BinaryIO) -> Image.Image | None:
    """The picture in a file, if that holds 28x28 grey pixels and nothing else."""
    content = file.read(_MAX_BYTES)
    if not (content.startswith(_START) and content.endswith(_END)):
        return None
    chunk = content[len(_START) : -len(_END)]
    kind, pixels = chunk[4:8], chunk[8:-4]
    whole = len(pixels).to_bytes(4) + kind + pixels + zlib.crc32(kind + pixels).to_bytes(4)
    if kind != b"IDAT" or chunk != whole:
        return None
    try:
        return Image.frombytes("L", (IMAGE_SIDE, IMAGE_SIDE), pixels, "zip", "L", 0)
    except (OSError, ValueError):  # they cannot be decompressed
        return None
