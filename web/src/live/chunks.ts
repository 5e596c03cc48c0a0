/** Chunks on their way to the hub: in order, each until it is acknowledged, also over a lost connection. */

import { HubError, type Interview } from "@convoke/client";
import { randomId } from "../format";
import { Store } from "../state/store";

/** Two minutes of sound; when more waits, the oldest is given up. */
const MOST = 480;
const AGAIN_MS = 500;
/** The hub takes no more sound for this question. */
const FINAL = new Set(["INVALID_AUDIO", "INVALID_PAYLOAD", "NO_ACTIVE_SESSION", "FORBIDDEN", "SUPERSEDED"]);

export interface Sent {
  taken: number;
  waiting: number;
  lost: number;
}

export class ChunkSender {
  readonly sent = new Store<Sent>({ taken: 0, waiting: 0, lost: 0 });
  #queue: { audioData: ArrayBuffer; clientMessageId: string }[] = [];
  #running: Promise<void> | null = null;

  constructor(private readonly hub: Pick<Interview, "emitWithAck">, private readonly pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))) {}

  push(audioData: ArrayBuffer): void {
    this.#queue.push({ audioData, clientMessageId: randomId() });
    const over = this.#queue.length > MOST ? 1 : 0;
    // The first one may be under way.
    if (over) this.#queue.splice(1, 1);
    this.#count(0, over);
    this.#running ??= this.#run().finally(() => { this.#running = null; });
  }

  /** Resolves when nothing waits any more. */
  async drained(): Promise<void> {
    while (this.#running) await this.#running;
  }

  #count(taken: number, lost: number): void {
    this.sent.update((sent) => ({ taken: sent.taken + taken, waiting: this.#queue.length, lost: sent.lost + lost }));
  }

  async #run(): Promise<void> {
    for (let chunk = this.#queue[0]; chunk !== undefined; chunk = this.#queue[0]) {
      try {
        await this.hub.emitWithAck("audio-chunk", chunk);
      } catch (thrown) {
        if (!(thrown instanceof HubError) || !FINAL.has(thrown.code)) {
          await this.pause(AGAIN_MS);
          continue;
        }
        this.#queue.shift();
        this.#count(0, 1);
        continue;
      }
      this.#queue.shift();
      this.#count(1, 0);
    }
  }
}
