import { SCHEMA_VERSION } from "../contract";
import { ask, type Answer } from "./http";
import { beacon, later, locks, now, report, size, stringify } from "./native";
import type { Batch, Queue } from "./queue";
import type { Store } from "./store";

const PAGE_BYTES = 65_000; // of events: with what is around them, what a page's beacons and keepalive requests hold together
const BATCH_BYTES = 30_000; // leaves as much for a beacon
const WAIT_MS = 3_000; // for more events
const FLUSH_LENGTH = 8_192; // that don't wait
const MAX_PAUSE_MS = 3_600_000;
const MAX_BACKOFF_MS = 60_000;

/** Sends what waits in the queue, one batch after the other, whichever tab made it. */
export function openTransport(shop: string, base: string, store: Store, queue: Queue) {
  const url = base + "/v1/events";
  const beaconed = new Set<string>(); // batches that a beacon took while the page was hidden
  let draining = false;
  let flying = ""; // id of the batch
  let failures = 0;
  let timer: number | undefined;
  let due = 0; // ms, when timer fires

  const body = (b: Batch): string =>
    `{"v":${SCHEMA_VERSION},"shop":${stringify(shop)},"sent_at":"${new Date(now()).toISOString()}","batch_id":"${b.id}","seq":${b.seq},"events":[${b.texts.join()}]}`;

  /** How long nothing is to be sent, by any tab. */
  const pause = (): number => {
    const ms = +store.read("pause")! - now();
    return ms > 0 && ms <= MAX_PAUSE_MS ? ms : 0;
  };

  const wake = (ms: number): void => {
    if (timer && due <= now() + ms) return;
    clearTimeout(timer);
    due = now() + ms;
    timer = later(drain, ms);
  };

  /** Reports whether the batch is done with. */
  async function send(batch: Batch): Promise<boolean> {
    queue.sent(batch);
    flying = batch.id;
    let answer: Answer | undefined;
    try {
      // Plain text needs no preflight.
      answer = await ask(url, { method: "POST", body: body(batch), headers: { "Content-Type": "text/plain" }, keepalive: true });
    } catch {
      // no network, or too slow
    }
    flying = "";
    const status = answer?.response.status;
    const error = answer?.body?.error;
    const refused = (status === 400 || status === 413) && /^(malformed|batch_too|event_too)_/.test(error?.code);
    if (refused) report(error.code, error.message);
    // A firewall's challenge is 202, too: only the count is the collector's word.
    if (refused || (status === 202 && answer!.body?.accepted === batch.texts.length)) {
      failures = 0;
      queue.finish(batch);
      return true;
    }
    const backoff = Math.min(MAX_BACKOFF_MS, 1000 * 2 ** failures++) * (0.5 + Math.random() / 2);
    const asked = +answer?.response.headers.get("Retry-After")! * 1000 || 0;
    const ms = Math.min(MAX_PAUSE_MS, Math.max(asked, backoff));
    if (answer) store.write("pause", now() + ms);
    wake(ms);
    return false;
  }

  async function work(): Promise<void> {
    const skip = (id: string): boolean => beaconed.has(id);
    for (let batch; (batch = queue.take(BATCH_BYTES, skip) || queue.take(PAGE_BYTES, skip)); ) {
      if (pause()) return wake(pause());
      if (!(await send(batch))) return;
    }
  }

  async function drain(): Promise<void> {
    clearTimeout(timer);
    timer = 0;
    if (draining) return wake(WAIT_MS);
    draining = true;
    try {
      // One tab sends at a time; the next finds what is left.
      await (store.kept() && locks ? locks.request("shopstream." + shop, work).catch(work) : work());
    } catch (e) {
      report("internal", String(e));
    }
    draining = false;
  }

  return {
    /** Sees to it that what was added goes soon. */
    added(length: number): void {
      wake(length >= FLUSH_LENGTH ? 0 : WAIT_MS);
    },
    /** Sends what waits now: at the start, and when the network may be back. */
    retry: drain,
    /**
     * The page may end here. What a beacon takes is not acknowledged: it stays,
     * and is sent once more when a page shows again. What flies goes on by
     * itself.
     */
    hide(): void {
      if (store.kept() && pause()) return;
      let budget = PAGE_BYTES;
      for (let batch; budget > 0 && (batch = queue.take(budget, (id) => beaconed.has(id) || id === flying)); ) {
        const text = body(batch);
        if (beacon?.(url, text)) {
          budget -= size(text);
          queue.sent(batch);
          beaconed.add(batch.id);
        } else {
          budget /= 2; // others have beacons, too
        }
      }
    },
    show(): void {
      beaconed.clear();
      void drain();
    },
  };
}
