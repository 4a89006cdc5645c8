import { uuidv7 } from "./id";
import { now, report, size } from "./native";
import type { Store } from "./store";

/** Events that are sent together, and again under the same id until they are acknowledged. */
export interface Batch {
  id: string;
  seq: number;
  events: string[]; // ids
  texts: string[];
}

export const MAX_LENGTH = 1 << 19; // characters that wait: a fifth of what a site's storage has
export const BATCH_EVENTS = 50;

/**
 * Events that are not acknowledged yet. In the store, e.ID is an event and
 * b.ID a batch that was sent: all tabs see both, and none writes over
 * another's.
 */
export function openQueue(store: Store) {
  const ids = (kind: string): string[] => store.names(kind).map((name) => name.slice(2));
  const textOf = (id: string): string => store.read("e." + id) || ""; // another tab may have removed it
  let length = 0;
  return {
    /** Adds an event, and tells how many characters wait. Where more wait than are kept, the oldest go. */
    put(id: string, text: string): number {
      store.write("e." + id, text);
      length += text.length;
      for (const id of length > MAX_LENGTH ? ids("e.") : []) {
        if (length <= MAX_LENGTH) break;
        length -= textOf(id).length;
        store.drop("e." + id);
        report("queue_full", id);
      }
      return length;
    },
    /** What to send next, of at most so many bytes: a batch that was sent before and is not skipped, else a new one. */
    take(budget: number, skip: (batch: string) => unknown): Batch | undefined {
      length = 0;
      for (const id of ids("e.")) length += textOf(id).length;
      const taken = new Set<string>();
      for (const id of ids("b.")) {
        const [seq, ...events] = store.read("b." + id)!.split(" ");
        const batch: Batch = { id, seq: +seq!, events: events.filter(textOf), texts: [] };
        for (const event of batch.events) taken.add(event);
        batch.texts = batch.events.map(textOf);
        if (!batch.texts.length) store.drop("b." + id);
        else if (!skip(id) && size(batch.texts.join()) < budget) return batch;
      }
      const batch: Batch = { id: uuidv7(now()), seq: +store.read("seq")!, events: [], texts: [] };
      for (const id of ids("e.")) {
        const text = textOf(id);
        if (taken.has(id) || !text) continue;
        budget -= size(text) + 1;
        if (budget < 0 || batch.texts.length >= BATCH_EVENTS) break;
        batch.events.push(id);
        batch.texts.push(text);
      }
      return batch.texts.length ? batch : undefined;
    },
    /** Remembers that a batch is on its way. */
    sent({ id, seq, events }: Batch): void {
      if (!store.read("b." + id)) store.write("seq", seq + 1);
      store.write("b." + id, [seq, ...events].join(" "));
    },
    /** Forgets a batch that was acknowledged, or never will be taken. */
    finish(batch: Batch): void {
      for (const id of batch.events) store.drop("e." + id);
      store.drop("b." + batch.id);
    },
    /** Changes what waits; "" drops it. */
    rewrite(f: (text: string) => string): void {
      for (const id of ids("e.")) {
        const text = f(textOf(id));
        if (text) store.write("e." + id, text);
        else store.drop("e." + id);
      }
    },
  };
}

export type Queue = ReturnType<typeof openQueue>;
