/**
 * The ground under the map when there is no tile server: a chart in metres, drawn on one canvas.
 * Grid with distances from where the call began, rings around the citizen, trails, accuracy, and the line of sight
 * between rescuer and citizen.
 */

import L from "leaflet";
import { niceStep, formatDistance, type Point } from "../geo/geo";

export interface Track {
  color: string;
  trail: Point[];
  at: Point;
  accuracy: number | null;
}

export interface ChartData {
  /** Where the grid has its zero. */
  origin: Point | null;
  tracks: Track[];
  rings: Point | null;
  sight: { from: Point; to: Point; label: string } | null;
  /** Tiles lie below: the grid steps back. */
  overTiles: boolean;
}

const METRES_PER_DEGREE = 111_320;
const FONT = "11px ui-sans-serif, system-ui, sans-serif";

export class Chart extends L.Layer {
  #canvas: HTMLCanvasElement | null = null;
  #chart: L.Map | null = null;
  #data: ChartData = { origin: null, tracks: [], rings: null, sight: null, overTiles: false };

  override onAdd(map: L.Map): this {
    this.#chart = map;
    this.#canvas = L.DomUtil.create("canvas", "chart", map.getPane("overlayPane"));
    this.#canvas.setAttribute("aria-hidden", "true");
    map.on("move zoom resize viewreset", this.draw, this);
    this.draw();
    return this;
  }

  override onRemove(map: L.Map): this {
    map.off("move zoom resize viewreset", this.draw, this);
    this.#canvas?.remove();
    this.#canvas = null;
    return this;
  }

  show(data: ChartData): void {
    this.#data = data;
    this.draw();
  }

  draw(): void {
    const map = this.#chart;
    const canvas = this.#canvas;
    if (map === null || canvas === null) return;
    const { x: width, y: height } = map.getSize();
    if (width === 0 || height === 0) return;
    const density = Math.min(3, window.devicePixelRatio || 1);
    if (canvas.width !== Math.round(width * density) || canvas.height !== Math.round(height * density)) {
      canvas.width = Math.round(width * density);
      canvas.height = Math.round(height * density);
      canvas.style.width = `${width}px`;
      canvas.style.height = `${height}px`;
    }
    L.DomUtil.setPosition(canvas, map.containerPointToLayerPoint([0, 0]));
    const pen = canvas.getContext("2d");
    if (pen === null) return;
    pen.setTransform(density, 0, 0, density, 0, 0);
    pen.clearRect(0, 0, width, height);
    pen.font = FONT;
    const style = getComputedStyle(canvas);
    const ink = (name: string): string => style.getPropertyValue(name).trim();
    const place = (point: Point): L.Point => map.latLngToContainerPoint([point.latitude, point.longitude]);
    const centre = map.getCenter();
    const perPixel = (40_075_016.686 * Math.cos((centre.lat * Math.PI) / 180)) / (256 * 2 ** map.getZoom());

    this.#grid(pen, map, width, height, perPixel, ink);
    if (this.#data.rings) this.#rings(pen, place(this.#data.rings), width, height, this.#data.sight && place(this.#data.sight.from), perPixel, ink);
    for (const track of this.#data.tracks) this.#track(pen, track, place, perPixel);
    if (this.#data.sight) this.#sight(pen, this.#data.sight, place, ink);
  }

  #grid(pen: CanvasRenderingContext2D, map: L.Map, width: number, height: number, perPixel: number, ink: (name: string) => string): void {
    const origin = this.#data.origin ?? { latitude: map.getCenter().lat, longitude: map.getCenter().lng };
    const zero = map.latLngToContainerPoint([origin.latitude, origin.longitude]);
    const scale = Math.cos((origin.latitude * Math.PI) / 180);
    // Pixels per metre, taken from the projection itself so that lines and markers agree.
    const east = map.latLngToContainerPoint([origin.latitude, origin.longitude + 1000 / (METRES_PER_DEGREE * scale)]);
    const perMetre = (east.x - zero.x) / 1000;
    if (!(perMetre > 0)) return;
    const major = niceStep(perPixel * 90);
    const minor = major / 5;
    pen.lineWidth = 1;
    pen.globalAlpha = this.#data.overTiles ? 0.35 : 1;
    const lines = (start: number, length: number, draw: (offset: number, step: number) => void): void => {
      const first = Math.ceil((0 - start) / perMetre / minor);
      const last = Math.floor((length - start) / perMetre / minor);
      for (let step = first; step <= last && step - first < 400; step += 1) draw(Math.round(start + step * minor * perMetre) + 0.5, step);
    };
    const stroke = (step: number): void => {
      pen.strokeStyle = step === 0 ? ink("--chart-axis") : step % 5 === 0 ? ink("--chart-major") : ink("--chart-minor");
      pen.stroke();
    };
    lines(zero.x, width, (x, step) => { pen.beginPath(); pen.moveTo(x, 0); pen.lineTo(x, height); stroke(step); });
    lines(zero.y, height, (y, step) => { pen.beginPath(); pen.moveTo(0, y); pen.lineTo(width, y); stroke(step); });

    // Distances from the start of the call along the lower and the right edge, as on a nautical chart.
    pen.fillStyle = ink("--chart-text");
    const ground = ink("--chart-ground");
    pen.textBaseline = "alphabetic";
    pen.textAlign = "center";
    lines(zero.x, width - 44, (x, step) => {
      if (step % 5 === 0 && x > 130) halo(pen, mark(step * minor, "E", "W"), x, height - 6, ground);
    });
    pen.textAlign = "right";
    pen.textBaseline = "middle";
    lines(zero.y, height - 22, (y, step) => {
      if (step % 5 === 0 && y > 60 && y < height - 112) halo(pen, mark(-step * minor, "N", "S"), width - 6, y, ground);
    });
    pen.globalAlpha = 1;
  }

  #rings(pen: CanvasRenderingContext2D, centre: L.Point, width: number, height: number, rescuer: L.Point | null, perPixel: number, ink: (name: string) => string): void {
    const reach = Math.max(width, height);
    const step = niceStep((reach / 6) * perPixel);
    const side = this.#labelSide(centre, width, height, rescuer);
    pen.strokeStyle = ink("--chart-ring");
    pen.fillStyle = ink("--chart-ring-text");
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.setLineDash([2, 4]);
    for (let ring = 1; ring <= 6; ring += 1) {
      const radius = (ring * step) / perPixel;
      if (radius > reach * 1.5) break;
      pen.beginPath();
      pen.arc(centre.x, centre.y, radius, 0, 2 * Math.PI);
      pen.stroke();
      const x = centre.x + radius * Math.SQRT1_2 * side.x;
      const y = centre.y + radius * Math.SQRT1_2 * side.y;
      halo(pen, formatDistance(ring * step), x, y, ink("--chart-ground"));
    }
    pen.setLineDash([]);
  }

  /** The diagonal for the rings' labels: where neither axis nor the rescuer is, and where there is most room. */
  #labelSide(centre: L.Point, width: number, height: number, rescuer: L.Point | null): { x: number; y: number } {
    const towards = rescuer === null ? null : Math.atan2(rescuer.y - centre.y, rescuer.x - centre.x);
    const sides = [{ x: 1, y: -1 }, { x: 1, y: 1 }, { x: -1, y: 1 }, { x: -1, y: -1 }].map((side) => {
      const room = Math.min(side.x > 0 ? width - centre.x : centre.x, side.y > 0 ? height - centre.y : centre.y);
      const apart = towards === null ? 1 : 1 - Math.cos(Math.atan2(side.y, side.x) - towards);
      return { side, worth: room * Math.min(1, apart * 2) };
    });
    return sides.reduce((best, other) => (other.worth > best.worth + 1 ? other : best)).side;
  }

