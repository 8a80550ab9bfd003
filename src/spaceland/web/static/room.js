// The room in 3D: turns, comes closer, tells which number is under the pointer, and shows what is lit with its box.
import { Raster, drawSurface, project } from "/raster.js";

const SKY = 0xfff2eee9, MOST_PIXELS = 520000;
const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];

export class Room {
  constructor(solid, lines, figure, result, on) {
    Object.assign(this, { solid, lines, figure, result, on, marks: new Set(), waiting: false, number: 0 });
    this.ends = new AbortController();
    const listen = (name, act) => solid.addEventListener(name, act, { signal: this.ends.signal, passive: false });
    listen("pointerdown", (event) => { solid.setPointerCapture(event.pointerId); this.from = [event.clientX, event.clientY]; this.moved = false; });
    listen("pointermove", (event) => this.move(event));
    listen("pointerup", (event) => { this.from = null; if (!this.moved) { const mark = this.markAt(event); if (mark !== null) on.pin(mark); } });
    listen("pointercancel", () => { this.from = null; });
    listen("pointerleave", () => on.hover(null));
    listen("dblclick", () => { this.start(); this.redraw(); });
    listen("wheel", (event) => { event.preventDefault(); this.distance *= Math.exp(Math.max(-80, Math.min(80, event.deltaY)) * 0.002); this.redraw(); });
    listen("keydown", (event) => this.press(event));
    this.watch = new ResizeObserver(() => this.redraw());
    this.watch.observe(solid);
  }

  close() { this.ends.abort(); this.watch.disconnect(); }

  // data: positions, triangles, numbers and colours one after the other (see web/views.py).
  fill(data) {
    const { vertices, faces } = this.result.view.room;
    const positions = new Float32Array(data, 0, 3 * vertices);
    this.surface = { positions, faces: new Uint32Array(data, 12 * vertices, 3 * faces),
      numbers: new Uint16Array(data, 12 * vertices + 12 * faces, vertices),
      colors: new Uint8Array(data, 14 * vertices + 12 * faces, 3 * vertices) };
    // Stray points far off do not count for what is in the middle.
    const ends = [0, 1, 2].map((axis) => {
      const values = Float32Array.from({ length: Math.min(vertices, 20000) }, (_, k) => positions[3 * Math.floor(k * vertices / Math.min(vertices, 20000)) + axis]).sort();
      return values.length ? [values[Math.floor(values.length * 0.004)], values[Math.ceil(values.length * 0.996) - 1]] : [-1, 1];
    });
    this.middle = ends.map(([low, high]) => (low + high) / 2);
    const few = Math.min(vertices, 1500), inside = (k) => ends.every(([low, high], axis) => positions[3 * k + axis] >= low && positions[3 * k + axis] <= high);
    this.corners = Array.from({ length: few }, (_, k) => Math.floor(k * vertices / few)).filter(inside).map((k) => [...positions.subarray(3 * k, 3 * k + 3)]);
    if (faces) this.shade();
    this.start();
    this.redraw();
  }

  // Look from above at an angle, as near as shows everything.
  start() {
    this.azimuth = -Math.PI / 2 - 0.5; this.elevation = 0.85; this.target = [...this.middle];
    const wide = this.solid.clientWidth || 600, high = this.solid.clientHeight || 500;
    const fits = () => this.corners.every((corner) => {
      const seen = project(this.camera(wide, high), wide, high, ...corner);
      return seen && Math.abs(seen[0] / wide - 0.5) < 0.47 && Math.abs(seen[1] / high - 0.5) < 0.47;
    });
    for (this.distance = 0.5; this.distance < 500 && !fits(); this.distance *= 1.04);
  }

