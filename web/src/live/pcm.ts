/** Sound as the hub wants it: PCM, 16 bits, 16 kHz, one channel. Pure. */

export const SAMPLE_RATE = 16_000;

/** Brings samples to 16 kHz by straight lines between them, piece by piece without a seam. */
export class Resampler {
  /** Where the next sample is taken, counted from the start of the next piece. */
  #at = 0;
  #last = 0;

  constructor(private readonly from: number) {}

  push(input: Float32Array): Float32Array {
    const step = this.from / SAMPLE_RATE;
    const output: number[] = [];
    for (; this.#at < input.length; this.#at += step) {
      const left = Math.floor(this.#at);
      const before = left === 0 ? this.#last : input[left - 1] ?? 0;
      const after = input[left] ?? 0;
      output.push(before + (after - before) * (this.#at - left));
    }
    this.#at -= input.length;
    this.#last = input.at(-1) ?? this.#last;
    return Float32Array.from(output);
  }
}

/** Samples of −1 to 1 as little-endian 16-bit integers. */
export function toPcm(samples: Float32Array): ArrayBuffer {
  const view = new DataView(new ArrayBuffer(samples.length * 2));
  samples.forEach((sample, index) => view.setInt16(index * 2, Math.round(Math.max(-1, Math.min(1, sample)) * 32_767), true));
  return view.buffer as ArrayBuffer;
}

/** How loud samples are, 0–1. */
export function loudness(samples: Float32Array): number {
  const sum = samples.reduce((total, sample) => total + sample * sample, 0);
  return samples.length === 0 ? 0 : Math.min(1, Math.sqrt(sum / samples.length) * 4);
}