  #track(pen: CanvasRenderingContext2D, track: Track, place: (point: Point) => L.Point, perPixel: number): void {
    const at = place(track.at);
    pen.strokeStyle = track.color;
    pen.fillStyle = track.color;
    if (track.accuracy !== null) {
      pen.beginPath();
      pen.arc(at.x, at.y, track.accuracy / perPixel, 0, 2 * Math.PI);
      pen.globalAlpha = 0.12;
      pen.fill();
      pen.globalAlpha = 0.45;
      pen.lineWidth = 1;
      pen.stroke();
    }
    // The trail fades with its age: drawn in pieces, the newest strongest.
    const points = [...track.trail.map(place), at];
    const pieces = 12;
    pen.lineWidth = 3;
    pen.lineJoin = "round";
    pen.lineCap = "butt";
    for (let piece = 0; piece < pieces; piece += 1) {
      const from = Math.floor((piece * (points.length - 1)) / pieces);
      const to = Math.floor(((piece + 1) * (points.length - 1)) / pieces);
      const first = points[from];
      if (to <= from || first === undefined) continue;
      pen.beginPath();
      pen.moveTo(first.x, first.y);
      for (const point of points.slice(from + 1, to + 1)) pen.lineTo(point.x, point.y);
      pen.globalAlpha = 0.15 + (0.6 * (piece + 1)) / pieces;
      pen.stroke();
    }
    pen.globalAlpha = 1;
  }

  #sight(pen: CanvasRenderingContext2D, sight: { from: Point; to: Point; label: string }, place: (point: Point) => L.Point, ink: (name: string) => string): void {
    const from = place(sight.from);
    const to = place(sight.to);
    const length = from.distanceTo(to);
    pen.strokeStyle = ink("--chart-sight");
    pen.lineWidth = 1.5;
    pen.setLineDash([6, 5]);
    pen.beginPath();
    pen.moveTo(from.x, from.y);
    pen.lineTo(to.x, to.y);
    pen.stroke();
    pen.setLineDash([]);
    const labelWidth = pen.measureText(sight.label).width + 14;
    if (length < labelWidth + 50) return;
    const x = (from.x + to.x) / 2;
    const y = (from.y + to.y) / 2;
    pen.fillStyle = ink("--chart-label");
    pen.beginPath();
    pen.roundRect(x - labelWidth / 2, y - 10, labelWidth, 20, 10);
    pen.fill();
    pen.stroke();
    pen.fillStyle = ink("--chart-label-text");
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.fillText(sight.label, x, y + 0.5);
  }
}

/** Text with the ground's colour around it, so that lines do not run through it. */
function halo(pen: CanvasRenderingContext2D, text: string, x: number, y: number, ground: string): void {
  const { strokeStyle, lineWidth } = pen;
  const dash = pen.getLineDash();
  pen.setLineDash([]);
  pen.strokeStyle = ground;
  pen.lineWidth = 4;
  pen.strokeText(text, x, y);
  pen.fillText(text, x, y);
  pen.strokeStyle = strokeStyle;
  pen.lineWidth = lineWidth;
  pen.setLineDash(dash);
}

function mark(metres: number, plus: string, minus: string): string {
  return metres === 0 ? "0" : `${formatDistance(Math.abs(metres))} ${metres > 0 ? plus : minus}`;
}
