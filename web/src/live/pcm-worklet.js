// Hands the microphone's samples on, 2,048 at a time.
class Samples extends AudioWorkletProcessor {
  constructor() {
    super();
    this.held = new Float32Array(2048);
    this.count = 0;
  }

  process([input]) {
    const channel = input?.[0];
    if (channel) {
      for (const sample of channel) {
        this.held[this.count++] = sample;
        if (this.count === this.held.length) {
          this.port.postMessage(this.held.slice());
          this.count = 0;
        }
      }
    }
    return true;
  }
}
registerProcessor("samples", Samples);
