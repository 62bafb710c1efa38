// The map: the whole sky in Mollweide's projection, right ascension growing to the left.
//
// A unit of the drawing is a degree at the center. Outlines are followed around the sphere, so that
// one that crosses the edge of the map goes on outside; it is drawn again 360 degrees further, and
// what is outside is clipped.

import { byId, draw, make, plural } from "./dom.js";
import { circle, outlines, refined, unitVector } from "./regions.js";

const BANDS = ["u", "g", "r", "i", "z", "y"];
/** The elements whose records have the region of a dataset, the smallest first. */
const ELEMENTS = ["visit_detector_region", "patch", "tract", "visit"];
const DEGREE = Math.PI / 180;
const WHOLE = { x: -184, y: -94, width: 368, height: 188 };

let view = { ...WHOLE };
let extent = null;

/** A longitude (it may be beyond ±180) and latitude in degrees, as x and y. */
export function project(lon, lat) {
  let angle = lat * DEGREE;
  const wanted = Math.PI * Math.sin(lat * DEGREE);
  for (let step = 0; step < 60; step += 1) {
    const slope = 2 + 2 * Math.cos(2 * angle);
    if (slope < 1e-9) break;
    const change = (2 * angle + Math.sin(2 * angle) - wanted) / slope;
    angle -= change;
    if (Math.abs(change) < 1e-9) break;
  }
  return [-lon * Math.cos(angle), -90 * Math.sin(angle)];
}

/** What a dataset covers: an identifier, outlines, and how precise that is; none if nothing is known. */
function footprint(dataset) {
  const records = dataset.dataId.records ?? {};
  for (const name of ELEMENTS) {
    const region = records[name]?.record.region;
    if (region) return { key: region, rings: outlines(region) };
  }
  const exposure = records.exposure?.record;
  if (typeof exposure?.tracking_ra === "number" && typeof exposure.tracking_dec === "number") {
    const { tracking_ra: ra, tracking_dec: dec } = exposure;
    const center = unitVector(ra * DEGREE, dec * DEGREE);
    return { key: `${ra} ${dec}`, rings: circle(center, 0.6 * DEGREE), pointing: true };
  }
  return null;
}

/** Longitudes and latitudes of a ring, the former without jumps. */
function followed(ring) {
  const points = [];
  for (const [x, y, z] of refined(ring)) {
    let lon = Math.atan2(y, x) / DEGREE;
    const before = points.at(-1)?.[0] ?? lon;
    lon += 360 * Math.round((before - lon) / 360);
    points.push([lon, Math.atan2(z, Math.hypot(x, y)) / DEGREE]);
  }
  const [first, last] = [points[0], points.at(-1)];
  const turn = 360 * Math.round((last[0] - first[0]) / 360);
  if (turn !== 0) {
    // It goes around a pole: up along one meridian, and down along another.
    const pole = points.reduce((total, [, lat]) => total + lat, 0) > 0 ? 90 : -90;
    const end = first[0] + turn;
    points.push([end, first[1]]);
    for (let step = 1; step <= 20; step += 1) points.push([end, first[1] + ((pole - first[1]) * step) / 20]);
    for (let step = 20; step >= 1; step -= 1) points.push([first[0], first[1] + ((pole - first[1]) * step) / 20]);
  }
  return points;
}

function pathOf(rings, bounds) {
  let path = "";
  for (const ring of rings) {
    const points = followed(ring);
    const lons = points.map(([lon]) => lon);
    const [least, most] = [Math.min(...lons), Math.max(...lons)];
    for (const shift of [-720, -360, 0, 360, 720]) {
      if (most + shift < -180 || least + shift > 180) continue;
      const drawn = points.map(([lon, lat]) => project(lon + shift, lat));
      for (const [x, y] of drawn) bounds.push([Math.max(-180, Math.min(180, x)), y]);
      path += `M${drawn.map((point) => point.map((n) => n.toFixed(3)).join(",")).join("L")}Z`;
    }
  }
  return path;
}

function line(points, main) {
  const d = `M${points.map(([lon, lat]) => project(lon, lat).map((n) => n.toFixed(2)).join(",")).join("L")}`;
  return draw("path", { d, class: main ? "graticule main" : "graticule" });
}

function graticule() {
  const range = (from, to, step) => Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, n) => from + n * step);
  const group = draw("g", {});
  for (const lon of range(-180, 180, 30)) group.append(line(range(-90, 90, 3).map((lat) => [lon, lat]), Math.abs(lon) === 180));
  for (const lat of range(-60, 60, 30)) group.append(line(range(-180, 180, 3).map((lon) => [lon, lat]), lat === 0));
  return group;
}

function labels() {
  const group = draw("g", { id: "degrees", class: "degrees" });
  for (let lon = -150; lon <= 150; lon += 30) {
    const [x, y] = project(lon, 0);
    group.append(draw("text", { x: x.toFixed(1), y: y - 1.2 }, `${(lon + 360) % 360}°`));
  }
  for (const lat of [-60, -30, 30, 60]) {
    const [x, y] = project(0, lat);
    group.append(draw("text", { x, y: (y - 1.2).toFixed(1) }, `${lat > 0 ? "+" : "−"}${Math.abs(lat)}°`));
  }
  return group;
}

