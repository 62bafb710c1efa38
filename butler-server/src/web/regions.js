// Regions as sphgeom encodes them (in hexadecimal), as outlines: rings of unit vectors.
//
// A byte says what it is; numbers are little-endian doubles, angles are radians. Ellipses and
// intersections have no outline here: no dimension record has them.

const CORNERS_OF_CIRCLE = 48;

/** The outlines of a region; none if it has no form that can be drawn. */
export function outlines(hexadecimal) {
  const bytes = Uint8Array.from(hexadecimal.match(/../g) ?? [], (pair) => parseInt(pair, 16));
  return decode(new DataView(bytes.buffer));
}

function decode(view) {
  const number = (index) => view.getFloat64(1 + 8 * index, true);
  const vector = (index) => [0, 1, 2].map((axis) => number(3 * index + axis));
  switch (String.fromCharCode(view.getUint8(0))) {
    case "p": return [Array.from({ length: (view.byteLength - 1) / 24 }, (_, index) => vector(index))];
    case "c": return circle(vector(0), number(4));
    case "b": return box(number(0), number(1), number(2), number(3));
    case "u": return parts(view).flatMap(decode);
    default: return [];
  }
}

/** The regions of a union: each after its length, in eight bytes. */
function parts(view) {
  const found = [];
  for (let at = 1; at < view.byteLength;) {
    const length = Number(view.getBigUint64(at, true));
    found.push(new DataView(view.buffer, view.byteOffset + at + 8, length));
    at += 8 + length;
  }
  return found;
}

/** The unit vector at a longitude and latitude. */
export const unitVector = (lon, lat) =>
  [Math.cos(lat) * Math.cos(lon), Math.cos(lat) * Math.sin(lon), Math.sin(lat)];

const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
const scaled = (a, factor) => a.map((x) => x * factor);
const sum = (...vectors) => [0, 1, 2].map((axis) => vectors.reduce((total, v) => total + v[axis], 0));
const normalized = (a) => scaled(a, 1 / Math.hypot(...a));

/** A circle around a center. */
export function circle(center, radius) {
  if (!(radius >= 0) || radius >= Math.PI) return [];
  const side = normalized(cross(center, Math.abs(center[2]) < 0.9 ? [0, 0, 1] : [1, 0, 0]));
  const other = cross(center, side);
  return [Array.from({ length: CORNERS_OF_CIRCLE }, (_, index) => {
    const angle = (2 * Math.PI * index) / CORNERS_OF_CIRCLE;
    const out = sum(scaled(side, Math.cos(angle)), scaled(other, Math.sin(angle)));
    return sum(scaled(center, Math.cos(radius)), scaled(out, Math.sin(radius)));
  })];
}

function box(west, east, south, north) {
  if (Number.isNaN(west) || south > north) return [];
  const width = east >= west ? east - west : east - west + 2 * Math.PI;
  const steps = Math.max(1, Math.ceil(width / 0.05));
  const along = (lat) => Array.from({ length: steps + 1 }, (_, step) => unitVector(west + (width * step) / steps, lat));
  return [[...along(south), ...along(north).reverse()]];
}

/** The ring with points added where its sides, which are arcs of great circles, are long. */
export function refined(ring, step = 0.03) {
  return ring.flatMap((start, index) => {
    const end = ring[(index + 1) % ring.length];
    const angle = Math.atan2(Math.hypot(...cross(start, end)), start.reduce((total, x, axis) => total + x * end[axis], 0));
    const pieces = Math.min(200, Math.max(1, Math.ceil(angle / step)));
    return Array.from({ length: pieces }, (_, piece) =>
      (piece === 0 ? start : normalized(sum(scaled(start, 1 - piece / pieces), scaled(end, piece / pieces)))));
  });
}
