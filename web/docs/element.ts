/** Elements and texts, never HTML from a string. */

export type Child = Node | string;

export function element(name: string, attributes: Record<string, string>, ...children: Child[]): HTMLElement {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** A text in which `words` between backticks are code. */
export function text(source: string): Child[] {
  return source.split(/`([^`]+)`/).map((part, at) => (at % 2 ? element("code", {}, part) : part));
}
