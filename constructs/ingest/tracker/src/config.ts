import { ask } from "./http";
import { now } from "./native";

/** What the registry says of the shop. */
export interface Config {
  /** Share of visitors whose events are wanted. */
  percent: number;
  /** How far the device's clock is behind, where that is much. */
  offset: number; // ms
}

/** What holds while the collector doesn't answer. */
export const USUAL: Config = { percent: 100, offset: 0 };

const SKEW_MS = 600_000; // below it, an answer's time in the browser's cache could be the reason

/** The shop's settings. Browsers keep the answer for five minutes. */
export async function loadConfig(base: string, shop: string): Promise<Config> {
  try {
    const { response, body } = await ask(`${base}/v1/config?shop=${encodeURIComponent(shop)}`);
    const offset = Date.parse(response.headers.get("Date")!) - now();
    if (response.ok) return { percent: body.sample_percent ?? 100, offset: Math.abs(offset) > SKEW_MS ? offset : 0 };
  } catch {
    // the usual ones do
  }
  return USUAL;
}
