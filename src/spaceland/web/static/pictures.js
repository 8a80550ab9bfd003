// A picture with numbers: which number is under the pointer, and everything but the lit objects darkened.
import { fetchFile } from "/jobs.js";

const LIT = [255, 180, 0];

export class Picture {
  // size: the picture's own pixels, in which discs are placed. map: size of the id map, or undefined.
  constructor(figure, job, file, idsFile, map, size, discPx, discs, on) {
    Object.assign(this, { figure, job, file, idsFile, map, size, discs, on });
    this.radius = (discPx || 0) / 2;
    this.frame = document.createElement("div");
    this.frame.className = "picture";
    this.inner = document.createElement("div");
    this.inner.style.position = "relative";
    this.image = document.createElement("img");
    this.image.alt = file;
    this.image.width = size.width;
    this.image.height = size.height;
    this.cover = document.createElement("canvas");
    this.inner.append(this.image, this.cover);
    this.frame.append(this.inner);
    figure.querySelectorAll(".picture").forEach((old) => old.remove());
    figure.append(this.frame);
    this.last = "";
    this.inner.addEventListener("pointermove", (event) => on.hover(this.markAt(event)));
    this.inner.addEventListener("pointerleave", () => on.hover(null));
    this.inner.addEventListener("click", (event) => { const mark = this.markAt(event); if (mark !== null) on.pin(mark); });
  }

  async load() {
    const picture = fetchFile(this.job, this.file, "blob").then((blob) => {
      this.address = URL.createObjectURL(blob);
      this.image.src = this.address;
      return this.image.decode();
    });
    const ids = this.map ? fetchFile(this.job, this.idsFile).then((data) => {
      this.ids = new Uint16Array(data);
      this.present = new Set(this.ids);
    }) : null;
    await Promise.all([picture, ids]);
  }

  close() { if (this.address) URL.revokeObjectURL(this.address); this.frame.remove(); this.figure.classList.remove("lit", "without"); }

  // The number at the pointer: of a disc, else of the object that the pixel shows.
  markAt(event) {
    const box = this.image.getBoundingClientRect();
    const u = (event.clientX - box.left) / box.width * this.size.width;
    const v = (event.clientY - box.top) / box.height * this.size.height;
    for (const disc of this.discs) {
      if (Math.hypot(u - disc.at[0], v - disc.at[1]) <= this.radius) return disc.mark;
    }
    if (!this.ids) return null;
    const x = Math.floor(u / this.size.width * this.map.width), y = Math.floor(v / this.size.height * this.map.height);
    if (x < 0 || y < 0 || x >= this.map.width || y >= this.map.height) return null;
    return this.ids[y * this.map.width + x] - 1 >= 0 ? this.ids[y * this.map.width + x] - 1 : null;
  }

  light(marks) {
    const here = [...marks].filter((mark) => (this.present && this.present.has(mark + 1)) || this.discs.some((d) => d.mark === mark));
    this.figure.classList.toggle("lit", here.length > 0);
    this.figure.classList.toggle("without", marks.size > 0 && here.length === 0);
    const now = here.join(" ");
    if (now === this.last) return;
    this.last = now;
    this.paint(new Set(here));
  }

  paint(marks) {
    const scale = Math.min(1, 900 / this.size.width);
    const w = this.cover.width = Math.round(this.size.width * scale), h = this.cover.height = Math.round(this.size.height * scale);
    const context = this.cover.getContext("2d");
    context.clearRect(0, 0, w, h);
    if (!marks.size) return;
    if (this.ids && this.map.width > 1) {
      context.imageSmoothingEnabled = true;
      context.drawImage(this.mask(marks), 0, 0, w, h);
    }
    for (const disc of this.discs) {
      if (!marks.has(disc.mark)) continue;
      const [x, y] = disc.at.map((v) => v * scale), radius = this.radius * scale;
      context.globalCompositeOperation = "destination-out";
      context.beginPath(); context.arc(x, y, radius + 1, 0, 7); context.fill();
      context.globalCompositeOperation = "source-over";
      context.strokeStyle = `rgb(${LIT})`;
      context.lineWidth = Math.max(2.5, radius * 0.28);
      context.beginPath(); context.arc(x, y, radius + context.lineWidth / 2, 0, 7); context.stroke();
    }
  }

  // Dark outside the lit objects, with a bright line around them. Maps from estimated depth are speckled, so a pixel
  // counts as inside when a good part of its surroundings is.
  mask(marks) {
    const { width, height } = this.map, reach = Math.max(1, Math.round(width / 240));
    const own = Float32Array.from(this.ids, (id) => (id > 0 && marks.has(id - 1) ? 1 : 0));
    const soft = blur(blur(own, width, height, 1, width, reach), height, width, width, 1, reach);
    const canvas = document.createElement("canvas");
    canvas.width = width; canvas.height = height;
    const context = canvas.getContext("2d"), image = context.createImageData(width, height), data = image.data;
    const inside = (x, y) => x >= 0 && y >= 0 && x < width && y < height && soft[y * width + x] > 0.28;
    for (let y = 0, k = 0; y < height; y++) {
      for (let x = 0; x < width; x++, k += 4) {
        if (inside(x, y)) continue;
        if (inside(x - 1, y) || inside(x + 1, y) || inside(x, y - 1) || inside(x, y + 1)) {
          [data[k], data[k + 1], data[k + 2]] = LIT; data[k + 3] = 255;
        } else { data[k] = 10; data[k + 1] = 16; data[k + 2] = 24; data[k + 3] = 150; }
      }
    }
    context.putImageData(image, 0, 0);
    return canvas;
  }
}

// Mean over 2 reach + 1 values along lines: `count` lines of `length` values, `step` apart, lines `jump` apart.
function blur(values, length, count, step, jump, reach) {
  const out = new Float32Array(values.length);
  for (let line = 0; line < count; line++) {
    const base = line * jump;
    let sum = 0;
    for (let k = -reach; k < length; k++) {
      if (k + reach < length) sum += values[base + (k + reach) * step];
      if (k - reach - 1 >= 0) sum -= values[base + (k - reach - 1) * step];
      if (k >= 0) out[base + k * step] = sum / (2 * reach + 1);
    }
  }
  return out;
}