/** Draws what datasets cover. `onPick` is told the index of a dataset whose region is clicked. */
export function showSky(datasets, onPick) {
  const places = new Map();
  let without = 0;
  datasets.forEach((dataset, index) => {
    const found = footprint(dataset);
    if (!found) { without += 1; return; }
    const { band } = dataset.dataId.dataId;
    const key = `${found.key} ${band ?? ""}`;
    if (!places.has(key)) places.set(key, { ...found, band, indexes: [] });
    places.get(key).indexes.push(index);
  });
  byId("map").hidden = places.size === 0;
  const bounds = [];
  const group = draw("g", { id: "regions", "clip-path": "url(#edge)" });
  let pointings = 0;
  for (const { rings, band, indexes, pointing } of places.values()) {
    const d = pathOf(rings, bounds);
    if (!d) continue;
    pointings += Number(pointing ?? false);
    const known = BANDS.includes(band) ? band : "none";
    const path = draw("path", { d, class: `region band-${known}`, "data-rows": indexes.join(" "), click: () => onPick(indexes[0]) });
    path.append(draw("title", {}, title(datasets[indexes[0]], indexes.length)));
    group.append(path);
  }
  const edge = () => draw("ellipse", { cx: 0, cy: 0, rx: 180, ry: 90, class: "sphere" });
  byId("sky").replaceChildren(
    draw("defs", {}, draw("clipPath", { id: "edge" }, edge())), edge(), graticule(), labels(), group);
  extent = bounds.length === 0 ? null : around(bounds);
  show(WHOLE);
  const notes = [`${plural(group.childElementCount, pointings > 0 ? "pointing" : "region")} of ${plural(datasets.length - without, "dataset")}`];
  if (without > 0) notes.push(`${plural(without, "dataset")} without a place on the sky`);
  byId("map-caption").textContent = `${notes.join("; ")}. Mollweide, ICRS; right ascension grows to the left.`;
  const bands = new Set([...places.values()].map(({ band }) => band));
  byId("legend").replaceChildren(...BANDS.filter((band) => bands.has(band)).map((band) =>
    make("li", { class: `band-${band}` }, make("i", {}), make("span", {}, band))));
}

function title(dataset, number) {
  const values = Object.entries(dataset.dataId.dataId).map(([key, value]) => `${key} ${value}`);
  return values.join("\n") + (number > 1 ? `\nand ${number - 1} more` : "");
}

/** Marks the region of a dataset, or none. */
export function markRegion(index) {
  for (const path of document.querySelectorAll("#regions .region")) {
    path.classList.toggle("marked", path.dataset.rows.split(" ").includes(String(index)));
  }
}

/** The part of the map with these points, with a margin, twice as wide as high. */
function around(points) {
  let [west, east, north, south] = [Infinity, -Infinity, Infinity, -Infinity];
  for (const [x, y] of points) {
    west = Math.min(west, x); east = Math.max(east, x);
    north = Math.min(north, y); south = Math.max(south, y);
  }
  const width = Math.max(4, 1.15 * (east - west), 2.3 * (south - north));
  return { x: (west + east - width) / 2, y: (north + south - width / 2) / 2, width, height: width / 2 };
}

function show(part) {
  view = { ...part };
  const sky = byId("sky");
  sky.setAttribute("viewBox", `${view.x} ${view.y} ${view.width} ${view.height}`);
  byId("degrees")?.setAttribute("font-size", (view.width / 75).toFixed(3));
}

function zoom(factor) {
  const width = Math.min(WHOLE.width, Math.max(0.5, view.width * factor));
  const height = (width * view.height) / view.width;
  show({ x: view.x + (view.width - width) / 2, y: view.y + (view.height - height) / 2, width, height });
}

const pan = (x, y) => show({ ...view, x: view.x + x * view.width, y: view.y + y * view.height });

const KEYS = {
  "+": () => zoom(1 / 1.5), "-": () => zoom(1.5), 0: () => show(WHOLE),
  ArrowLeft: () => pan(-0.1, 0), ArrowRight: () => pan(0.1, 0), ArrowUp: () => pan(0, -0.1), ArrowDown: () => pan(0, 0.1),
};

/** Connects the buttons and keys of the map. */
export function prepareSky() {
  byId("zoom-in").addEventListener("click", () => zoom(1 / 1.5));
  byId("zoom-out").addEventListener("click", () => zoom(1.5));
  byId("zoom-all").addEventListener("click", () => show(WHOLE));
  byId("zoom-fit").addEventListener("click", () => show(extent ?? WHOLE));
  byId("sky").addEventListener("keydown", (event) => {
    if (!(event.key in KEYS) || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    KEYS[event.key]();
  });
}
