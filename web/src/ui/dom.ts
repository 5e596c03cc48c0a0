/** Making elements. Text goes in as text, always: nothing on this page parses HTML. */

type Handlers = { [K in keyof HTMLElementEventMap]?: (event: HTMLElementEventMap[K]) => void };
interface Special {
  text?: string;
  on?: Handlers;
}
export type Props = Special & Record<string, unknown>;
export type Child = Node | string | null;

/** An element with attributes, event handlers (`on`), text and children. False, null and undefined leave an attribute out. */
export function h<K extends keyof HTMLElementTagNameMap>(tag: K, props: Props = {}, ...children: Child[]): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name === "text") element.textContent = String(value);
    else if (name === "on") {
      for (const [type, handler] of Object.entries(value as Record<string, EventListener>)) element.addEventListener(type, handler);
    } else if (value !== false && value !== null && value !== undefined) {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
  for (const child of children) if (child !== null) element.append(child);
  return element;
}

const SHAPES = {
  person: "M12 12a4.2 4.2 0 1 0 0-8.4 4.2 4.2 0 0 0 0 8.4Zm-7.5 8.2c.6-3.7 3.6-6 7.5-6s6.9 2.3 7.5 6",
  cross: "M12 5v14M5 12h14",
  radar: "M12 12 18 6M12 3.5a8.5 8.5 0 1 0 8.5 8.5M12 8a4 4 0 1 0 4 4",
  target: "M12 3v4m0 10v4M3 12h4m10 0h4M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8Z",
  send: "M4 12 20 4l-5 16-3.5-6.5L4 12Z",
  check: "m5 12.5 4.5 4.5L19 7.5",
  settings: "M4 7h10m4 0h2M4 17h2m4 0h10M16 9.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5ZM8 19.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5Z",
  plane: "M5 12.5a10 10 0 0 1 14 0M8.5 16a5 5 0 0 1 7 0M12 19.5h.01M3 4l18 16",
  open: "M14 4h6v6M20 4l-9 9M18 14v4.5A1.5 1.5 0 0 1 16.5 20h-11A1.5 1.5 0 0 1 4 18.500v-11A1.5 1.5 0 0 1 5.5 6H10",
  play: "M7 4.500v15l12-7.5-12-7.500Z",
  pause: "M8 5v14M16 5v14",
  close: "M6 6l12 12M18 6 6 18",
  link: "M10 14a4 4 0 0 0 5.7 0l3-3A4 4 0 0 0 13 5.300l-1 1M14 10a4 4 0 0 0-5.7 0l-3 3A4 4 0 0 0 11 18.700l1-1",
  mic: "M12 15a3.500 3.500 0 0 0 3.500-3.500v-5a3.500 3.500 0 0 0-7 0v5A3.500 3.500 0 0 0 12 15ZM5.500 11.500a6.500 6.500 0 0 0 13 0M12 18v3",
  "mic-off": "M8.500 8.500v3a3.500 3.500 0 0 0 5.600 2.800m1.400-3.300V6.500a3.500 3.500 0 0 0-6.600-1.600M5.500 11.500a6.500 6.500 0 0 0 10 5.500m2.600-3a6.500 6.500 0 0 0 .4-2.500M12 18v3M3.500 3.500l17 17",
  camera: "M4.500 6.500h9A1.500 1.500 0 0 1 15 8v8a1.500 1.500 0 0 1-1.500 1.500h-9A1.500 1.500 0 0 1 3 16V8a1.500 1.500 0 0 1 1.500-1.500ZM15 10.500l6-3v9l-6-3",
  "camera-off": "M15 12V8a1.500 1.500 0 0 0-1.500-1.500H9m-4.500 0A1.500 1.500 0 0 0 3 8v8a1.500 1.500 0 0 0 1.500 1.500h9c.5 0 1-.3 1.300-.7M15 10.500l6-3v9M3.500 3.500l17 17",
  leave: "M10 4H5.500A1.500 1.500 0 0 0 4 5.500v13A1.500 1.500 0 0 0 5.500 20H10M15 8l4 4-4 4M19 12H9.500",
} as const;

export type IconName = keyof typeof SHAPES;

/** A line icon that says nothing to a screen reader: the words beside it do. */
export function icon(name: IconName): SVGSVGElement {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", SHAPES[name]);
  svg.append(path);
  return svg;
}

/** Sets text only when it differs, so that a screen reader and the layout are left alone. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** Brings a list of children into line with items, keeping the elements that stay. */
export function keyed<T>(parent: Element, items: readonly T[], key: (item: T) => string, make: (item: T) => HTMLElement, update: (element: HTMLElement, item: T) => void): void {
  const present = new Map<string, HTMLElement>();
  for (const child of parent.children) if (child instanceof HTMLElement && child.dataset["key"]) present.set(child.dataset["key"], child);
  let previous: Element | null = null;
  for (const item of items) {
    const id = key(item);
    let element = present.get(id);
    present.delete(id);
    if (element === undefined) {
      element = make(item);
      element.dataset["key"] = id;
    }
    update(element, item);
    const next: Element | null = previous === null ? parent.firstElementChild : previous.nextElementSibling;
    if (next !== element) parent.insertBefore(element, next);
    previous = element;
  }
  for (const gone of present.values()) gone.remove();
}

const announcer = h("div", { class: "visually-hidden", role: "status", "aria-live": "polite" });

/** Tells a change to those who do not see it. */
export function announce(text: string): void {
  if (!announcer.isConnected) document.body.append(announcer);
  announcer.textContent = text;
}
