/** The microphone as chunks of 250 ms. */

import { HubError } from "@convoke/client";
import { Store } from "../state/store";
import { loudness, Resampler, SAMPLE_RATE, toPcm } from "./pcm";
import workletUrl from "./pcm-worklet.js?url";

const CHUNK_SAMPLES = SAMPLE_RATE / 4;

export class Microphone {
  readonly on = new Store(false);
  readonly level = new Store(0);
  #context: AudioContext | null = null;
  #stream: MediaStream | null = null;

  constructor(private readonly onChunk: (pcm: ArrayBuffer) => void) {}

  async start(): Promise<void> {
    if (this.#context !== null) return;
    if (!navigator.mediaDevices) throw new HubError("NO_SECURE_PAGE");
    let stream: MediaStream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1, echoCancellation: true, noiseSuppression: true } });
    } catch (thrown) {
      throw new HubError((thrown as Error).name === "NotAllowedError" ? "MEDIA_DENIED" : "MEDIA_UNAVAILABLE");
    }
    const context = new AudioContext();
    this.#context = context;
    this.#stream = stream;
    await context.audioWorklet.addModule(workletUrl);
    if (this.#context !== context) return;
    const resampler = new Resampler(context.sampleRate);
    let waiting: Float32Array[] = [];
    let count = 0;
    const node = new AudioWorkletNode(context, "samples");
    node.port.onmessage = ({ data }: MessageEvent<Float32Array>): void => {
      const samples = resampler.push(data);
      this.level.set(loudness(samples));
      waiting.push(samples);
      count += samples.length;
      if (count < CHUNK_SAMPLES) return;
      const chunk = new Float32Array(count);
      let at = 0;
      for (const part of waiting) {
        chunk.set(part, at);
        at += part.length;
      }
      waiting = [];
      count = 0;
      this.onChunk(toPcm(chunk));
    };
    context.createMediaStreamSource(stream).connect(node);
    this.on.set(true);
  }

  stop(): void {
    this.#stream?.getTracks().forEach((track) => track.stop());
    void this.#context?.close();
    this.#context = null;
    this.#stream = null;
    this.on.set(false);
    this.level.set(0);
  }
}
