import { request } from "./native";

const TIMEOUT_MS = 10_000;

export interface Answer {
  response: Response;
  body: any; // undefined where it is no JSON
}

/** Asks the collector. Fails where no answer comes in time. */
export async function ask(url: string, init?: RequestInit): Promise<Answer> {
  const response = await request(url, { credentials: "omit", signal: AbortSignal.timeout?.(TIMEOUT_MS), ...init });
  // A firewall's page is no JSON.
  return { response, body: await response.json().catch(() => undefined) };
}
