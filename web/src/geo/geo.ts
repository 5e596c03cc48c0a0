/** Distances, bearings and coordinates on the sphere. Degrees and metres. */

export interface Point {
  latitude: number;
  longitude: number;
}

const EARTH = 6_371_008.8;
const rad = (degrees: number): number => (degrees * Math.PI) / 180;
const deg = (radians: number): number => (radians * 180) / Math.PI;

/** Great-circle distance in metres. */
export function distance(a: Point, b: Point): number {
  const dLat = rad(b.latitude - a.latitude);
  const dLon = rad(b.longitude - a.longitude);
  const h = Math.sin(dLat / 2) ** 2 + Math.cos(rad(a.latitude)) * Math.cos(rad(b.latitude)) * Math.sin(dLon / 2) ** 2;
  return 2 * EARTH * Math.asin(Math.min(1, Math.sqrt(h)));
}

/** Initial bearing from a to b, 0 ≤ x < 360, north is 0. */
export function bearing(a: Point, b: Point): number {
  const dLon = rad(b.longitude - a.longitude);
  const y = Math.sin(dLon) * Math.cos(rad(b.latitude));
  const x = Math.cos(rad(a.latitude)) * Math.sin(rad(b.latitude))
    - Math.sin(rad(a.latitude)) * Math.cos(rad(b.latitude)) * Math.cos(dLon);
  return (deg(Math.atan2(y, x)) + 360) % 360;
}

/** Where one is after `metres` in direction `bearingDegrees`. */
export function destination(from: Point, bearingDegrees: number, metres: number): Point {
  const d = metres / EARTH;
  const t = rad(bearingDegrees);
  const lat1 = rad(from.latitude);
  const lat2 = Math.asin(Math.sin(lat1) * Math.cos(d) + Math.cos(lat1) * Math.sin(d) * Math.cos(t));
  const dLon = Math.atan2(Math.sin(t) * Math.sin(d) * Math.cos(lat1), Math.cos(d) - Math.sin(lat1) * Math.sin(lat2));
  return { latitude: deg(lat2), longitude: ((from.longitude + deg(dLon) + 540) % 360) - 180 };
}

/** The shortest way to turn from one heading to another, −180 < x ≤ 180. */
export function turn(from: number, to: number): number {
  const delta = (((to - from) % 360) + 360) % 360;
  return delta > 180 ? delta - 360 : delta;
}

const POINTS = ["N", "NE", "E", "SE", "S", "SW", "W", "NW"] as const;

/** The compass point of a bearing: `NE`. */
export function compass(bearingDegrees: number): string {
  return POINTS[Math.round((((bearingDegrees % 360) + 360) % 360) / 45) % 8] ?? "N";
}

/** `8 m`, `430 m`, `1.2 km`, `27 km` */
export function formatDistance(metres: number): string {
  if (metres < 100) return `${Math.round(metres)} m`;
  if (metres < 995) return `${Math.round(metres / 10) * 10} m`;
  if (metres < 9950) return `${(metres / 1000).toFixed(1)} km`;
  return `${Math.round(metres / 1000).toLocaleString()} km`;
}

/** `14.59951° N, 120.98420° E` */
export function formatPoint(point: Point): string {
  const ns = point.latitude < 0 ? "S" : "N";
  const ew = point.longitude < 0 ? "W" : "E";
  return `${Math.abs(point.latitude).toFixed(5)}° ${ns}, ${Math.abs(point.longitude).toFixed(5)}° ${ew}`;
}

/** The smallest of 1, 2, 5 × 10ⁿ that is not below `minimum`. */
export function niceStep(minimum: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(minimum, 1e-9)));
  const factor = [1, 2, 5].find((candidate) => candidate * power >= minimum * 0.999999) ?? 10;
  return factor * power;
}
