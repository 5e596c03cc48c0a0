/** The chat as a list: the hub's messages in its order, then what is still on its way. */

import type { Message } from "../hub/words";

export type Delivery = "sending" | "sent" | "failed";

export interface ChatMessage extends Message {
  delivery: Delivery;
  /** Why it failed. */
  code?: string;
}

/** Adds messages from the hub: known ones are replaced, and an optimistic one becomes its confirmed self. */
export function mergeMessages(present: ChatMessage[], arrived: Message[]): ChatMessage[] {
  const ids = new Set(arrived.map((message) => message.messageId));
  const own = new Set(arrived.flatMap((message) => (message.clientMessageId ? [`${message.userId} ${message.clientMessageId}`] : [])));
  const kept = present.filter((message) =>
    !ids.has(message.messageId) && !own.has(`${message.userId} ${message.clientMessageId ?? ""}`));
  return inOrder([...kept, ...arrived.map((message): ChatMessage => ({ ...message, delivery: "sent" }))]);
}

export function addOptimistic(present: ChatMessage[], message: Message & { clientMessageId: string }): ChatMessage[] {
  return [...present, { ...message, delivery: "sending" }];
}

export function markMessage(
  present: ChatMessage[],
  change: { clientMessageId: string; delivery: Delivery; messageId?: string; timestamp?: number; code?: string },
): ChatMessage[] {
  const marked = present.map((message): ChatMessage => {
    // The broadcast may have come before the ack: what is confirmed stays confirmed.
    if (message.clientMessageId !== change.clientMessageId || message.delivery === "sent") return message;
    const { code: _forgotten, ...rest } = message;
    return {
      ...rest,
      delivery: change.delivery,
      messageId: change.messageId ?? message.messageId,
      timestamp: change.timestamp ?? message.timestamp,
      ...(change.code === undefined ? {} : { code: change.code }),
    };
  });
  return inOrder(marked);
}

function inOrder(messages: ChatMessage[]): ChatMessage[] {
  return [...messages].sort((a, b) =>
    Number(a.delivery !== "sent") - Number(b.delivery !== "sent")
    || (a.delivery === "sent" ? compareIds(a, b) : a.timestamp - b.timestamp));
}

/** Message ids are log positions `<ms>-<seq>`; anything else falls back to its time. */
function compareIds(a: Message, b: Message): number {
  const x = position(a.messageId);
  const y = position(b.messageId);
  if (x === null || y === null) return a.timestamp - b.timestamp;
  return x[0] - y[0] || x[1] - y[1];
}

function position(id: string): [number, number] | null {
  const match = /^(\d+)-(\d+)$/.exec(id);
  return match === null ? null : [Number(match[1]), Number(match[2])];
}
