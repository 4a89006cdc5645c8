import { fill } from "./native";

let last = 0; // ms
let count = 0;
let offset = 0; // ms

/** Tells by how much the device's clock is behind. */
export function correct(ms: number): void {
  offset = ms;
  last = 0;
}

/** Whether ids can be made: without secure randomness there are none. */
export const canIdentify = !!fill;

/** A UUID of version 7. Those of one page sort as they were made. */
export function uuidv7(time: number): string {
  time += offset;
  if (time > last) {
    last = time;
    count = 0;
  } else if (++count > 0xfff) {
    last++;
    count = 0;
  }
  const bytes = fill(new Uint8Array(8));
  bytes[0] = (bytes[0]! & 0x3f) | 0x80;
  let hex = last.toString(16).padStart(12, "0") + (0x7000 + count).toString(16);
  for (const byte of bytes) hex += (byte + 0x100).toString(16).slice(1);
  return hex.replace(/(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
