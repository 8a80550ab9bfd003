// Draws triangles and points into plain arrays: colour, depth and number of every pixel. No GPU, no library.
// Camera: eye, and the axes right, down, forward as rows; focal length in pixels; the middle of the picture is the axis.
const NEAR = 0.05;

export class Raster {
  constructor(width, height) {
    Object.assign(this, { width, height });
    this.image = new ImageData(width, height);
    this.pixels = new Uint32Array(this.image.data.buffer);
    this.inverse = new Float32Array(width * height); // 1 / depth, 0 where nothing is
    this.numbers = new Uint16Array(width * height);
  }

  clear(color) {
    this.pixels.fill(color);
    this.inverse.fill(0);
    this.numbers.fill(0);
  }

  // Numbers are those of the mesh: 0 none, else number + 1.
  triangle(ax, ay, ai, bx, by, bi, cx, cy, ci, color, number) {
    const area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax);
    if (area === 0 || !isFinite(area)) return;
    const { width, height, inverse, pixels, numbers } = this;
    const x0 = Math.max(0, Math.ceil(Math.min(ax, bx, cx) - 0.5)), x1 = Math.min(width - 1, Math.floor(Math.max(ax, bx, cx) - 0.5));
    const y0 = Math.max(0, Math.ceil(Math.min(ay, by, cy) - 0.5)), y1 = Math.min(height - 1, Math.floor(Math.max(ay, by, cy) - 0.5));
    if (x0 > x1 || y0 > y1) return;
    // Weights of b and c grow evenly along a row and from row to row, and so does 1 / depth.
    const ux = (cy - ay) / area, uy = -(cx - ax) / area, vx = -(by - ay) / area, vy = (bx - ax) / area;
    for (let y = y0; y <= y1; y++) {
      const dy = y + 0.5 - ay;
      let dx = x0 + 0.5 - ax, u = dx * ux + dy * uy, v = dx * vx + dy * vy, at = y * width + x0;
      for (let x = x0; x <= x1; x++, u += ux, v += vx, at++) {
        if (u < -1e-5 || v < -1e-5 || u + v > 1.00001) continue;
        const near = ai + u * (bi - ai) + v * (ci - ai);
        if (near <= inverse[at]) continue;
        inverse[at] = near; pixels[at] = color; numbers[at] = number;
      }
    }
  }

  square(x, y, near, half, color, number) {
    const { width, height, inverse, pixels, numbers } = this;
    const x0 = Math.max(0, Math.round(x - half)), x1 = Math.min(width - 1, Math.round(x + half));
    const y0 = Math.max(0, Math.round(y - half)), y1 = Math.min(height - 1, Math.round(y + half));
    for (let row = y0; row <= y1; row++) {
      for (let at = row * width + x0; at <= row * width + x1; at++) {
        if (near <= inverse[at]) continue;
        inverse[at] = near; pixels[at] = color; numbers[at] = number;
      }
    }
  }
}

export function project(camera, width, height, x, y, z) {
  const dx = x - camera.eye[0], dy = y - camera.eye[1], dz = z - camera.eye[2];
  const along = (a) => dx * a[0] + dy * a[1] + dz * a[2];
  const depth = along(camera.forward);
  if (depth < NEAR) return null;
  return [width / 2 + camera.focal * along(camera.right) / depth, height / 2 + camera.focal * along(camera.down) / depth, depth];
}

// All of a surface. colorOf(face or point) gives the packed colour, or 0 to leave it out.
export function drawSurface(raster, camera, surface, colorOf) {
  const { positions, faces, numbers } = surface, count = positions.length / 3;
  const { width, height } = raster, { eye, right, down, forward, focal } = camera;
  const xs = surface.xs ||= new Float32Array(count), ys = surface.ys ||= new Float32Array(count), zs = surface.zs ||= new Float32Array(count);
  for (let k = 0; k < count; k++) {
    const dx = positions[3 * k] - eye[0], dy = positions[3 * k + 1] - eye[1], dz = positions[3 * k + 2] - eye[2];
    xs[k] = dx * right[0] + dy * right[1] + dz * right[2];
    ys[k] = dx * down[0] + dy * down[1] + dz * down[2];
    zs[k] = dx * forward[0] + dy * forward[1] + dz * forward[2];
  }
  const w2 = width / 2, h2 = height / 2;
  if (!faces.length) {
    for (let k = 0; k < count; k++) {
      if (zs[k] < NEAR) continue;
      const color = colorOf(k);
      if (color) raster.square(w2 + focal * xs[k] / zs[k] - 0.5, h2 + focal * ys[k] / zs[k] - 0.5, 1 / zs[k],
        Math.min(6, focal * 0.011 / zs[k]), color, numbers[k]);
    }
    return;
  }
  const clipped = [];
  for (let f = 0, k = 0; f < faces.length; f += 3, k++) {
    const a = faces[f], b = faces[f + 1], c = faces[f + 2];
    const behind = (zs[a] < NEAR) + (zs[b] < NEAR) + (zs[c] < NEAR);
    if (behind === 3) continue;
    const color = colorOf(k);
    if (!color) continue;
    const number = numbers[b] === numbers[c] ? numbers[b] : numbers[a];
    if (!behind) {
      const ai = 1 / zs[a], bi = 1 / zs[b], ci = 1 / zs[c];
      raster.triangle(w2 + focal * xs[a] * ai, h2 + focal * ys[a] * ai, ai, w2 + focal * xs[b] * bi, h2 + focal * ys[b] * bi, bi,
        w2 + focal * xs[c] * ci, h2 + focal * ys[c] * ci, ci, color, number);
      continue;
    }
    // Cut off what lies behind the camera: three or four corners remain.
    clipped.length = 0;
    const corners = [a, b, c];
    for (let e = 0; e < 3; e++) {
      const p = corners[e], q = corners[(e + 1) % 3];
      if (zs[p] >= NEAR) clipped.push([xs[p], ys[p], zs[p]]);
      if ((zs[p] >= NEAR) !== (zs[q] >= NEAR)) {
        const t = (NEAR - zs[p]) / (zs[q] - zs[p]);
        clipped.push([xs[p] + t * (xs[q] - xs[p]), ys[p] + t * (ys[q] - ys[p]), NEAR]);
      }
    }
    const seen = clipped.map(([x, y, z]) => [w2 + focal * x / z, h2 + focal * y / z, 1 / z]);
    for (let e = 2; e < seen.length; e++) raster.triangle(...seen[0], ...seen[e - 1], ...seen[e], color, number);
  }
}
