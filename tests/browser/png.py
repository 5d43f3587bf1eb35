"""Makes small PNG files of pictures: 256 colours are plenty for a page. The browser counts them, zlib packs them."""

import base64
import struct
import zlib
from typing import Any

from playwright.sync_api import Page

_COLOURS = 256
# Squared distance of two colours that only one of need be kept.
_ALIKE = 250
# The most frequent colours stay as they are, then those that differ from them; the others become the nearest.
_COUNT = """async ([png, most, alike]) => {
  const bytes = Uint8Array.from(atob(png), (letter) => letter.charCodeAt(0));
  const image = await createImageBitmap(new Blob([bytes]));
  const context = new OffscreenCanvas(image.width, image.height).getContext("2d");
  context.drawImage(image, 0, 0);
  const { data } = context.getImageData(0, 0, image.width, image.height);
  const counts = new Map();
  for (let at = 0; at < data.length; at += 4) {
    const colour = (data[at] << 16) | (data[at + 1] << 8) | data[at + 2];
    counts.set(colour, (counts.get(colour) ?? 0) + 1);
  }
  const apart = (one, other, shift) => (((one >> shift) & 255) - ((other >> shift) & 255)) ** 2;
  const palette = [];
  const nearest = (colour) => {
    let best = 0, least = Infinity;
    palette.forEach((one, place) => {
      const distance = apart(one, colour, 16) + apart(one, colour, 8) + apart(one, colour, 0);
      if (distance < least) [best, least] = [place, distance];
    });
    return [best, least];
  };
  const often = [...counts].sort((one, other) => other[1] - one[1]).map(([colour]) => colour);
  for (const colour of often) {
    if (palette.length === most) break;
    if (palette.length < most / 4 || nearest(colour)[1] > alike) palette.push(colour);
  }
  const places = new Map(palette.map((colour, place) => [colour, place]));
  for (const colour of counts.keys()) if (!places.has(colour)) places.set(colour, nearest(colour)[0]);
  let pixels = "";
  for (let at = 0; at < data.length; at += 4) {
    pixels += String.fromCharCode(places.get((data[at] << 16) | (data[at + 1] << 8) | data[at + 2]));
  }
  return { width: image.width, height: image.height, palette, pixels: btoa(pixels) };
}"""


def small(page: Page, png: bytes) -> bytes:
    """Give the picture again, with 256 colours; `page` is any that may run scripts."""
    told: dict[str, Any] = page.evaluate(_COUNT, [base64.b64encode(png).decode(), _COLOURS, _ALIKE])
    width, height, pixels = told["width"], told["height"], base64.b64decode(told["pixels"])
    # Each row begins with the number of its filter: 0 is none, the best for palettes.
    rows = b"".join(b"\0" + pixels[row * width : (row + 1) * width] for row in range(height))
    palette = b"".join(colour.to_bytes(3, "big") for colour in told["palette"])
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"PLTE", palette), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
