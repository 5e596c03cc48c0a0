/** The map of one panel: who is where, where they came from, and how far they are from each other. */

import L from "leaflet";
import { bearing, compass, distance, formatDistance, formatPoint, type Point } from "../geo/geo";
import { homeOf } from "../geo/sharing";
import { ago, roleLabel, span } from "../format";
import type { Fix, SosState } from "../hub/words";
import { pairOf, staleSince, type Incident } from "../state/incident";
import { isFinal, statusLabel } from "../state/status";
import { h, icon, setText } from "../ui/dom";
import { Chart } from "./chart";

/** Markers glide to a new fix in this time; broadcasts come once a second. */
const GLIDE_MS = 900;

interface Shown {
  fix: Fix;
  marker: L.Marker;
  element: HTMLElement;
  arrow: HTMLElement;
  age: HTMLElement;
  from: Point;
  at: Point;
  since: number;
}

export interface MapOptions {
  viewerId: string;
  tileUrl: string | null;
  now: () => number;
  onPick: (sosId: string) => void;
}

export class MapView {
  readonly element: HTMLElement;
  readonly #canvas: HTMLElement;
  readonly #readout: HTMLElement;
  readonly #place: HTMLElement;
  readonly #followButton: HTMLButtonElement;
  readonly #map: L.Map;
  readonly #chart = new Chart();
  readonly #options: MapOptions;
  readonly #shown = new Map<string, Shown>();
  readonly #others = new Map<string, L.Marker>();
  readonly #still = window.matchMedia("(prefers-reduced-motion: reduce)");
  #tiles: L.TileLayer | null = null;
  #incident: Incident | null = null;
  #origin: Point | null = null;
  #follow = true;
  #gliding = false;