  // Brightness of each triangle by its direction. Those of the room itself get a normal that points inwards, so that
  // the walls between the eye and the room can be left out.
  shade() {
    const { positions: p, faces, numbers } = this.surface, count = faces.length / 3;
    this.normals = new Float32Array(3 * count);
    this.light_of = new Float32Array(count);
    for (let k = 0; k < count; k++) {
      const [a, b, c] = [3 * faces[3 * k], 3 * faces[3 * k + 1], 3 * faces[3 * k + 2]];
      const at = (from, to) => [p[to] - p[from], p[to + 1] - p[from + 1], p[to + 2] - p[from + 2]];
      let n = cross(at(a, b), at(a, c));
      const length = Math.hypot(...n) || 1;
      n = n.map((v) => v / length);
      this.light_of[k] = 0.72 + 0.2 * Math.abs(n[2]) + 0.08 * Math.abs(n[0]);
      const inward = [this.middle[0] - p[a], this.middle[1] - p[a + 1], this.middle[2] - p[a + 2]];
      if (dot(n, inward) < 0) n = n.map((v) => -v);
      if (numbers[faces[3 * k]] || numbers[faces[3 * k + 1]] || Math.abs(n[2]) > 0.7) n = [0, 0, 0]; // always shown
      this.normals.set(n, 3 * k);
    }
  }

  camera(width, height) {
    const ce = Math.cos(this.elevation), forward = [-Math.cos(this.azimuth) * ce, -Math.sin(this.azimuth) * ce, -Math.sin(this.elevation)];
    const right = [-Math.sin(this.azimuth), Math.cos(this.azimuth), 0], down = cross(forward, right);
    return { forward, right, down, eye: this.target.map((v, k) => v - this.distance * forward[k]), focal: 1.15 * Math.min(width, height * 1.3) };
  }

  move(event) {
    if (!this.from) { this.on.hover(this.markAt(event)); return; }
    const dx = event.clientX - this.from[0], dy = event.clientY - this.from[1];
    if (!this.moved && Math.hypot(dx, dy) < 4) return;
    this.moved = true;
    this.from = [event.clientX, event.clientY];
    if (event.shiftKey) this.shift(dx, dy); else this.turn(-dx * 0.008, dy * 0.008);
  }

  turn(azimuth, elevation) {
    this.azimuth += azimuth;
    this.elevation = Math.max(-0.3, Math.min(1.55, this.elevation + elevation));
    this.redraw();
  }

  shift(dx, dy) {
    const { right, down, focal } = this.camera(this.solid.clientWidth, this.solid.clientHeight), step = this.distance / focal;
    this.target = this.target.map((v, k) => v - step * (dx * right[k] + dy * down[k]));
    this.redraw();
  }

  press(event) {
    const steps = { ArrowLeft: [-0.12, 0], ArrowRight: [0.12, 0], ArrowUp: [0, 0.1], ArrowDown: [0, -0.1] }[event.key];
    if (steps) this.turn(...steps);
    else if (event.key === "+" || event.key === "-") { this.distance *= event.key === "+" ? 0.9 : 1.1; this.redraw(); }
    else return;
    event.preventDefault();
  }

  markAt(event) {
    if (!this.raster) return null;
    const box = this.solid.getBoundingClientRect();
    const x = Math.floor((event.clientX - box.left) / box.width * this.raster.width);
    const y = Math.floor((event.clientY - box.top) / box.height * this.raster.height);
    if (x < 0 || y < 0 || x >= this.raster.width || y >= this.raster.height) return null;
    const number = this.raster.numbers[y * this.raster.width + x];
    return number ? number - 1 : null;
  }

  light(marks) {
    const now = [...marks].join(" ");
    if (this.figure.dataset.lit === now) return;
    this.figure.dataset.lit = now;
    this.marks = marks;
    this.figure.classList.toggle("lit", this.result.objects.some((thing) => marks.has(thing.mark)));
    this.redraw();
  }

  redraw() {
    if (this.waiting || !this.surface) return;
    this.waiting = true;
    requestAnimationFrame(() => { this.waiting = false; this.draw(); });
  }

