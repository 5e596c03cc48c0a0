/** Shows `/asyncapi.json`: the namespaces, and each event with what it carries. */

import { schema, type Schema } from "./schema.ts";
import { element, text, type Child } from "./element.ts";

interface Message {
  name: string;
  title: string;
  description?: string;
  payload: Schema;
}

interface Ref {
  $ref: string;
}

interface Operation {
  action: "send" | "receive";
  channel: Ref;
  summary?: string;
  messages: Ref[];
  reply?: { messages: Ref[] };
  "x-delivery"?: string;
}

interface Document {
  info: { title: string; version: string; description?: string };
  channels: Record<string, { address: string; title: string; description?: string; messages: Record<string, Message> }>;
  operations: Record<string, Operation>;
  components: { schemas: Record<string, Schema> };
}

const DELIVERY: Record<string, string> = {
  logged: "Logged: a client that comes back in time gets it if it missed it.",
  direct: "To one socket.",
  volatile: "Volatile: it carries no offset, and a newer one replaces it.",
};

function firstSentence(about: string): string {
  return /^.*?[.:](?= |$)/.exec(about)?.[0].replace(/:$/, ".") ?? about;
}

/** A box that leaves only the events whose names or texts hold what is written into it. */
function filter(): HTMLElement {
  const box = element("input", { type: "search", class: "filter", placeholder: "Filter the events", "aria-label": "Filter the events" });
  box.addEventListener("input", () => {
    const word = (box as HTMLInputElement).value.trim().toLowerCase();
    for (const one of document.querySelectorAll<HTMLElement>("details.operation")) one.hidden = !one.textContent.toLowerCase().includes(word);
  });
  return box;
}

class Page {
  constructor(private readonly document: Document) {}

  render(): Child[] {
    const { info, channels } = this.document;
    return [
      element("h1", {}, `Events of ${info.title} ${info.version}`),
      element("p", {}, ...text(info.description ?? "")),
      element("p", {}, "The document itself: ", element("a", { href: "/asyncapi.json" }, "/asyncapi.json"), "."),
      filter(),
      ...Object.keys(channels).flatMap((id) => this.channel(id)),
    ];
  }

  private channel(id: string): Child[] {
    const channel = this.document.channels[id];
    if (!channel) return [];
    const of = Object.entries(this.document.operations).filter(([, one]) => one.channel.$ref === `#/channels/${id}`);
    const list = (action: Operation["action"]) => of.filter(([, one]) => one.action === action).map(([key, one]) => this.operation(key, one));
    return [
      element("h2", { id }, element("code", {}, channel.address), ` ${channel.title}`),
      element("p", {}, ...text(channel.description ?? "")),
      element("h3", {}, "What clients send"),
      ...list("receive"),
      element("h3", {}, "What clients get"),
      ...list("send"),
    ];
  }

  private operation(key: string, operation: Operation): Child {
    const [message] = this.messages(operation.messages);
    const replies = this.messages(operation.reply?.messages ?? []);
    const delivery = operation["x-delivery"];
    return element(
      "details",
      { class: `operation ${operation.action}`, id: key },
      element("summary", {}, element("code", {}, message?.name ?? key), element("span", {}, ...text(firstSentence(message?.description ?? "")))),
      ...(message?.description ? [element("p", {}, ...text(message.description))] : []),
      element("p", { class: "soft" }, ...text(`${operation.summary ?? ""}.`)),
      ...(delivery ? [element("p", { class: "soft" }, DELIVERY[delivery] ?? delivery)] : []),
      ...(message ? this.payload("Payload", message) : []),
      ...replies.flatMap((reply) => this.payload(reply.title, reply)),
    );
  }

  private payload(title: string, message: Message): Child[] {
    const about = message.description && title !== "Payload" ? [element("p", {}, ...text(message.description))] : [];
    return [element("h4", {}, title), ...about, schema(message.payload, this.document.components.schemas)];
  }

  private messages(refs: Ref[]): Message[] {
    return refs.flatMap(({ $ref }) => {
      const [, channel, key] = /^#\/channels\/([^/]+)\/messages\/(.+)$/.exec($ref) ?? [];
      const message = channel && key ? this.document.channels[channel]?.messages[key] : undefined;
      return message ? [message] : [];
    });
  }
}

const place = document.querySelector("#asyncapi");
const answer = await fetch("/asyncapi.json");
if (answer.ok) {
  place?.replaceChildren(...new Page((await answer.json()) as Document).render());
  // What the address names exists only now.
  const named = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (named instanceof HTMLDetailsElement) named.open = true;
  if (named) named.scrollIntoView();
} else {
  place?.replaceChildren(element("p", {}, `The document cannot be read: ${answer.status}.`));
}
place?.setAttribute("aria-busy", "false");
