// The page: what is lit, which job is shown, and the table. Everything that comes from the server is put in as text.
import { startJobs, call, fetchFile } from "/jobs.js";
import { Picture } from "/pictures.js";
import { Room } from "/room.js";

const by = (id) => document.getElementById(id);
const lights = { hover: null, pinned: new Set() };
let shown = null, pictures = [], room = null, rows = new Map(), known = null, turn = 0;

export function element(name, text, classes) {
  const made = document.createElement(name);
  if (text !== undefined && text !== null) made.textContent = text;
  if (classes) made.className = classes;
  return made;
}

function say(text) { by("problem").textContent = text; }

function lit() { return lights.hover !== null ? new Set([lights.hover]) : lights.pinned; }

function show() {
  const marks = lit();
  document.documentElement.dataset.lit = [...marks].join(" ");
  by("room").classList.toggle("some", marks.size > 0);
  pictures.forEach((picture) => picture.light(marks));
  if (room) room.light(marks);
  rows.forEach((row, mark) => {
    row.classList.toggle("lit", marks.has(mark));
    row.classList.toggle("pinned", lights.pinned.has(mark));
  });
  document.querySelectorAll("button.disc").forEach((b) => b.classList.toggle("lit", marks.has(+b.dataset.mark)));
}

function hover(mark) {
  if (lights.hover === mark) return;
  lights.hover = mark;
  show();
}

function pin(mark, on) {
  const add = on === undefined ? !lights.pinned.has(mark) : on;
  if (add) lights.pinned.add(mark); else lights.pinned.delete(mark);
  show();
}

function clear() { lights.hover = null; lights.pinned.clear(); }

// A number as a small disc that lights its object.
function disc(mark) {
  const button = element("button", String(mark), "disc");
  button.type = "button";
  button.dataset.mark = mark;
  button.addEventListener("pointerenter", () => hover(mark));
  button.addEventListener("pointerleave", () => hover(null));
  button.addEventListener("focus", () => hover(mark));
  button.addEventListener("blur", () => hover(null));
  button.addEventListener("click", (event) => { event.stopPropagation(); pin(mark); });
  return button;
}

const metres = (values) => values.map((v) => v.toFixed(2));

function table(result) {
  rows = new Map();
  by("objects-shown").replaceChildren(...result.objects.map((thing) => {
    const row = element("tr");
    const number = element("td", null, "num");
    number.append(disc(thing.mark));
    row.append(number, element("td", thing.label), element("td", metres(thing.size_m).join(" x ")),
      element("td", metres(thing.center_m).join(", ")), element("td", String(Object.keys(thing.frames).length), "num"));
    row.addEventListener("pointerenter", () => hover(thing.mark));
    row.addEventListener("pointerleave", () => hover(null));
    row.addEventListener("click", () => pin(thing.mark));
    rows.set(thing.mark, row);
    return row;
  }));
  document.querySelectorAll(".unit").forEach((u) => { u.textContent = result.scale_known ? "m" : "unknown unit"; });
}

// Load a finished job; a later choice overtakes an earlier one that still loads.
async function open(job) {
  if (shown === job.id) return;
  shown = job.id;
  const mine = ++turn;
  document.documentElement.dataset.shown = "";
  clear();
  try {
    const result = await call("/result?job=" + job.id);
    if (mine !== turn) return;
    known = result;
    by("empty").hidden = true;
    by("room").hidden = false;
    by("title").textContent = job.title;
    by("facts").textContent = `scene ${result.scene}, ${result.geometry} geometry, ${result.objects.length} numbered ` +
      `objects, ${result.frames.length} frames` + (result.scale_known ? "" : "; the scale is unknown: lengths are not metres");
    by("notes").replaceChildren(...result.view.notes.map((note) => element("li", note)));
    table(result);
    pictures.forEach((picture) => picture.close());
    const maps = new Map(result.view.maps.map((map) => [map.name, map]));
    const bev = new Picture(by("bev"), job.id, "bev", "ids_bev", maps.get("bev"), result.bev, result.view.discs_px.bev,
      result.objects.filter((o) => o.bev_pixel).map((o) => ({ mark: o.mark, at: o.bev_pixel })), { hover, pin });
    by("frames-shown").replaceChildren();
    const frames = result.frames.map((frame, k) => {
      const figure = element("figure", null, "view frame");
      figure.append(element("figcaption", frame.id));
      by("frames-shown").append(figure);
      return new Picture(figure, job.id, "frame_" + k, "ids_" + k, maps.get(String(k)), frame, result.view.discs_px[k],
        result.objects.filter((o) => k in o.frames).map((o) => ({ mark: o.mark, at: o.frames[k] })), { hover, pin });
    });
    pictures = [bev, ...frames];
    if (room) room.close();
    room = new Room(by("solid"), by("lines"), by("space"), result, { hover, pin });
    await Promise.all([...pictures.map((p) => p.load()), fetchFile(job.id, "room").then((data) => {
      if (mine === turn) room.fill(data);
    })]);
    if (mine !== turn) return;
    show();
    document.documentElement.dataset.shown = job.id;
  } catch (error) {
    if (mine === turn) { shown = null; say(error.message); }
  }
}

startJobs({ by, element, say, open, disc, pin, clear, show, current: () => shown, objects: () => (known ? known.objects : []),
  pinned: () => [...lights.pinned] });