  constructor(options: MapOptions) {
    this.#options = options;
    this.#canvas = h("div", { class: "map-canvas", role: "region", "aria-label": "Map of positions" });
    this.#readout = h("div", { class: "map-readout", "data-testid": "readout" });
    this.#place = h("div", { class: "map-place" });
    this.#followButton = h("button", {
      class: "map-follow", type: "button", "aria-pressed": "true", title: "Keep everyone in view", "aria-label": "Follow: keep everyone in view", on: { click: () => this.fit() },
    }, icon("target"), h("span", { text: "Follow" }));
    this.element = h("div", { class: "map" }, this.#canvas, h("div", { class: "map-words" }, this.#readout, this.#place), this.#followButton);
    this.#map = L.map(this.#canvas, {
      zoomControl: false, attributionControl: false, zoomAnimation: false, zoomSnap: 0.25, zoomDelta: 0.75, minZoom: 3, maxZoom: 21,
      wheelPxPerZoomLevel: 90,
    });
    L.control.zoom({ position: "bottomright" }).addTo(this.#map);
    L.control.scale({ position: "bottomleft", imperial: false, maxWidth: 110 }).addTo(this.#map);
    const home = homeOf("");
    this.#map.setView([home.latitude, home.longitude], 15);
    this.#chart.addTo(this.#map);
    this.tiles(options.tileUrl);
    this.#map.on("dragstart", () => this.#setFollow(false));
    for (const type of ["wheel", "dblclick", "keydown"] as const) this.#canvas.addEventListener(type, () => this.#setFollow(false), { passive: true });
    this.#canvas.querySelector(".leaflet-control-zoom")?.addEventListener("click", () => this.#setFollow(false));
    new ResizeObserver(() => {
      this.#map.invalidateSize({ animate: false, pan: false });
      if (this.#follow) this.#keepInView(true);
    }).observe(this.#canvas);
    window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#chart.draw());
    new MutationObserver(() => this.#chart.draw()).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
  }

  /** Sets the address of a tile server, or none. */
  tiles(url: string | null): void {
    this.#tiles?.remove();
    this.#tiles = url === null ? null : L.tileLayer(url, { maxZoom: 21, maxNativeZoom: 19 }).addTo(this.#map);
    this.#redraw();
  }

  show(incident: Incident | null): void {
    if (incident?.sosId !== this.#incident?.sosId) this.#clear();
    this.#incident = incident;
    const fixes = Object.values(incident?.fixes ?? {});
    for (const fix of fixes) this.#put(fix);
    this.#origin ??= fixes.find((fix) => fix.role === "citizen") ?? fixes[0] ?? null;
    if (this.#follow) this.#keepInView(false);
    this.tick();
  }

  /** Other incidents as small dots, for a dispatcher. */
  showOthers(list: SosState[]): void {
    const seen = new Set<string>();
    for (const sos of list) {
      const fix = sos.locations.find((other) => other.userId === sos.citizenId) ?? sos.locations[0];
      if (fix === undefined || sos.sosId === this.#incident?.sosId) continue;
      seen.add(sos.sosId);
      const title = `${sos.sosId}: ${statusLabel(sos.status)}`;
      const known = this.#others.get(sos.sosId);
      if (known) known.setLatLng([fix.latitude, fix.longitude]);
      else {
        const marker = L.marker([fix.latitude, fix.longitude], {
          icon: L.divIcon({ className: "pin-other", iconSize: [18, 18], html: h("span", {}) }), title, alt: title, keyboard: true,
        }).on("click", () => this.#options.onPick(sos.sosId)).addTo(this.#map);
        this.#others.set(sos.sosId, marker);
      }
    }
    for (const [sosId, marker] of this.#others) {
      if (seen.has(sosId)) continue;
      marker.remove();
      this.#others.delete(sosId);
    }
  }

  /** Brings everyone into view and keeps them there. */
  fit(): void {
    this.#setFollow(true);
    this.#keepInView(true);
  }

  /** Refreshes what depends on the time: ages, and the line above the map. */
  tick(): void {
    const now = this.#options.now();
    for (const shown of this.#shown.values()) {
      const since = staleSince(shown.fix, now);
      shown.element.classList.toggle("stale", since !== null);
      shown.age.textContent = since === null ? "" : ago(since, now);
    }
    this.#say();
  }

  #clear(): void {
    for (const shown of this.#shown.values()) shown.marker.remove();
    this.#shown.clear();
    this.#origin = null;
    this.#setFollow(true);
    this.#redraw();
  }

  #put(fix: Fix): void {
    const known = this.#shown.get(fix.userId);
    const target = { latitude: fix.latitude, longitude: fix.longitude };
    if (known === undefined) {
      const arrow = h("span", { class: "pin-arrow" });
      const age = h("span", { class: "pin-age" });
      const element = h("div", { class: "pin", "data-role": fix.role, "data-testid": `marker-${fix.userId}` },
        arrow, h("span", { class: "pin-dot" }, icon(fix.role === "citizen" ? "person" : "cross")),
        h("span", { class: "pin-name" }, fix.userId === this.#options.viewerId ? "You" : fix.userId, age));
      const name = `${roleLabel(fix.role)} ${fix.userId}`;
      const marker = L.marker([fix.latitude, fix.longitude], {
        icon: L.divIcon({ className: "pin-host", iconSize: [34, 34], html: element }), alt: name, title: name, keyboard: false,
        zIndexOffset: fix.role === "citizen" ? 100 : 200,
      }).addTo(this.#map);
      this.#shown.set(fix.userId, { fix, marker, element, arrow, age, from: target, at: target, since: 0 });
    } else if (known.fix !== fix) {
      known.fix = fix;
      known.from = known.at;
      known.since = performance.now();
      if (document.hidden || this.#still.matches || distance(known.at, fix) > 400) known.from = target;
    }
    const shown = this.#shown.get(fix.userId);
    if (shown === undefined) return;
    shown.element.dataset["latitude"] = String(fix.latitude);
    shown.element.dataset["longitude"] = String(fix.longitude);
    shown.arrow.hidden = fix.heading === null || (fix.speed ?? 1) < 0.2;
    shown.arrow.style.transform = `rotate(${fix.heading ?? 0}deg)`;
    this.#glide();
  }

  /** Moves markers from where they are to where they should be, a frame at a time, until all have arrived. */
  #glide(): void {
    const frame = (): void => {
      const now = performance.now();
      let moving = false;
      for (const shown of this.#shown.values()) {
        const part = Math.min(1, (now - shown.since) / GLIDE_MS);
        shown.at = {
          latitude: shown.from.latitude + (shown.fix.latitude - shown.from.latitude) * part,
          longitude: shown.from.longitude + (shown.fix.longitude - shown.from.longitude) * part,
        };
        shown.marker.setLatLng([shown.at.latitude, shown.at.longitude]);
        moving ||= part < 1;
      }
      this.#redraw();
      this.#gliding = moving;
      if (moving) requestAnimationFrame(frame);
    };
    if (this.#gliding) return;
    this.#gliding = true;
    requestAnimationFrame(frame);
  }

  #redraw(): void {
    const incident = this.#incident;
    const { citizen, rescuer } = incident === null ? { citizen: null, rescuer: null } : pairOf(incident, this.#options.viewerId);
    const style = getComputedStyle(this.#canvas);
    const at = (fix: Fix): Point => this.#shown.get(fix.userId)?.at ?? fix;
    this.#chart.show({
      origin: this.#origin,
      overTiles: this.#tiles !== null,
      rings: citizen && at(citizen),
      sight: citizen && rescuer
        ? { from: at(rescuer), to: at(citizen), label: `${formatDistance(distance(at(rescuer), at(citizen)))} ${compass(bearing(rescuer, citizen))}` }
        : null,
      tracks: [...this.#shown.values()].map((shown) => ({
        color: style.getPropertyValue(shown.fix.role === "citizen" ? "--citizen" : "--rescuer").trim(),
        // The last point of the trail is where the marker is still gliding to.
        trail: (incident?.trails[shown.fix.userId] ?? []).slice(0, -1),
        at: shown.at,
        accuracy: shown.fix.accuracy,
      })),
    });
  }

  #say(): void {
    const incident = this.#incident;
    const { citizen, rescuer } = incident === null ? { citizen: null, rescuer: null } : pairOf(incident, this.#options.viewerId);
    const under = incident?.sos != null && !isFinal(incident.sos.status);
    const name = ({ userId }: Fix): string => (userId === this.#options.viewerId ? "you" : userId);
    const second: string[] = [];
    if (citizen && rescuer) {
      const metres = distance(rescuer, citizen);
      const speed = rescuer.speed ?? 0;
      const degrees = Math.round(bearing(rescuer, citizen)) % 360;
      if (under && metres > 25 && speed > 0.8) second.push(`about ${span((metres / speed) * 1000)}`);
      setText(this.#readout, metres < 20
        ? `${name(rescuer)} and ${name(citizen)}: ${formatDistance(metres)} apart`
        : `${name(rescuer)} → ${name(citizen)}: ${formatDistance(metres)}, ${degrees}° ${compass(degrees)}`);
    } else {
      setText(this.#readout, citizen ? "No rescuer shares a position yet"
        : rescuer ? "The citizen shares no position yet" : "Nobody shares a position yet");
    }
    if (citizen) second.push(formatPoint(citizen), ago(citizen.timestamp, this.#options.now()));
    setText(this.#place, second.join(" · "));
  }

  #setFollow(follow: boolean): void {
    this.#follow = follow;
    this.#followButton.setAttribute("aria-pressed", String(follow));
  }

  /** Moves the view only when someone leaves it or is lost in it: a map that always moves cannot be read. */
  #keepInView(now: boolean): void {
    const points = [...this.#shown.values()].map(({ fix }) => L.latLng(fix.latitude, fix.longitude));
    const size = this.#map.getSize();
    if (points.length === 0 || size.x < 40 || size.y < 40) return;
    const bounds = L.latLngBounds(points);
    const pixels = points.map((point) => this.#map.latLngToContainerPoint(point));
    const xs = pixels.map((point) => point.x);
    const ys = pixels.map((point) => point.y);
    const inside = Math.min(...xs) > 36 && Math.max(...xs) < size.x - 36 && Math.min(...ys) > 70 && Math.max(...ys) < size.y - 44;
    const spread = Math.max((Math.max(...xs) - Math.min(...xs)) / size.x, (Math.max(...ys) - Math.min(...ys)) / size.y);
    const lost = points.length > 1 && spread < 0.22 && this.#map.getZoom() < 17.9;
    if (!now && inside && !lost) return;
    this.#map.fitBounds(bounds, { paddingTopLeft: [56, 92], paddingBottomRight: [64, 64], maxZoom: points.length > 1 ? 18 : 17, animate: false });
  }
}