  draw() {
    const wide = this.solid.clientWidth, high = this.solid.clientHeight;
    if (!wide || !high) return;
    const began = performance.now(), scale = Math.min(1, Math.sqrt(MOST_PIXELS / (wide * high)));
    const width = Math.round(wide * scale), height = Math.round(high * scale);
    if (!this.raster || this.raster.width !== width || this.raster.height !== height) {
      this.raster = new Raster(width, height);
      this.solid.width = width; this.solid.height = height;
    }
    const camera = this.camera(width, height), { positions, faces, numbers, colors } = this.surface;
    const some = this.marks.size > 0, lit = new Set([...this.marks].map((mark) => mark + 1));
    const paint = (v, light, number) => {
      let r = colors[3 * v] * light, g = colors[3 * v + 1] * light, b = colors[3 * v + 2] * light;
      if (some && lit.has(number)) { r = 0.45 * r + 140; g = 0.45 * g + 99; b *= 0.45; }
      else if (some) { r *= 0.5; g *= 0.5; b *= 0.5; }
      return (0xff000000 | (b & 255) << 16 | (g & 255) << 8 | (r & 255)) >>> 0;
    };
    this.raster.clear(SKY);
    drawSurface(this.raster, camera, this.surface, faces.length ? (k) => {
      const a = faces[3 * k], n = 3 * k, N = this.normals, e = camera.eye;
      if (N[n] * (e[0] - positions[3 * a]) + N[n + 1] * (e[1] - positions[3 * a + 1]) + N[n + 2] * (e[2] - positions[3 * a + 2]) < 0) return 0;
      const b = faces[3 * k + 1], c = faces[3 * k + 2];
      return paint(a, this.light_of[k], numbers[b] === numbers[c] ? numbers[b] : numbers[a]);
    } : (k) => paint(k, 1, numbers[k]));
    this.solid.getContext("2d").putImageData(this.raster.image, 0, 0);
    this.sketch(camera, wide, high, scale);
    this.solid.dataset.drawn = ++this.number;
    this.solid.dataset.ms = (performance.now() - began).toFixed(1);
  }

  // Lines above the picture: the camera's way, the frames, numbers, and the boxes of what is lit.
  sketch(camera, wide, high, scale) {
    const ratio = window.devicePixelRatio || 1, context = this.lines.getContext("2d");
    this.lines.width = wide * ratio; this.lines.height = high * ratio;
    context.scale(ratio, ratio);
    const own = { ...camera, focal: camera.focal / scale }, at = (p) => project(own, wide, high, ...p);
    const stroke = (points, color, thick) => {
      context.strokeStyle = color; context.lineWidth = thick; context.lineJoin = "round";
      context.beginPath();
      let pen = false;
      for (const point of points) {
        const seen = point && at(point);
        if (!seen) { pen = false; continue; }
        if (pen) context.lineTo(seen[0], seen[1]); else context.moveTo(seen[0], seen[1]);
        pen = true;
      }
      context.stroke();
    };
    stroke(this.result.view.path, "rgba(14,112,104,.55)", 1.5);
    for (const frame of this.result.frames) {
      const T = frame.T_world_cam, [fx, fy, cx, cy] = frame.intrinsics, z = 0.22;
      const world = (x, y, d) => [0, 1, 2].map((k) => T[k][0] * x + T[k][1] * y + T[k][2] * d + T[k][3]);
      const c = [[0, 0], [frame.width, 0], [frame.width, frame.height], [0, frame.height]].map(([u, v]) => world((u - cx) / fx * z, (v - cy) / fy * z, z));
      const eye = world(0, 0, 0);
      stroke([...c, c[0], eye, c[1], null, c[2], eye, c[3]], "rgba(14,112,104,.8)", 1);
    }
    context.font = "700 12px system-ui, sans-serif"; context.textAlign = "center"; context.textBaseline = "middle";
    for (const thing of this.result.objects) {
      const on = this.marks.has(thing.mark);
      if (on) {
        const q = thing.corners;
        for (let a = 0; a < 8; a++) for (let bit = 1; bit < 8; bit <<= 1) if (!(a & bit)) stroke([q[a], q[a | bit]], "#ffb400", 2);
      }
      const seen = at(thing.center_m);
      if (!seen) continue;
      const text = String(thing.mark), radius = Math.max(10, 4 + 4 * text.length);
      context.globalAlpha = this.marks.size && !on ? 0.35 : 1;
      context.beginPath(); context.arc(seen[0], seen[1], radius, 0, 7);
      context.fillStyle = "#8b0000"; context.fill();
      if (on) { context.strokeStyle = "#ffb400"; context.lineWidth = 3; context.stroke(); }
      context.fillStyle = "#fff"; context.fillText(text, seen[0], seen[1] + 0.5);
      context.globalAlpha = 1;
    }
  }
}
